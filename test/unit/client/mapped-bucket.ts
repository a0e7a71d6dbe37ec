import {
  GetAccountSettingsCommand,
  GetFunctionConcurrencyCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
} from '@aws-sdk/client-lambda';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { ScarClientOptions } from '../../../src/client/config.js';
import type { MapOptions } from '../../../src/client/map/options.js';
import { mapOverBucket } from '../../../src/client/map-over-bucket.js';
import { type ResumeOptions, resumeMap } from '../../../src/client/resume-map.js';
import { decodeEventKey } from '../../../src/contract/index.js';
import { answer, response } from './answers.js';
import { functionArn, mockedContext } from './fixtures.js';

export const turn = () => new Promise((resolve) => setImmediate(resolve));
/** Long enough for everything that would go on by itself. */
export const idle = async () => {
  for (let n = 0; n < 50; n++) await turn();
};
export const names = (count: number) => Array.from({ length: count }, (_, n) => `in/${String(n).padStart(4, '0')}.jpg`);

export interface Bucket {
  /** Key to size; 1 by default. */
  objects: string[] | Record<string, number>;
  unreserved?: number;
  reserved?: number;
  architecture?: 'x86_64' | 'arm64';
  options?: ScarClientOptions;
}

/** A function, a bucket that is listed in pages as S3 does it, and invocations that the test may hold or fail. */
export function aws({ objects, unreserved = 1000, reserved, architecture, options = {} }: Bucket) {
  const mocked = mockedContext(options);
  const { lambda, s3 } = mocked;
  const entries = Array.isArray(objects) ? objects.map((key) => [key, 1] as const) : Object.entries(objects);
  lambda.on(GetFunctionConfigurationCommand).resolves({
    FunctionName: 'gray',
    FunctionArn: functionArn('gray'),
    MemorySize: 1024,
    ...(architecture && { Architectures: [architecture] }),
    State: 'Active',
  });
  lambda
    .on(GetFunctionConcurrencyCommand)
    .resolves(reserved === undefined ? {} : { ReservedConcurrentExecutions: reserved });
  lambda
    .on(GetAccountSettingsCommand)
    .resolves({ AccountLimit: { ConcurrentExecutions: 1000, UnreservedConcurrentExecutions: unreserved } });
  s3.on(ListObjectsV2Command).callsFake((input) => {
    const matching = entries.filter(([key]) => key.startsWith(input.Prefix ?? '') && key > (input.StartAfter ?? ''));
    const from = Number(input.ContinuationToken ?? 0);
    const to = from + (input.MaxKeys ?? 1000);
    const more = to < matching.length;
    return {
      Contents: matching.slice(from, to).map(([Key, Size]) => ({ Key, Size, ETag: '"etag"' })),
      IsTruncated: more,
      ...(more && { NextContinuationToken: String(to) }),
    };
  });
  const inFlight = { now: 0, most: 0 };
  /** Replaced by tests that hold or fail an invocation. */
  const behaviour = {
    invoke: async (_key: string, _signal: AbortSignal): Promise<unknown> =>
      answer(response({ requestId: `r-${lambda.commandCalls(InvokeCommand).length}` })),
  };
  lambda.on(InvokeCommand).callsFake(async (input) => {
    const event = JSON.parse(Buffer.from(input.Payload).toString());
    const key = decodeEventKey(event.Records[0].s3.object.key);
    const [, options] = (lambda.commandCalls(InvokeCommand).at(-1)?.args ?? []) as unknown[];
    const { abortSignal } = options as { abortSignal: AbortSignal };
    inFlight.most = Math.max(inFlight.most, ++inFlight.now);
    try {
      return await behaviour.invoke(key, abortSignal);
    } finally {
      inFlight.now--;
    }
  });
  const map = (more: Partial<MapOptions> = {}) => mapOverBucket(mocked.context, 'gray', { bucket: 'photos', ...more });
  const resume = (runId: string, more: ResumeOptions = {}) => resumeMap(mocked.context, runId, more);
  const invoked = () => lambda.commandCalls(InvokeCommand).length;
  const pages = () => s3.commandCalls(ListObjectsV2Command).length;
  return { ...mocked, map, resume, behaviour, inFlight, invoked, pages };
}

/** An invocation that ends only when its signal aborts, as the SDK's HTTP handler does it. */
export const hang = (_key: string, signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    const abort = () => reject(Object.assign(new Error('Request aborted'), { name: 'AbortError' }));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  });

export async function collect<Item>(run: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of run) items.push(item);
  return items;
}
