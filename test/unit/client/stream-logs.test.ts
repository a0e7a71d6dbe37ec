import { getEventListeners } from 'node:events';
import { FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { GetFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { streamLogs } from '../../../src/client/stream-logs.js';
import { ScarError } from '../../../src/errors.js';
import { awsError } from './fixtures.js';
import { collect, invocation, logGroup, take, type Written } from './log-group.js';

describe('streamLogs', () => {
  it('tells every event of every page once, with its invocation and its report', async () => {
    const { read, requests } = logGroup([...invocation('a', 10, 's1'), ...invocation('b', 11, 's2')], { pageSize: 3 });
    const events = await collect(read());
    expect(events.map(({ eventId, requestId }) => [eventId, requestId])).toEqual([
      ['a-0', 'a'],
      ['a-1', 'a'],
      ['b-0', 'b'],
      ['a-2', 'a'],
      ['b-1', 'b'],
      ['a-3', 'a'],
      ['b-2', 'b'],
      ['b-3', 'b'],
    ]);
    expect(events[1]).toEqual({ message: 'hello from a', timestamp: 11, stream: 's1', eventId: 'a-1', requestId: 'a' });
    expect(events.at(-1)?.report).toEqual({
      requestId: 'b',
      durationMs: 12.34,
      billedMs: 13,
      memoryMiB: 512,
      maxMemoryMiB: 40,
      initMs: 99.1,
    });
    expect(requests()).toHaveLength(3);
    expect(requests()[0]).toMatchObject({ logGroupName: '/aws/lambda/gray' });
  });

  it('leaves the request ID out where it is not known', async () => {
    const uuid = '0191e5e0-1111-7222-8333-444455556666';
    const { read } = logGroup([
      { id: '1', timestamp: 1, message: 'INIT_START Runtime Version: nodejs:22' },
      { id: '2', timestamp: 2, message: `2026-11-23T10:00:00.000Z\t${uuid}\tINFO\thello` },
    ]);
    const events = await collect(read());
    expect(events[0]).not.toHaveProperty('requestId');
    expect(events[1]?.requestId).toBe(uuid);
  });

  it('reads every option', async () => {
    const { read, requests, slept } = logGroup([{ id: '1', timestamp: 5_000, message: 'ERROR x' }]);
    const options = { since: new Date(1_000), until: 9_000, filter: 'ERROR', follow: true, pollIntervalMs: 250 };
    expect(await collect(read(options))).toHaveLength(1);
    expect(requests()[0]).toMatchObject({ startTime: 1_000, endTime: 9_000, filterPattern: 'ERROR' });
    const ends = logGroup([1, 2, 3, 4].map((timestamp) => ({ id: `${timestamp}`, timestamp, message: 'x' })));
    const times = (await collect(ends.read({ since: 2, until: 3 }))).map((event) => event.timestamp);
    expect(times, 'both included').toEqual([2, 3]);
    const endless = logGroup([
      { id: '1', timestamp: 1, message: 'a' },
      { id: '2', timestamp: 2, message: 'b', visible: 3 },
    ]);
    await take(endless.read({ follow: true, pollIntervalMs: 250, liveTail: 'never' }), 2);
    expect(endless.slept, 'longer while there is nothing').toEqual([250, 250, 375]);
    expect(slept, '`until` has passed long ago: one pass is complete').toEqual([]);
  });

  it('tells what comes late and out of order, once', async () => {
    const { read } = logGroup([
      { id: '1', timestamp: 100_000, message: 'first' },
      { id: '2', timestamp: 120_000, message: 'second' },
      { id: '3', timestamp: 110_000, message: 'late', visible: 1 },
      { id: '4', timestamp: 91_000, message: 'very late', visible: 2 },
      { id: '5', timestamp: 160_000, message: 'third', visible: 3 },
      { id: '6', timestamp: 131_000, message: 'late again', visible: 4 },
      { id: '7', timestamp: 170_000, message: 'last', visible: 6 },
    ]);
    const events = await take(read({ follow: true }), 7);
    expect(events.map(({ eventId }) => eventId)).toEqual(['1', '2', '3', '4', '5', '6', '7']);
  });

  it('asks again only for the end of what it knows', async () => {
    const { read, requests } = logGroup([
      { id: '1', timestamp: 100_000, message: 'first' },
      { id: '2', timestamp: 200_000, message: 'second' },
      { id: '3', timestamp: 200_001, message: 'third', visible: 1 },
    ]);
    await take(read({ follow: true, since: 5 }), 3);
    expect(requests().map(({ startTime }) => startTime)).toEqual([5, 170_000]);
  });

  it('is not led astray by a time in the future', async () => {
    const future = Date.now() + 3_600_000;
    const { read } = logGroup([
      { id: '1', timestamp: future, message: 'from the future' },
      { id: '2', timestamp: Date.now(), message: 'now', visible: 1 },
    ]);
    expect((await take(read({ follow: true }), 2)).map(({ eventId }) => eventId)).toEqual(['1', '2']);
  });

  it('waits for a log group that is not there yet, as long as the function is', async () => {
    const { read, logs, lambda } = logGroup([]);
    logs
      .on(FilterLogEventsCommand)
      .rejectsOnce(awsError('ResourceNotFoundException'))
      .resolves({ events: [{ eventId: '1', timestamp: 1, message: 'there', logStreamName: 's' }] });
    expect(await take(read({ follow: true }), 1)).toHaveLength(1);
    logs.on(FilterLogEventsCommand).rejects(awsError('ResourceNotFoundException'));
    expect(await collect(read())).toEqual([]);
    lambda.on(GetFunctionConfigurationCommand).rejects(awsError('ResourceNotFoundException'));
    await expect(collect(read({ follow: true }))).rejects.toMatchObject({ code: 'function-not-found' });
    await expect(collect(read())).rejects.toMatchObject({ code: 'function-not-found' });
  });

  it('gets over throttles while it follows, and loses and doubles nothing', async () => {
    const { read, logs, events, context } = logGroup([]);
    for (let n = 0; n < 10; n++) events.push({ id: `${n}`, timestamp: n * 1000, message: `line ${n}` });
    let calls = 0;
    const page = (from: number) => ({
      events: events
        .slice(from, from + 4)
        .map(({ id, timestamp, message }) => ({ eventId: id, timestamp, message, logStreamName: 's' })),
      ...(from + 4 < 10 && { nextToken: String(from + 4) }),
    });
    logs.on(FilterLogEventsCommand).callsFake(async (input) => {
      if (++calls === 2 || calls === 5) throw awsError('ThrottlingException', 'Rate exceeded');
      return page(Number(input.nextToken ?? 0));
    });
    const got = await take(streamLogs(context, 'gray', { follow: true }), 10);
    expect(got.map(({ eventId }) => Number(eventId))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    calls = 1;
    await expect(collect(read())).rejects.toMatchObject({ code: 'throttled' });
  });

  it('names the permission that is missing', async () => {
    const { read, logs } = logGroup([]);
    logs.on(FilterLogEventsCommand).rejects(awsError('AccessDeniedException', 'no'));
    await expect(collect(read())).rejects.toThrow(/logs:FilterLogEvents/);
  });
});

describe('streamLogs of one invocation', () => {
  it('reads only its stream, from its start to its report', async () => {
    const { read, requests } = logGroup([
      ...invocation('a', 10, 's1'),
      ...invocation('b', 20, 's1'),
      ...invocation('c', 20, 's2'),
    ]);
    const events = await collect(read({ requestId: 'b' }));
    expect(events.map(({ eventId }) => eventId)).toEqual(['b-0', 'b-1', 'b-2', 'b-3']);
    expect(requests()).toMatchObject([{ filterPattern: '"b"' }, { logStreamNames: ['s1'], startTime: 20 }]);
  });

  it('ends when the log has nothing of it', async () => {
    expect(await collect(logGroup(invocation('a', 10, 's1')).read({ requestId: 'zz' }))).toEqual([]);
  });

  it('waits for its start, its output and its report, takes what comes after the report, and ends', async () => {
    const [start, output, end, report] = invocation('a', 10, 's1', 2);
    const late = { id: 'late', timestamp: 11, message: 'late\n', stream: 's1', visible: 7 };
    const written = [
      start,
      { ...output, visible: 4 },
      { ...end, visible: 6 },
      { ...report, visible: 6 },
      late,
    ] as Written[];
    const { read } = logGroup(written);
    const events = await collect(read({ requestId: 'a', follow: true }));
    expect(events.map(({ eventId }) => eventId).toSorted()).toEqual(['a-0', 'a-1', 'a-2', 'a-3', 'late']);
  });
});

describe('streamLogs of one result', () => {
  const tailOf = (written: readonly Written[]) => written.map(({ message }) => message).join('');
  const itemOf = (requestId: string, written: readonly Written[]) => ({
    requestId,
    environmentId: 's1',
    logs: tailOf(written),
  });

  it('searches its environment alone, and ends when all lines of its tail have come', async () => {
    const written = invocation('b', 20, 's1');
    const { read, requests } = logGroup([...invocation('a', 10, 's1'), ...written, ...invocation('c', 20, 's2')]);
    const events = await collect(read({ item: itemOf('b', written) }));
    expect(events.map(({ eventId }) => eventId)).toEqual(['b-0', 'b-1', 'b-2', 'b-3']);
    expect(requests(), 'no pass more than is needed').toMatchObject([
      { filterPattern: '"b"', logStreamNames: ['s1'] },
      { logStreamNames: ['s1'], startTime: 20 },
    ]);
  });

  it('does not end before the lines of its tail have come, though the report has', async () => {
    const written = invocation('b', 20, 's1');
    (written[1] as Written).visible = 9;
    const { read } = logGroup(written);
    const events = await collect(read({ item: itemOf('b', written) }));
    expect(events.map(({ eventId }) => eventId)).toEqual(['b-0', 'b-2', 'b-3', 'b-1']);
  });

  it('takes what a tail that was cut does not show from one more pass', async () => {
    const written = invocation('b', 20, 's1');
    (written[1] as Written).visible = 2;
    const { read, requests } = logGroup(written);
    const item = { requestId: 'b', environmentId: '', logs: tailOf(written).slice(-250) };
    expect(await collect(read({ item }))).toHaveLength(4);
    expect(requests()).toHaveLength(3);
    expect(requests()[0]).toMatchObject({ logStreamNames: undefined });
  });

  it('has nothing to tell of what never ran', async () => {
    const { read, requests } = logGroup([]);
    expect(await collect(read({ item: { requestId: '', environmentId: '', logs: '' } }))).toEqual([]);
    expect(requests()).toEqual([]);
  });

  describe('whose log does not come', () => {
    afterEach(() => void vi.useRealTimers());
    /** Lets a minute pass with every wait. */
    function minutesPass({ context }: Pick<ReturnType<typeof logGroup>, 'context'>) {
      vi.useFakeTimers({ toFake: ['Date'] });
      const { sleep } = context;
      return {
        ...context,
        sleep: async (ms: number, signal?: AbortSignal) => {
          vi.setSystemTime(Date.now() + 60_000);
          await sleep(ms, signal);
        },
      };
    }

    it.each([
      ['at all', []],
      ['to its end', invocation('b', 20, 's1').slice(0, 3)],
    ])('%s: throws after minutes, and says what to look at', async (_, written) => {
      const group = logGroup(written);
      const item = itemOf('b', invocation('b', 20, 's1'));
      const reading = collect(streamLogs(minutesPass(group), 'gray', { item }));
      await expect(reading).rejects.toThrow(/did not come to its end in 5 minutes.*logs:PutLogEvents/);
      await expect(reading).rejects.toMatchObject({ code: 'log-cut', context: { requestId: 'b' } });
    });

    it('but for lines that only its tail has: ends, and tells how many', async () => {
      const written = invocation('b', 20, 's1');
      const group = logGroup(written.filter((_, n) => n !== 1));
      const item = itemOf('b', written);
      expect(await collect(streamLogs(minutesPass(group), 'gray', { item }))).toHaveLength(3);
      expect(group.told.warning).toMatchObject([{ code: 'log-incomplete', context: { requestId: 'b', missing: 1 } }]);
    });
  });
});

describe('a log that is cut', () => {
  const lines = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ id: `${n}`, timestamp: n, message: 'x' }));

  it.each([
    ['while it is followed', true, undefined],
    ['in the middle of a pass', false, 'next'],
  ])('throws when its group is deleted %s', async (_, follow, nextToken) => {
    const { read, logs } = logGroup([]);
    const events = [{ eventId: '1', timestamp: 1, message: 'x', logStreamName: 's' }];
    logs.on(FilterLogEventsCommand).resolvesOnce({ events, nextToken }).rejects(awsError('ResourceNotFoundException'));
    const message = expect.stringMatching(/was deleted while it was read/);
    await expect(collect(read({ follow }))).rejects.toMatchObject({ code: 'log-cut', message });
  });

  it.each([true, false])('begins the pass again when its token has expired: follow %s', async (follow) => {
    const { context, logs } = logGroup([]);
    const events = lines(6).map(({ id, ...event }) => ({ ...event, eventId: id, logStreamName: 's' }));
    let calls = 0;
    logs.on(FilterLogEventsCommand).callsFake(async ({ nextToken }) => {
      if (++calls === 2) throw awsError('InvalidParameterException', 'The specified nextToken is invalid.');
      return nextToken ? { events: events.slice(3) } : { events: events.slice(0, 3), nextToken: 'next' };
    });
    const told = await take(streamLogs(context, 'gray', { follow, liveTail: 'never' }), 6);
    expect(told.map(({ eventId }) => eventId)).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(calls).toBe(4);
  });

  it('goes on after answers of 5xx, more and more slowly, and throws when they do not end', async () => {
    const { context, logs, slept, told } = logGroup([]);
    logs.on(FilterLogEventsCommand).rejects(awsError('ServiceUnavailableException', 'down', {}, 503));
    const reading = collect(streamLogs(context, 'gray', { follow: true, liveTail: 'never' }));
    await expect(reading).rejects.toMatchObject({ code: 'service', retryable: true });
    // Twice as long each time, and 10 s at most; the test's random number is 0.5.
    expect(slept).toEqual([2_000, 4_000, 8_000, 10_000, 10_000, 10_000, 10_000, 10_000]);
    expect(told.retry.map(({ attempt }) => attempt)).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

describe('the iterator of streamLogs', () => {
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it('is lazy', async () => {
    const { read, requests } = logGroup([{ id: '1', timestamp: 1, message: 'a' }]);
    const stream = read();
    await turn();
    expect(requests()).toHaveLength(0);
    await collect(stream);
    expect(requests()).toHaveLength(1);
  });

  it('holds one page, and asks for the next when it is used up', async () => {
    const events = Array.from({ length: 9 }, (_, n) => ({ id: `${n}`, timestamp: n, message: `${n}` }));
    const { read, requests } = logGroup(events, { pageSize: 3 });
    const iterator = read()[Symbol.asyncIterator]();
    for (let n = 0; n < 3; n++) await iterator.next();
    for (let n = 0; n < 20; n++) await turn();
    expect(requests()).toHaveLength(1);
    await iterator.next();
    expect(requests()).toHaveLength(2);
    await iterator.return?.();
  });

  it('asks for nothing more after break', async () => {
    const { read, requests, context } = logGroup([{ id: '1', timestamp: 1, message: 'a' }]);
    await take(read({ follow: true }), 1);
    const before = requests().length;
    for (let n = 0; n < 20; n++) await turn();
    expect(requests()).toHaveLength(before);
    expect(getEventListeners(context.closing, 'abort')).toHaveLength(0);
    expect(context.running.size).toBe(0);
  });

  it("throws the signal's reason on abort while it waits, and never ends quietly", async () => {
    const { read } = logGroup([{ id: '1', timestamp: 1, message: 'a' }]);
    const abort = new AbortController();
    const iterator = read({ follow: true, signal: abort.signal })[Symbol.asyncIterator]();
    await iterator.next();
    const waiting = iterator.next();
    const reason = new Error('enough');
    setTimeout(() => abort.abort(reason), 5);
    await expect(waiting).rejects.toBe(reason);
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  it("throws the signal's reason on abort in the middle of a page", async () => {
    const { read } = logGroup([
      { id: '1', timestamp: 1, message: 'a' },
      { id: '2', timestamp: 2, message: 'b' },
    ]);
    const abort = new AbortController();
    const iterator = read({ signal: abort.signal })[Symbol.asyncIterator]();
    await iterator.next();
    abort.abort(new Error('enough'));
    await expect(iterator.next()).rejects.toThrow('enough');
  });

  it('throws `aborted` when the client closes', async () => {
    const { read, closing } = logGroup([]);
    const waiting = collect(read({ follow: true }));
    setTimeout(() => closing.abort(new ScarError('aborted', 'closed')), 5);
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
  });

  it('ends a wait when the consumer returns', async () => {
    const { read } = logGroup([]);
    const iterator = read({ follow: true })[Symbol.asyncIterator]();
    const waiting = iterator.next();
    await turn();
    const returned = iterator.return?.();
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
    expect(await returned).toEqual({ done: true, value: undefined });
  });

  it('can be iterated once', async () => {
    const stream = logGroup([]).read();
    await collect(stream);
    await expect(collect(stream)).rejects.toMatchObject({ code: 'invalid-option' });
  });

  const bad: [string, Record<string, unknown>, RegExp][] = [
    ['an option that it has not', { tail: true }, /streamLogs must have only the options/],
    ['a date that is none', { since: new Date('x') }, /^since must be a date, or ms since 1970/],
    ['an ID with a quote', { requestId: 'a" "b' }, /^requestId must be Lambda's ID/],
    ['a filter of one invocation', { requestId: 'a', filter: 'x' }, /^filter must not come with requestId/],
    ['polling without a pause', { pollIntervalMs: 0 }, /^pollIntervalMs must be an integer from 100 to 60000/],
    ['follow as a word', { follow: 'yes' }, /^follow must be true or false/],
  ];
  const item = { requestId: 'a', environmentId: 's', logs: '' };
  const others: [string, Record<string, unknown>, RegExp][] = [
    ['two selections', { requestId: 'a', item }, /^item must not come with requestId/],
    ['an item that is none', { item: { key: 'x' } }, /^item must be the result of an invocation/],
    ['a run that is none', { run: {} }, /^run must be what mapOverBucket returned/],
    ['a filter of an item', { item, filter: 'x' }, /^filter must not come with item/],
    ['another Live Tail', { liveTail: true }, /^liveTail must be 'auto' or 'never'/],
  ];
  it.each([...bad, ...others])('refuses %s at once', (_, options, message) => {
    expect(() => logGroup([]).read(options)).toThrow(message);
  });
});
