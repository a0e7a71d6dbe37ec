import {
  GetAccountSettingsCommand,
  GetFunctionConcurrencyCommand,
  InvokeCommand,
  type InvokeCommandInput,
} from '@aws-sdk/client-lambda';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LogEvent } from '../../../src/client/log/log-event.js';
import type { MapItem } from '../../../src/client/map/item.js';
import type { MapOptions } from '../../../src/client/map/options.js';
import { mapOverBucket } from '../../../src/client/map-over-bucket.js';
import { type StreamLogsOptions, streamLogs } from '../../../src/client/stream-logs.js';
import { answer, response } from './answers.js';
import { awsError } from './fixtures.js';
import { collect, invocation, logGroup, type Written } from './log-group.js';

/**
 * A map over so many objects of a function whose log has them and others. What CloudWatch has of them is `late` by passes.
 */
function mapped(count: number, { late = 0, fails }: { late?: number; fails?: Error } = {}) {
  const group = logGroup([...invocation('foreign', Date.now(), 's0')]);
  const { lambda, s3, events, state, context } = group;
  s3.on(ListObjectsV2Command).resolves({
    Contents: Array.from({ length: count }, (_, n) => ({ Key: `${n}`, Size: 1 })),
  });
  lambda.on(GetFunctionConcurrencyCommand).resolves({});
  lambda.on(GetAccountSettingsCommand).resolves({
    AccountLimit: { ConcurrentExecutions: 1_000, UnreservedConcurrentExecutions: 1_000 },
  });
  let sent = 0;
  lambda.on(InvokeCommand).callsFake(async (_: InvokeCommandInput) => {
    const requestId = `r${sent++}`;
    if (fails && requestId === 'r1') throw fails;
    // Each environment serves one after the other.
    const written = invocation(requestId, Date.now() + 10 * sent, `s${sent % 3}`, Math.max(0, state.pass) + late);
    events.push(...written);
    const log = written.map(({ message }) => message).join('');
    return answer(response({ requestId, environmentId: `s${sent % 3}` }), { log });
  });
  const map = (options: Partial<MapOptions> = {}) =>
    mapOverBucket(context, 'gray', { bucket: 'files', concurrency: 1, ...options });
  const log = (options: StreamLogsOptions) => streamLogs(context, 'gray', options);
  return { ...group, map, log };
}

/** Iterates a run to its end. */
async function items(run: AsyncIterable<MapItem>): Promise<MapItem[]> {
  const all: MapItem[] = [];
  for await (const item of run) all.push(item);
  return all;
}

describe('streamLogs of a run', () => {
  afterEach(() => void vi.useRealTimers());

  it.each([0, 3])('tells every event of its invocations once, and no others, %d passes late', async (late) => {
    const { map, log } = mapped(8, { late });
    const run = map();
    const reading = collect(log({ run }));
    const results = await items(run);
    const events = await reading;
    const ids = results.flatMap(({ requestId }) => [0, 1, 2, 3].map((n) => `${requestId}-${n}`));
    expect(events.map(({ eventId }) => eventId).toSorted()).toEqual(ids.toSorted());
    expect(events.every(({ eventId, requestId }) => eventId?.startsWith(`${requestId}-`))).toBe(true);
    expect(results).toHaveLength(8);
  });

  it('tells them while the loop goes on, and to the end of a loop that is left', async () => {
    const { map, log } = mapped(20);
    const run = map();
    const events = log({ run })[Symbol.asyncIterator]();
    const loop = run[Symbol.asyncIterator]();
    const first = events.next();
    const { requestId } = (await loop.next()).value as MapItem;
    expect(((await first).value as LogEvent).requestId).toBe(requestId);
    const { succeeded } = run.summary;
    expect(succeeded, 'nothing is read far ahead').toBeLessThan(20);
    await loop.return?.();
    let told = 1;
    while (!(await events.next()).done) told++;
    expect(told).toBe(4 * run.summary.succeeded);
  });

  it('asks for nothing before there is a result, and for what a failed run left to be told', async () => {
    const { map, log, requests } = mapped(3);
    const run = map({ limit: 1 });
    const reading = collect(log({ run }));
    for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
    expect(requests()).toEqual([]);
    await items(run);
    expect(await reading).toHaveLength(4);
    const { map: another, log: its } = mapped(3, { fails: awsError('ResourceNotFoundException', 'deleted') });
    const failing = another();
    const events = collect(its({ run: failing }));
    await items(failing).catch(() => {});
    expect((await events).length % 4).toBe(0);
  });

  it('throws when a report does not come', async () => {
    const { map, events, context } = mapped(1);
    const run = map();
    const { sleep } = context;
    vi.useFakeTimers({ toFake: ['Date'] });
    const patient = {
      ...context,
      sleep: async (ms: number, signal?: AbortSignal) => {
        vi.setSystemTime(Date.now() + 60_000);
        await sleep(ms, signal);
      },
    };
    const reading = collect(streamLogs(patient, 'gray', { run }));
    const push = events.push.bind(events);
    events.push = (...written: Written[]) => push(...written.filter(({ message }) => !message.startsWith('REPORT')));
    await items(run);
    await expect(reading).rejects.toMatchObject({ code: 'log-cut', context: { requestId: 'r0' } });
  });

  it('lets go of the run when it is left', async () => {
    const { map, log } = mapped(2);
    const run = map();
    const events = log({ run })[Symbol.asyncIterator]();
    const waiting = events.next();
    await items(run);
    await waiting;
    await events.return?.();
    expect(run.listenerCount('result') + run.listenerCount('end')).toBe(0);
  });

  it('refuses a run that has begun, another function, and what would cut it', async () => {
    const { map, log, context } = mapped(1);
    const run = map();
    expect(() => streamLogs(context, 'other', { run })).toThrow(
      /^run must be a map of function other; received "one of gray"/,
    );
    expect(() => log({ run, follow: false })).toThrow(/^follow must be true with run/);
    expect(() => log({ run, since: 1 })).toThrow(/^since must not come with run/);
    await items(run);
    expect(() => log({ run })).toThrow(/^run must not have begun.*before the loop over the map begins/);
  });
});
