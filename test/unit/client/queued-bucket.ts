import {
  GetAccountSettingsCommand,
  GetFunctionConcurrencyCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
} from '@aws-sdk/client-lambda';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { objectStore } from '../../../src/aws/s3.js';
import { type AttachOptions, attachMap } from '../../../src/client/attach-map.js';
import type { ClientContext } from '../../../src/client/context.js';
import type { JournalLine } from '../../../src/client/map/journal/line.js';
import { openObjectsStore } from '../../../src/client/map/journal/place.js';
import type { MapOptions } from '../../../src/client/map/options.js';
import { mapOverBucket } from '../../../src/client/map-over-bucket.js';
import { type ResumeOptions, resumeMap } from '../../../src/client/resume-map.js';
import type { InvocationEvent } from '../../../src/contract/index.js';
import { sleep } from '../../../src/util/sleep.js';
import { parseEvent } from '../../../supervisor/event.js';
import { Environment, TIMEOUT_MS } from '../../support/faults/environment.js';
import type { S3Engine } from '../../support/s3-engine.js';
import { functionArn, mockedContext } from './fixtures.js';

let buckets = 0;

/**
 * Asynchronous runs over the engine's S3. Lambda answers as a test says; what is in its queue is served at once, by the supervisor's own way from
 * event to answer, around a container that does nothing.
 */
export async function queuedBucket({ client }: S3Engine, keys: readonly string[]) {
  const mocked = mockedContext();
  const { lambda } = mocked;
  const number = buckets++;
  const bucket = `files-${number}`;
  const results = { bucket: `results-${number}` };
  for (const Bucket of [bucket, results.bucket]) await client.send(new CreateBucketCommand({ Bucket }));
  for (const Key of keys) await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: new Uint8Array() }));

  lambda.on(GetFunctionConfigurationCommand).resolves({
    FunctionName: 'gray',
    FunctionArn: functionArn('gray'),
    MemorySize: 1024,
    Timeout: TIMEOUT_MS / 1000,
    State: 'Active',
  });
  lambda.on(GetFunctionConcurrencyCommand).resolves({});
  lambda
    .on(GetAccountSettingsCommand)
    .resolves({ AccountLimit: { ConcurrentExecutions: 1_000, UnreservedConcurrentExecutions: 1_000 } });

  const objects = objectStore(client);
  /** Objects whose containers fail, and those whose events stay in the queue. */
  const state = { failing: /^$/, waiting: /^$/ };
  const queue: (() => void)[] = [];
  /** Events that were sent, as object and key. */
  const sent: [object: string, key: string][] = [];
  /** Containers that ran, by key. */
  const ran: string[] = [];
  lambda.on(InvokeCommand).callsFake(async ({ Payload, InvocationType }) => {
    if (InvocationType !== 'Event') throw new Error('An asynchronous run queues its events');
    const event = JSON.parse(Buffer.from(Payload).toString()) as InvocationEvent;
    const { records } = parseEvent(event);
    const requestId = `r${sent.length}`;
    for (const { input, idempotencyKey } of records) sent.push([input?.key ?? '', idempotencyKey ?? '']);
    const object = records[0]?.input?.key ?? '';
    const serve = () => {
      const environment = new Environment('env-1', objects, (key) => ran.push(key));
      void environment.invoke(requestId, event, state.failing.test(object) ? { kind: 'exit' } : undefined);
    };
    if (state.waiting.test(object)) queue.push(serve);
    else serve();
    return { $metadata: { requestId }, StatusCode: 202 };
  });

  const context: ClientContext = {
    ...mocked.context,
    objects,
    // Answers take time here: the longest pauses would only be waited for.
    sleep: (ms, signal) => sleep(Math.min(ms, 20), signal),
    now: () => performance.now(),
  };
  const map = (more: Partial<MapOptions> = {}) =>
    mapOverBucket(context, 'gray', { bucket, mode: 'async', results, ...more });
  const resume = (runId: string, more: ResumeOptions = {}) => resumeMap(context, runId, { journal: results, ...more });
  const attach = (runId: string, more: Partial<AttachOptions> = {}) => attachMap(context, runId, { results, ...more });
  /** Takes all that waits from the queue. */
  const release = () => {
    for (const serve of queue.splice(0)) serve();
  };
  /** The lines of a run's journal. */
  const journal = async (runId: string) => {
    const lines: JournalLine[] = [];
    const store = openObjectsStore(objects, results, runId);
    for await (const line of store.lines(new AbortController().signal)) lines.push(JSON.parse(line));
    return lines;
  };
  return { ...mocked, context, bucket, results, objects, state, sent, ran, map, resume, attach, release, journal };
}
