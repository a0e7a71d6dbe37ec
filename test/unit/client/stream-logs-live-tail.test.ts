import {
  FilterLogEventsCommand,
  type LiveTailSessionLogEvent,
  StartLiveTailCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { describe, expect, it, vi } from 'vitest';
import type { LogEvent } from '../../../src/client/log/log-event.js';
import { streamLogs } from '../../../src/client/stream-logs.js';
import { awsError } from './fixtures.js';
import { collect, invocation, logGroup, take } from './log-group.js';

describe('streamLogs beside Live Tail', () => {
  const line = (message: string, timestamp = 10): LiveTailSessionLogEvent => ({
    message,
    timestamp,
    logStreamName: 's',
  });
  const told = (events: LogEvent[]) => events.map(({ message, eventId }) => [message, eventId]);

  it('tells what it brings at once, and not again when a pass finds it', async () => {
    const written = ['first\n', 'first\n', 'second', 'third'].map((message, n) => {
      return { id: `${n + 1}`, timestamp: 10, message, visible: Number.POSITIVE_INFINITY };
    });
    const { read, tail, logs } = logGroup([{ id: '0', timestamp: 1, message: 'old' }, ...written]);
    const stream = read({ follow: true, filter: '' })[Symbol.asyncIterator]();
    const next = async (count: number) => {
      const events: LogEvent[] = [];
      while (events.length < count) events.push((await stream.next()).value as LogEvent);
      return told(events);
    };
    expect(await next(1)).toEqual([['old', '0']]);
    const live = next(2);
    await tail.opened();
    // As often as it likes: twice the same line may be two lines, or one told twice.
    tail.sessions[0]?.bring(line('first\n'), line('first\n'), line('second'));
    tail.sessions[0]?.bring(line('first\n'));
    expect(await live).toEqual([
      ['first', undefined],
      ['second', undefined],
    ]);
    for (const event of written) event.visible = 0;
    expect(await next(2)).toEqual([
      ['first', '2'],
      ['third', '4'],
    ]);
    await stream.return?.();
    expect(logs.commandCalls(StartLiveTailCommand).map((call) => call.args[0].input)).toEqual([
      {
        logGroupIdentifiers: ['arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/gray'],
        logEventFilterPattern: '',
      },
    ]);
  });

  it('knows whose a line is, unless Live Tail left lines out', async () => {
    const { read, tail } = logGroup([{ id: '0', timestamp: 1, message: 'old' }]);
    const reading = take(read({ follow: true }), 7);
    await tail.opened();
    const [session] = tail.sessions;
    session?.bring(line('START RequestId: a Version: $LATEST'), line('of a', 11));
    const sessionResults = [line('of any', 12), line('END RequestId: a', 13)];
    session?.send({ sessionUpdate: { sessionMetadata: { sampled: true }, sessionResults } });
    session?.bring(line('START RequestId: b Version: $LATEST', 14), line('of b', 15));
    const events = await reading;
    expect(events.slice(1).map(({ requestId }) => requestId)).toEqual(['a', 'a', undefined, 'a', 'b', 'b']);
  });

  it('leaves to the passes what is after `until`, or older than they look', async () => {
    const now = Date.now();
    const { read, tail } = logGroup([{ id: '0', timestamp: now, message: 'now' }]);
    const reading = take(read({ follow: true, until: now + 60_000 }), 2);
    await tail.opened();
    tail.sessions[0]?.bring(line('too old', now - 31_000), line('too late', now + 60_001), line('last', now + 60_000));
    expect(told(await reading)).toEqual([
      ['now', '0'],
      ['last', undefined],
    ]);
  });

  it('opens another session when one breaks, and none after three hours', async () => {
    const found = { id: '1', timestamp: 20, message: 'by a pass', visible: Number.POSITIVE_INFINITY };
    const { read, tail, told: heard } = logGroup([{ id: '0', timestamp: 1, message: 'old' }, found]);
    const reading = take(read({ follow: true }), 3);
    await tail.opened();
    tail.sessions[0]?.send(awsError('SessionStreamingException', 'broken', { $metadata: undefined }));
    await vi.waitFor(() => expect(tail.sessions).toHaveLength(2));
    tail.sessions[1]?.bring(line('by Live Tail'));
    tail.sessions[1]?.send(awsError('SessionTimeoutException', 'three hours', { $metadata: undefined }));
    await vi.waitFor(() => expect(heard.warning).toHaveLength(1));
    found.visible = 0;
    expect(told(await reading)).toEqual([
      ['old', '0'],
      ['by Live Tail', undefined],
      ['by a pass', '1'],
    ]);
    expect(tail.sessions).toHaveLength(2);
    expect(heard.retry).toMatchObject([{ doing: 'open Live Tail for the log of gray', attempt: 2 }]);
    expect(heard.warning).toMatchObject([
      { code: 'live-tail-off', message: expect.stringMatching(/three hours at most/) },
    ]);
  });

  it('takes three hours in all, however many sessions that are', async () => {
    const { read, tail, told: heard } = logGroup([]);
    const abort = new AbortController();
    const reading = collect(read({ follow: true, signal: abort.signal }));
    await tail.opened();
    vi.useFakeTimers({ now: Date.now() + 2 * 60 * 60_000, toFake: ['Date'] });
    tail.sessions[0]?.send(awsError('Error', 'socket hang up', { $metadata: undefined, code: 'ECONNRESET' }));
    await vi.waitFor(() => expect(tail.sessions).toHaveLength(2));
    vi.setSystemTime(Date.now() + 61 * 60_000);
    tail.sessions[1]?.bring();
    await vi.waitFor(() => expect(heard.warning).toMatchObject([{ code: 'live-tail-off' }]));
    vi.useRealTimers();
    abort.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
  });

  const refusals: [string, Error, RegExp, number][] = [
    ['the permission is missing', awsError('AccessDeniedException', 'no'), /logs:StartLiveTail is missing/, 1],
    ['there are too many sessions', awsError('LimitExceededException', 'full'), /LimitExceededException: full/, 6],
    [
      'the class of the group has none',
      awsError('InvalidOperationException', 'IA'),
      /InvalidOperationException: IA/,
      1,
    ],
  ];
  it.each(refusals)('goes on by passes, after one warning, when %s', async (_, error, message, opened) => {
    const { context, logs, told: heard } = logGroup([]);
    const lines = Array.from({ length: 300 }, (_, n) => ({ eventId: `${n}`, timestamp: n, logStreamName: 's' }));
    let pass = 0;
    logs.on(FilterLogEventsCommand).callsFake(async () => ({ events: lines.slice(0, ++pass) }));
    logs.on(StartLiveTailCommand).rejects(error);
    expect(await take(streamLogs(context, 'gray', { follow: true }), 300)).toHaveLength(300);
    expect(heard.warning).toHaveLength(1);
    expect(heard.warning[0]).toMatchObject({ code: 'live-tail-off', message: expect.stringMatching(message) });
    expect(heard.warning[0]?.message).toMatch(/liveTail: 'never'/);
    expect(logs.commandCalls(StartLiveTailCommand)).toHaveLength(opened);
  });

  it('opens no session when it is told not to, or where it would be of no use', async () => {
    const { read, logs } = logGroup(invocation('a', 10, 's'));
    await take(read({ follow: true, liveTail: 'never' }), 4);
    await collect(read());
    await collect(read({ requestId: 'a', follow: true }));
    expect(logs.commandCalls(StartLiveTailCommand)).toHaveLength(0);
  });
});
