import type { InvocationResponse } from '../../../src/contract/index.js';

/** What the supervisor answers when all goes well. */
export function response(overrides: Partial<InvocationResponse> = {}): InvocationResponse {
  return {
    scar: 1,
    requestId: 'r-1',
    environmentId: 'env-1',
    coldStart: false,
    image: { digest: 'sha256:0', pulled: false },
    runner: 'in-process',
    outcomes: [
      {
        status: 'succeeded',
        exitCode: 0,
        signal: null,
        outputs: [],
        stdout: { text: 'hello\n', bytes: 6 },
        stderr: { text: '', bytes: 0 },
        timings: { pullMs: 0, stageInMs: 1, containerMs: 2, stageOutMs: 3 },
      },
    ],
    ...overrides,
  };
}

export const REPORT =
  'REPORT RequestId: r-1\tDuration: 99.50 ms\tBilled Duration: 100 ms\tMemory Size: 1024 MB\tMax Memory Used: 77 MB\t\n';

/** The output of InvokeCommand. */
export function answer(
  payload: unknown,
  { log = REPORT, functionError }: { log?: string; functionError?: string } = {},
) {
  return {
    $metadata: { requestId: 'r-1' },
    StatusCode: 200,
    Payload: Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)) as never,
    LogResult: Buffer.from(log).toString('base64'),
    ...(functionError && { FunctionError: functionError }),
  };
}
