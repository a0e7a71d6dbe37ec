import { InvokeCommand } from '@aws-sdk/client-lambda';
import { describe, expect, it } from 'vitest';
import { type InvokeOptions, invoke } from '../../../src/client/invoke.js';
import { ScarError } from '../../../src/errors.js';
import { answer, REPORT, response } from './answers.js';
import { awsError, mockedContext } from './fixtures.js';

function ready() {
  const aws = mockedContext();
  aws.lambda.on(InvokeCommand).resolves(answer(response()));
  const event = (call = 0) =>
    JSON.parse(
      Buffer.from((aws.lambda.commandCalls(InvokeCommand)[call]?.args[0].input.Payload ?? '') as Buffer).toString(),
    );
  return { ...aws, event };
}

describe('invoke', () => {
  it('gives the outcome with what Lambda reports', async () => {
    const { context, lambda } = ready();
    const result = await invoke(context, 'gray');
    expect(result).toEqual({
      status: 'succeeded',
      requestId: 'r-1',
      environmentId: 'env-1',
      coldStart: false,
      pulled: false,
      runner: 'in-process',
      exitCode: 0,
      signal: null,
      outputs: [],
      stdout: { text: 'hello\n', bytes: 6 },
      stderr: { text: '', bytes: 0 },
      timings: { pullMs: 0, stageInMs: 1, containerMs: 2, stageOutMs: 3 },
      repeated: false,
      billedMs: 100,
      maxMemoryMiB: 77,
      logs: REPORT,
      attempts: 1,
    });
    expect(lambda.commandCalls(InvokeCommand)[0]?.args[0].input).toMatchObject({
      FunctionName: 'gray',
      LogType: 'Tail',
    });
  });

  it('says when the answer is that of an earlier invocation', async () => {
    const { context, lambda } = ready();
    const { outcomes, ...rest } = response();
    lambda
      .on(InvokeCommand)
      .resolves(answer({ ...rest, outcomes: outcomes.map((outcome) => ({ ...outcome, repeated: true })) }));
    expect(await invoke(context, 'gray')).toMatchObject({ status: 'succeeded', repeated: true });
  });

  it('reads every option', async () => {
    const { context, event } = ready();
    await invoke(context, 'gray', {
      script: { inline: 'echo $A' },
      args: ['-v'],
      environment: { A: 'b' },
      output: [{ bucket: 'results', suffixes: ['.txt'] }],
      input: { bucket: 'photos', key: 'a b+ü/(1).jpg', bytes: 5, versionId: 'v1' },
    });
    expect(event()).toEqual({
      Records: [
        {
          eventSource: 'aws:s3',
          eventName: 'ObjectCreated:Put',
          eventTime: expect.stringMatching(/^\d{4}-.*Z$/),
          awsRegion: 'eu-west-1',
          s3: {
            bucket: { name: 'photos' },
            object: { key: 'a+b%2B%C3%BC/%281%29.jpg', size: 5, versionId: 'v1' },
          },
        },
      ],
      scar: {
        version: 1,
        script: 'echo $A',
        args: ['-v'],
        environment: { A: 'b' },
        output: [{ bucket: 'results', prefix: 'output/', suffixes: ['.txt'] }],
      },
    });
  });

  it('asks for the failure as data, also with nothing else to say', async () => {
    const { context, event } = ready();
    await invoke(context, 'gray');
    expect(event()).toEqual({ scar: { version: 1 } });
  });

  it('gives the failure of a container as data', async () => {
    const { context, lambda } = ready();
    const [outcome] = response().outcomes;
    const failed = { ...outcome, status: 'failed', reason: 'exit', exitCode: 3, message: 'Exit code 3' };
    lambda.on(InvokeCommand).resolves(answer({ ...response(), outcomes: [failed] }));
    const result = await invoke(context, 'gray');
    expect(result).toMatchObject({ status: 'failed', reason: 'exit', exitCode: 3, stdout: { text: 'hello\n' } });
    expect(result.error).toMatchObject({ code: 'invocation-failed', context: { functionName: 'gray', exitCode: 3 } });
    expect(result.error?.message).toBe('Exit code 3');
  });

  const ends: [string, unknown, string, string, RegExp][] = [
    [
      'its time',
      { errorType: 'Sandbox.Timedout', errorMessage: 'RequestId: r Error: Task timed out after 3.00 seconds' },
      'Unhandled',
      'timeout',
      /timeoutSeconds/,
    ],
    [
      'its time, as older Lambdas say it',
      { errorMessage: '2026-01-01 r Task timed out after 3.00 seconds' },
      'Unhandled',
      'timeout',
      /3\.00 s/,
    ],
    [
      'its memory',
      { errorType: 'Runtime.ExitError', errorMessage: 'RequestId: r Error: Runtime exited with error: signal: killed' },
      'Unhandled',
      'out-of-memory',
      /at most 77 MiB in use.*Raise memoryMiB/,
    ],
    [
      'a crash',
      { errorType: 'Runtime.ExitError', errorMessage: 'exit status 1' },
      'Unhandled',
      'function-error',
      /exit status 1/,
    ],
    ['no JSON', 'gibberish', 'Unhandled', 'function-error', /gibberish/],
  ];
  it.each(ends)('tells that Lambda ended it for %s', async (_, payload, functionError, reason, message) => {
    const { context, lambda } = ready();
    lambda.on(InvokeCommand).resolves(answer(payload, { functionError }));
    const result = await invoke(context, 'gray');
    expect(result).toMatchObject({ status: 'failed', reason, billedMs: 100, requestId: 'r-1' });
    expect(result.error?.message).toMatch(message);
    expect(lambda.commandCalls(InvokeCommand), 'it ran: it is not repeated').toHaveLength(1);
  });

  it.each([['{"hello":1}'], ['null'], ['[]'], ['"x"'], ['{"scar":1,"outcomes":[]}'], ['not json']])(
    'does not take %s for an answer of ours',
    async (payload) => {
      const { context, lambda } = ready();
      lambda.on(InvokeCommand).resolves(answer(payload));
      const result = await invoke(context, 'gray');
      expect(result).toMatchObject({ status: 'failed', reason: 'response' });
    },
  );

  it('does without a report', async () => {
    const { context, lambda } = ready();
    lambda.on(InvokeCommand).resolves(answer(response(), { log: '' }));
    const result = await invoke(context, 'gray');
    expect(result).not.toHaveProperty('billedMs');
    expect(result.logs).toBe('');
  });
});

describe('invoke, when it cannot run', () => {
  it('waits for throttles to pass: with growing jitter, and no less than Retry-After', async () => {
    const { context, lambda, slept, events } = ready();
    const throttle = (fields = {}) => awsError('TooManyRequestsException', 'Rate Exceeded.', fields, 429);
    lambda
      .on(InvokeCommand)
      .rejectsOnce(throttle({ Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded' }))
      .rejectsOnce(throttle())
      .rejectsOnce(throttle({ retryAfterSeconds: '7' }))
      .resolves(answer(response()));
    expect(await invoke(context, 'gray')).toMatchObject({ status: 'succeeded', attempts: 4 });
    expect(slept).toEqual([200, 400, 7000]);
    expect(events.retry[0]?.error.context).toMatchObject({
      reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
    });
  });

  it('throws `throttled` beyond patience', async () => {
    const { context, lambda, slept } = ready();
    lambda.on(InvokeCommand).rejects(awsError('TooManyRequestsException', 'Rate Exceeded.', {}, 429));
    await expect(invoke(context, 'gray')).rejects.toMatchObject({ code: 'throttled', retryable: true });
    expect(slept.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(900_000);
    expect(slept.length).toBeGreaterThan(50);
  });

  const passing: [string, Error][] = [
    ['a connection reset', Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })],
    ['a timeout', Object.assign(new Error('timed out'), { name: 'TimeoutError' })],
    ['500', awsError('ServiceException', 'internal', {}, 500)],
    ['502', awsError('EC2ThrottledException', 'throttled', {}, 502)],
  ];
  it.each(passing)('tries again after %s, four times in all', async (_, error) => {
    const { context, lambda } = ready();
    lambda.on(InvokeCommand).rejectsOnce(error).resolves(answer(response()));
    expect(await invoke(context, 'gray')).toMatchObject({ status: 'succeeded', attempts: 2 });
    lambda.on(InvokeCommand).rejects(error);
    lambda.resetHistory();
    await expect(invoke(context, 'gray')).rejects.toMatchObject({ code: 'service' });
    expect(lambda.commandCalls(InvokeCommand)).toHaveLength(4);
  });

  const final: [string, Error, string][] = [
    [
      'there is no function',
      awsError('ResourceNotFoundException', 'Function not found', {}, 404),
      'function-not-found',
    ],
    ['the permission is missing', awsError('AccessDeniedException', 'no', {}, 403), 'permission-denied'],
    ['the request is wrong', awsError('InvalidRequestContentException', 'bad', {}, 400), 'service'],
  ];
  it.each(final)('gives up at once when %s', async (_, error, code) => {
    const { context, lambda } = ready();
    lambda.on(InvokeCommand).rejects(error);
    const thrown = await invoke(context, 'gray').catch((reason: unknown) => reason);
    expect(thrown).toBeInstanceOf(ScarError);
    expect(thrown).toMatchObject({ code });
    if (code === 'permission-denied') expect((thrown as Error).message).toContain('lambda:InvokeFunction');
    expect(lambda.commandCalls(InvokeCommand)).toHaveLength(1);
  });

  it("throws the signal's reason, also while it waits to try again", async () => {
    const { context, lambda } = ready();
    const abort = new AbortController();
    const reason = new Error('enough');
    lambda.on(InvokeCommand).callsFake(() => {
      setImmediate(() => abort.abort(reason));
      throw awsError('TooManyRequestsException', 'Rate Exceeded.', {}, 429);
    });
    await expect(invoke(context, 'gray', { signal: abort.signal })).rejects.toBe(reason);
  });

  it('ends with `aborted` when the client closes', async () => {
    const { context, lambda, closing } = ready();
    lambda.on(InvokeCommand).callsFake(() => {
      closing.abort(new ScarError('aborted', 'closed'));
      throw Object.assign(new Error('Request aborted'), { name: 'AbortError' });
    });
    await expect(invoke(context, 'gray')).rejects.toMatchObject({ code: 'aborted' });
    expect(context.running.size).toBe(0);
  });

  const bad: [string, Record<string, unknown>, RegExp][] = [
    ['an option that it has not', { key: 'a' }, /invoke must have only the options/],
    ['an input without a key', { input: { bucket: 'photos' } }, /^input\.key/],
    ['an input bucket that is none', { input: { bucket: 'P', key: 'k' } }, /^input\.bucket/],
    [
      'a script of 7 MB',
      { script: { inline: 'x'.repeat(7 << 20) } },
      /^script must leave the event within 6291456 bytes; received "7340\d{3} bytes"\. 7340034 of them are of script\. Put/,
    ],
    [
      'args of 7 MB',
      { args: ['x'.repeat(7 << 20)], script: { inline: 'x' } },
      /^args must leave the event within.*the input$/,
    ],
    ['an environment of 7 MB', { environment: { X: 'x'.repeat(7 << 20) } }, /^environment must leave the event within/],
    [
      'inputs of 7 MB',
      { inputs: Array.from({ length: 7_000 }, () => ({ bucket: 'photos', key: 'k'.repeat(1_000) })) },
      /^inputs must leave the event within .* of inputs\. Give fewer objects/,
    ],
    ['args that are none', { args: 'x' }, /^args must be an array/],
  ];
  it.each(bad)('refuses %s', async (_, options, message) => {
    const { context, lambda } = ready();
    await expect(async () => invoke(context, 'gray', options as InvokeOptions)).rejects.toThrow(message);
    expect(lambda.calls()).toHaveLength(0);
  });
});
