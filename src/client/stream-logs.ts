import type { LogQuery } from '../aws/logs.js';
import { ScarError, ValidationError } from '../errors.js';
import type { ClientContext } from './context.js';
import { type LogEvent, LogReader } from './log/log-event.js';
import { LogPasses, OVERLAP_MS } from './log/log-passes.js';
import { LogStream } from './log/log-stream.js';
import * as check from './validate.js';

export interface StreamLogsOptions {
  /** Wait for more. Default false: one complete pass over what is there. */
  follow?: boolean;
  /** Only events from then on, that millisecond included; a date or ms since 1970. Default: all that are kept. */
  since?: Date | number;
  /** Only events up to then, that millisecond included. With `follow`, the stream ends when it has passed. Default: no end. */
  until?: Date | number;
  /** Only the events of one invocation. With `follow`, the stream ends after its report. */
  requestId?: string;
  /**
   * CloudWatch's filter pattern
   * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html); not with `requestId`. Events
   * then carry a request ID only if their own text does. Default: all.
   */
  filter?: string;
  /** Pause between passes while following, in ms: 100 to 60,000. Default 1,000. */
  pollIntervalMs?: number;
  /** Ends the stream: the loop throws its reason. */
  signal?: AbortSignal;
}

/** `ScarClient.streamLogs`. */
export function streamLogs(context: ClientContext, name: string, options: StreamLogsOptions = {}): LogStream {
  checkOptions(name, options);
  const log: LogSource = {
    context,
    name,
    group: `/aws/lambda/${name}`,
    follow: options.follow ?? false,
    until: time(options.until),
    pollIntervalMs: options.pollIntervalMs ?? 1_000,
  };
  const query: LogQuery = { since: time(options.since), until: log.until, filter: options.filter };
  const { requestId } = options;
  return new LogStream(context, options.signal, (signal) =>
    requestId === undefined ? readAll(log, query, signal) : readInvocation(log, query, requestId, signal),
  );
}

/** Which log is read, and for how long. */
interface LogSource {
  context: ClientContext;
  name: string;
  group: string;
  follow: boolean;
  until: number | undefined;
  pollIntervalMs: number;
}

/** Every event of the group that the query matches. */
async function* readAll(log: LogSource, query: LogQuery, signal: AbortSignal): AsyncGenerator<LogEvent, undefined> {
  const passes = new LogPasses(log.context.logs, log.group, query);
  const reader = new LogReader();
  for await (const _ of turns(log, signal)) {
    for await (const page of patiently(log, passes, signal)) for (const event of page) yield reader.read(event);
  }
}

/** The events of one invocation: its stream is found by the line that starts it, then only that stream is read. */
async function* readInvocation(
  log: LogSource,
  query: LogQuery,
  requestId: string,
  signal: AbortSignal,
): AsyncGenerator<LogEvent, undefined> {
  const start = await findStart(log, query, requestId, signal);
  if (!start) return;
  const { stream, timestamp } = start;
  const passes = new LogPasses(log.context.logs, log.group, { ...query, since: timestamp, streams: [stream] });
  const reader = new LogReader();
  let reported = false;
  for await (const _ of turns(log, signal)) {
    // The pass after the report is the last one: by then what was late has come.
    const last = reported;
    for await (const page of patiently(log, passes, signal)) {
      for (const stored of page) {
        const event = reader.read(stored);
        if (event.requestId !== requestId) continue;
        reported ||= event.report !== undefined;
        yield event;
      }
    }
    if (last) return;
  }
}

async function findStart(
  log: LogSource,
  query: LogQuery,
  requestId: string,
  signal: AbortSignal,
): Promise<{ stream: string; timestamp: number } | undefined> {
  const passes = new LogPasses(log.context.logs, log.group, { ...query, filter: `"START RequestId: ${requestId}"` });
  for await (const _ of turns(log, signal)) {
    for await (const page of patiently(log, passes, signal)) if (page[0]) return page[0];
  }
  return undefined;
}

/** One turn for each pass: a single one, or one after the other until `until` has passed and what is late has come. */
async function* turns(
  { context, follow, until, pollIntervalMs }: LogSource,
  signal: AbortSignal,
): AsyncGenerator<void> {
  for (;;) {
    const over = until !== undefined && Date.now() > until + OVERLAP_MS;
    yield;
    if (!follow || over) return;
    await context.sleep(pollIntervalMs, signal);
  }
}

/** One pass. While following, a throttle ends it early, and the next one makes up for it. */
async function* patiently(log: LogSource, passes: LogPasses, signal: AbortSignal) {
  const { context, name, follow, pollIntervalMs } = log;
  try {
    for await (const page of passes.pass(signal)) {
      // Before the first event there may be no group; without the function there will be none.
      if (page) yield page;
      else await context.functions.configuration(name, signal);
    }
  } catch (error) {
    if (!follow || !(error instanceof ScarError) || error.code !== 'throttled') throw error;
    context.notify.retry({ doing: `read the log of ${name}`, attempt: 2, delayMs: pollIntervalMs, error });
  }
}

function checkOptions(name: string, options: StreamLogsOptions): void {
  const names = ['follow', 'since', 'until', 'requestId', 'filter', 'pollIntervalMs', 'signal'];
  check.functionName(name);
  check.knownOptions(options, names, 'streamLogs');
  check.optionalBoolean('follow', options.follow);
  for (const option of ['since', 'until'] as const) {
    const value = options[option];
    if (value !== undefined && !(Number(time(value)) >= 0)) {
      throw new ValidationError(option, 'be a date, or ms since 1970', value);
    }
  }
  if (options.requestId !== undefined && !/^[A-Za-z0-9-]{1,128}$/.test(options.requestId)) {
    throw new ValidationError('requestId', "be Lambda's ID of an invocation", options.requestId);
  }
  check.optionalString('filter', options.filter);
  if (options.filter !== undefined && options.requestId !== undefined) {
    throw new ValidationError('filter', 'not come with requestId', options.filter, 'Filter the events in your loop');
  }
  check.integer('pollIntervalMs', options.pollIntervalMs, { min: 100, max: 60_000 });
  check.abortSignal(options.signal);
}

/** ms since 1970. */
function time(value: Date | number | undefined): number | undefined {
  return value instanceof Date ? value.getTime() : value;
}
