import {
  FilterLogEventsCommand,
  type LiveTailSessionLogEvent,
  StartLiveTailCommand,
  type StartLiveTailResponseStream,
} from '@aws-sdk/client-cloudwatch-logs';
import { GetFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { expect, vi } from 'vitest';
import type { LogEvent } from '../../../src/client/log/log-event.js';
import type { LogStream } from '../../../src/client/log/log-stream.js';
import { type StreamLogsOptions, streamLogs } from '../../../src/client/stream-logs.js';
import { awsError, functionArn, mockedContext } from './fixtures.js';

export interface Written {
  id: string;
  timestamp: number;
  message: string;
  stream?: string;
  /** The pass from which on CloudWatch tells it. Default 0: from the first. */
  visible?: number;
}

/** A log group that tells its events as CloudWatch does: by time, in pages, some of them late, some pages empty. */
export function logGroup(events: Written[], { pageSize = 100 } = {}) {
  const aws = mockedContext();
  const state = { pass: -1 };
  aws.lambda.on(GetFunctionConfigurationCommand).resolves({ FunctionName: 'gray', FunctionArn: functionArn('gray') });
  aws.logs.on(FilterLogEventsCommand).callsFake(async (input) => {
    if (input.nextToken === undefined) state.pass++;
    const matching = events
      .filter(({ visible = 0 }) => visible <= state.pass)
      .filter(
        ({ timestamp }) =>
          timestamp >= (input.startTime ?? 0) && timestamp <= (input.endTime ?? Number.POSITIVE_INFINITY),
      )
      .filter(({ stream = 's' }) => input.logStreamNames?.includes(stream) ?? true)
      .filter(({ message }) => message.includes((input.filterPattern ?? '').replace(/^"|"$/g, '')))
      .toSorted((a, b) => a.timestamp - b.timestamp);
    const from = Number(input.nextToken ?? 0);
    const to = from + pageSize;
    return {
      events: matching.slice(from, to).map(({ id, timestamp, message, stream = 's' }) => ({
        eventId: id,
        timestamp,
        message,
        logStreamName: stream,
      })),
      ...(to < matching.length && { nextToken: String(to) }),
    };
  });
  const tail = liveTail(aws);
  const read = (options?: StreamLogsOptions) => streamLogs(aws.context, 'gray', options);
  const requests = () => aws.logs.commandCalls(FilterLogEventsCommand).map((call) => call.args[0].input);
  return { ...aws, told: aws.events, events, state, read, requests, tail };
}

/** Live Tail as the SDK gives it: sessions in which nothing happens, until a test says what. */
function liveTail({ logs }: Pick<ReturnType<typeof mockedContext>, 'logs'>) {
  const sessions: { bring(...events: LiveTailSessionLogEvent[]): void; send(update: TailUpdate): void }[] = [];
  logs.on(StartLiveTailCommand).callsFake(async () => {
    const call = logs.commandCalls(StartLiveTailCommand).at(-1) as unknown as { args: [unknown, Sending] };
    const [, options] = call.args;
    const updates: TailUpdate[] = [];
    let wake = () => {};
    const send = (update: TailUpdate) => {
      updates.push(update);
      wake();
    };
    sessions.push({
      send,
      bring: (...sessionResults) =>
        send({ sessionUpdate: { sessionMetadata: { sampled: false }, sessionResults } } as TailUpdate),
    });
    async function* responseStream(): AsyncGenerator<StartLiveTailResponseStream> {
      yield { sessionStart: { sessionId: 'x' } };
      for (;;) {
        const update = updates.shift();
        if (update instanceof Error) throw update;
        if (update) yield update;
        else {
          await new Promise<void>((resolve, reject) => {
            wake = resolve;
            if (options.abortSignal.aborted) reject(awsError('AbortError'));
            options.abortSignal.addEventListener('abort', () => reject(awsError('AbortError')));
          });
        }
      }
    }
    return { responseStream: responseStream() };
  });
  return { sessions, opened: () => vi.waitFor(() => expect(sessions.length).toBeGreaterThan(0)) };
}

type TailUpdate = StartLiveTailResponseStream | Error;
type Sending = { abortSignal: AbortSignal };

export async function collect(stream: LogStream): Promise<LogEvent[]> {
  const events: LogEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

/** The first `count` events of a stream that goes on. */
export async function take(stream: LogStream, count: number): Promise<LogEvent[]> {
  const events: LogEvent[] = [];
  for await (const event of stream) {
    events.push(event);
    if (events.length === count) break;
  }
  return events;
}

/** What Lambda writes of an invocation, and it itself. */
export const invocation = (requestId: string, from: number, stream: string, visible = 0): Written[] =>
  [
    `START RequestId: ${requestId} Version: $LATEST\n`,
    `hello from ${requestId}\n`,
    `END RequestId: ${requestId}\n`,
    `REPORT RequestId: ${requestId}\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 512 MB\tMax Memory Used: 40 MB\tInit Duration: 99.10 ms\t\n`,
  ].map((message, n) => ({ id: `${requestId}-${n}`, timestamp: from + n, message, stream, visible }));
