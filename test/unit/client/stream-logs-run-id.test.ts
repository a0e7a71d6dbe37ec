import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LogEvent } from '../../../src/client/log/log-event.js';
import type { MapRun } from '../../../src/client/map/run.js';
import { type StreamLogsOptions, streamLogs } from '../../../src/client/stream-logs.js';
import { type S3Engine, startS3Engine } from '../../support/s3-engine.js';
import { answer, response } from './answers.js';
import { awsError } from './fixtures.js';
import { invocation, logGroup, collect as logOf } from './log-group.js';
import { aws, collect, names } from './mapped-bucket.js';
import { queuedBucket } from './queued-bucket.js';

let folder: string;
let s3: S3Engine;
beforeAll(async () => {
  s3 = await startS3Engine();
});
afterAll(() => s3.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scar-logs-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A log of a foreign invocation and so many of a run, `r0`, `r1` and so on. */
const groupOf = (count: number, from = Date.now()) =>
  logGroup([
    ...invocation('foreign', from, 'elsewhere'),
    ...Array.from({ length: count }, (_, n) => invocation(`r${n}`, from + 10 * n, `s${n % 3}`)).flat(),
  ]);

/** Which invocations were told, each with all of its four events, once. */
function told(events: readonly LogEvent[]): string[] {
  const ids = events.map(({ eventId = '' }) => eventId);
  expect(new Set(ids).size, 'events are told once').toBe(ids.length);
  const requests = [...new Set(ids.map((id) => id.slice(0, -2)))].toSorted();
  expect(ids.toSorted()).toEqual(requests.flatMap((id) => [0, 1, 2, 3].map((n) => `${id}-${n}`)));
  return requests;
}

/** A bucket whose invocations are `r0`, `r1` and so on. */
function numbered(count: number) {
  const bucket = aws({ objects: names(count) });
  let sent = 0;
  bucket.behaviour.invoke = async () => answer(response({ requestId: `r${sent++}` }), { log: '' });
  return bucket;
}

/** Iterates over an asynchronous run until its process may end, and leaves it. */
async function untilSent(run: MapRun): Promise<void> {
  const sent = new Promise((resolve) => run.on('sent', resolve));
  const loop = run[Symbol.asyncIterator]();
  await loop.next();
  await sent;
  await loop.return?.();
}

describe('streamLogs of a run by its ID', () => {
  it('tells the log of all that its journal has, when the run has ended', async () => {
    const bucket = numbered(5);
    const run = bucket.map({ journal: folder });
    await collect(run);
    const group = groupOf(7);
    expect(told(await logOf(group.read({ run: run.runId, journal: folder })))).toEqual(['r0', 'r1', 'r2', 'r3', 'r4']);
    expect(bucket.invoked()).toBe(5);
    expect(group.lambda.commandCalls(InvokeCommand)).toEqual([]);
  });

  it('and while another process has the run, of what it has by then', async () => {
    const bucket = numbered(20);
    const run = bucket.map({ journal: folder, concurrency: 1 });
    const loop = run[Symbol.asyncIterator]();
    await loop.next();
    const requests = told(await logOf(groupOf(20).read({ run: run.runId, journal: folder })));
    expect(requests.length).toBeGreaterThanOrEqual(1);
    expect(requests.length).toBeLessThan(20);
    await loop.return?.();
  });

  it('also of what was run again since', async () => {
    const bucket = numbered(3);
    const { invoke } = bucket.behaviour;
    const [outcome] = response().outcomes;
    bucket.behaviour.invoke = async () =>
      answer(
        response({
          requestId: 'r9',
          outcomes: [{ ...outcome, status: 'failed', reason: 'exit', message: 'no' } as never],
        }),
        { log: '' },
      );
    const run = bucket.map({ journal: folder, limit: 1 });
    await collect(run);
    bucket.behaviour.invoke = invoke;
    await collect(bucket.resume(run.runId, { journal: folder, retryFailed: true }));
    expect(told(await logOf(groupOf(10).read({ run: run.runId, journal: folder })))).toEqual(['r0', 'r9']);
  });

  it('looks from the beginning of the run', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-28T10:00:00Z') });
    try {
      const bucket = numbered(1);
      const run = bucket.map({ journal: folder });
      await collect(run);
      const group = groupOf(1);
      vi.setSystemTime(new Date('2026-11-30T10:00:00Z'));
      expect(told(await logOf(group.read({ run: run.runId, journal: folder })))).toEqual(['r0']);
      expect(group.requests()[0]?.startTime).toBe(Date.parse('2026-11-28T09:45:00Z'));
    } finally {
      vi.useRealTimers();
    }
  });

  it('tells that of an asynchronous run, and waits for what is in the queue', async () => {
    const queued = await queuedBucket(s3, names(6));
    queued.state.waiting = /000[24]/;
    queued.state.failing = /0004/;
    const run = queued.map({ retry: { failures: 1 }, completion: { minSuccessful: 6 } });
    await untilSent(run);
    const group = groupOf(6);
    const context = { ...queued.context, logs: group.context.logs };
    const events: LogEvent[] = [];
    for await (const event of streamLogs(context, 'gray', { run: run.runId, journal: queued.results })) {
      // All others have been told.
      if (events.push(event) === 4 * 4) queued.release();
    }
    expect(told(events)).toEqual(['r0', 'r1', 'r2', 'r3', 'r4', 'r5']);
    expect(queued.sent, 'who reads the log sends nothing').toHaveLength(6);
  });

  it('lets go of the run when it is left, and when the log cannot be read', async () => {
    const queued = await queuedBucket(s3, names(3));
    queued.state.waiting = /0002/;
    const run = queued.map();
    await untilSent(run);
    const group = groupOf(3);
    const context = { ...queued.context, logs: group.context.logs };
    const log = () => streamLogs(context, 'gray', { run: run.runId, journal: queued.results });
    for await (const _ of log()) break;
    expect(context.running.size).toBe(0);
    group.logs.on(FilterLogEventsCommand).rejects(awsError('AccessDeniedException', 'no', {}, 400));
    await expect(logOf(log())).rejects.toMatchObject({ code: 'permission-denied' });
    expect(context.running.size).toBe(0);
  });

  it('says what is wrong with the run or with its journal', async () => {
    const { read, context } = groupOf(1);
    const missing = logOf(read({ run: '20260101-000000-0', journal: folder }));
    await expect(missing).rejects.toMatchObject({ code: 'run-not-found', message: expect.stringContaining(folder) });
    const run = numbered(1).map({ journal: folder });
    await collect(run);
    const other = logOf(streamLogs(context, 'other', { run: run.runId, journal: folder }));
    await expect(other).rejects.toThrow(/^run must be a map of function other; received "one of gray"/);
    writeFileSync(join(folder, 'damaged.jsonl'), '{"scarMap":1,"functionName":"gray","options":{}}\nrubbish\n');
    await expect(logOf(read({ run: 'damaged', journal: folder }))).rejects.toMatchObject({ code: 'journal' });
  });

  it.each([
    [{ run: '../x', journal: true }, /^run must be the ID of a run/],
    [
      { run: 'x' },
      /^journal must say where the run is kept, with a run's ID; received nothing\. As mapOverBucket had it/,
    ],
    [{ run: 'x', journal: false }, /^journal must say where the run is kept/],
    [{ run: 'x', journal: { bucket: 'B' } }, /^journal.bucket must/],
    [{ journal: true }, /^journal must come with a run's ID as run/],
    [{ run: 'x', journal: true, follow: false }, /^follow must be true with run/],
    [{ run: 5 }, /^run must be what mapOverBucket returned, or its ID/],
  ])('refuses %j', (options, message) => {
    expect(() => groupOf(0).read(options as StreamLogsOptions)).toThrow(message);
  });
});

describe('streamLogs of a run that goes on with another', () => {
  it('tells the log of what a resumed run does, and not what its journal has', async () => {
    const bucket = numbered(6);
    const first = bucket.map({ journal: folder, concurrency: 1 });
    const loop = first[Symbol.asyncIterator]();
    await loop.next();
    await loop.return?.();
    const had = first.summary.succeeded;
    const group = groupOf(20);
    const run = bucket.resume(first.runId, { journal: folder });
    const log = logOf(group.read({ run }));
    const items = await collect(run);
    const ran = items.map(({ requestId }) => requestId).slice(had);
    expect(ran.length).toBeGreaterThan(0);
    expect(told(await log)).toEqual(ran.toSorted());
  });

  it('and of what comes in one that is attached to', async () => {
    const queued = await queuedBucket(s3, names(3));
    const sender = queued.map();
    await untilSent(sender);
    const run = queued.attach(sender.runId);
    const log = logOf(groupOf(3).read({ run }));
    await collect(run);
    expect(told(await log)).toEqual(['r0', 'r1', 'r2']);
  });

  it.each([
    { at: 'at its first result', had: 1 },
    { at: 'at its end, as all its results are there', had: 5 },
  ])("refuses another function's $at", async ({ had }) => {
    const bucket = numbered(5);
    const first = bucket.map({ journal: folder, concurrency: 1 });
    const loop = first[Symbol.asyncIterator]();
    for (let n = 0; n < had; n++) await loop.next();
    await loop.return?.();
    const run = bucket.resume(first.runId, { journal: folder });
    const { context, requests } = groupOf(5);
    const log = logOf(streamLogs(context, 'other', { run }));
    log.catch(() => {});
    await collect(run);
    await expect(log).rejects.toThrow(/^run must be a map of function other; received "one of gray"/);
    expect(requests()).toEqual([]);
  });

  it('ends with a run that never learns whose it is', async () => {
    const run = numbered(1).resume('20260101-000000-0', { journal: folder });
    const log = logOf(groupOf(1).read({ run }));
    await expect(collect(run)).rejects.toMatchObject({ code: 'run-not-found' });
    expect(await log).toEqual([]);
  });
});
