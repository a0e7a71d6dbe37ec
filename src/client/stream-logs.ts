import type { LogQuery } from '../aws/logs.js';
import { ScarError, ValidationError } from '../errors.js';
import { linkSignals } from '../util/linked-signal.js';
import type { ClientContext } from './context.js';
import type { InvocationFacts } from './invocation-result.js';
import { follow, GroupWatch, type LogSource, PASSED } from './log/follow.js';
import { InvocationLog } from './log/invocation-log.js';
import { LiveTail } from './log/live-tail.js';
import type { LogEvent } from './log/log-event.js';
import { LogPasses } from './log/log-passes.js';
import { LogStream } from './log/log-stream.js';
import { NewEvents } from './log/new-events.js';
import { checkPatience, warnOfMissing } from './log/patience.js';
import { RunPasses } from './log/run-passes.js';
import { followAddress, followRun, isAnother, otherFunction, type RunAddress } from './log/run-results.js';
import type { MappedCall } from './map/item.js';
import { checkJournal, checkRunId, type JournalPlace } from './map/journal/place.js';
import { MapRun } from './map/run.js';
import * as check from './validate.js';

/** What of a function's log, from when to when, and how. At most one of `requestId`, `item` and `run`. */
export interface StreamLogsOptions {
  /** Wait for more. Default true with `item` and `run`, which end by themselves; otherwise false: one complete pass over what is there. */
  follow?: boolean;
  /** Only events from then on, that millisecond included; a date or ms since 1970. Not with `run`. Default: all that are kept. */
  since?: Date | number;
  /**
   * Only events up to then, that millisecond included. With `follow`, the stream ends when it has passed. Not with `run`.
   * Default: no end.
   */
  until?: Date | number;
  /** Only the events of one invocation. With `follow`, the stream ends after its report. */
  requestId?: string;
  /**
   * Only the events of the invocation that this is the result of: an item of a map, or what `invoke` returned. Its log stream
   * is known and needs no search, and its last lines are: the stream does not end before they have come.
   */
  item?: Pick<InvocationFacts, 'requestId' | 'environmentId' | 'logs'>;
  /**
   * Only the events of the invocations of a map, each after its result: of those that end while this run goes on, if it resumes
   * another. To be asked for before the loop over the run begins, and iterated beside it. Ends when the run has, and all of its
   * invocations are reported.
   *
   * Also the ID of a run of another process, or of one that has ended, whose `journal` has to be given: the invocations of all results that the journal has by
   * then; of an asynchronous run those of all its answers, also of those to come.
   */
  run?: MapRun | MapRun<MappedCall> | string;
  /** Where the run is that `run` is the ID of: its `journal` as `mapOverBucket` had it, or its `results` if it is asynchronous. */
  journal?: JournalPlace;
  /**
   * CloudWatch's filter pattern
   * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html); only of the whole log. Events
   * then carry a request ID only if their own text does. Default: all.
   */
  filter?: string;
  /**
   * `auto`: while the whole log is followed, Live Tail brings events earlier than CloudWatch's search does, for three hours at most.
   * It wants the permission `logs:StartLiveTail`, and costs 0.01 USD a minute beyond the first 1,800 of a month
   * (https://aws.amazon.com/cloudwatch/pricing/). `never`: nothing but the search. Either way each event is told once. Default `auto`.
   */
  liveTail?: 'auto' | 'never';
  /**
   * The shortest pause between passes while following, in ms: 100 to 60,000. While a log is quiet, or Live Tail brings all there is,
   * the pause grows to ten times that, but not beyond 10 s. Default 1,000.
   */
  pollIntervalMs?: number;
  /** Ends the stream: the loop throws its reason. */
  signal?: AbortSignal;
}

/** `ScarClient.streamLogs`. */
export function streamLogs(context: ClientContext, name: string, options: StreamLogsOptions = {}): LogStream {
  checkOptions(name, options);
  const { requestId, item, run, filter } = options;
  const log: LogSource = {
    context,
    functionName: name,
    group: `/aws/lambda/${name}`,
    follow: options.follow ?? (item !== undefined || run !== undefined),
    until: time(options.until),
    pollIntervalMs: options.pollIntervalMs ?? 1_000,
    watch: new GroupWatch(context, name),
  };
  const query: LogQuery = { since: time(options.since), until: log.until, filter };
  const stream = (read: (signal: AbortSignal) => AsyncGenerator<LogEvent, undefined>) =>
    new LogStream(context, options.signal, read);
  if (typeof run === 'string') {
    const address = { runId: run, journal: options.journal as RunAddress['journal'] };
    return stream((signal) => readRunElsewhere(log, address, signal));
  }
  if (run) {
    const passes = new RunPasses(context, log.group, run.runId);
    // From now on: the run must not have begun.
    const letGo = followRun(run as MapRun, name, passes);
    return stream((signal) => readRun(log, passes, letGo, signal));
  }
  if (item) return stream((signal) => readInvocation(log, query, item, signal));
  if (requestId !== undefined) return stream((signal) => readInvocation(log, query, { requestId }, signal));
  return stream((signal) => readAll(log, query, options.liveTail ?? 'auto', signal));
}

/** Every event of the group that the query matches. */
async function* readAll(
  log: LogSource,
  query: LogQuery,
  mode: 'auto' | 'never',
  signal: AbortSignal,
): AsyncGenerator<LogEvent, undefined> {
  const { context, functionName, group } = log;
  const besideLiveTail = log.follow && mode === 'auto';
  const events = new NewEvents(new LogPasses(context.logs, group, query), { besideLiveTail });
  if (!besideLiveTail) {
    for await (const page of follow(log, events, signal)) if (page !== PASSED) yield* page;
    return;
  }
  const live = new LiveTail(context, { functionName, group, filter: query.filter }, signal);
  async function* pause(ms: number) {
    // Not before the first pass: what is new comes after what is old.
    if (log.watch.isThere) live.start();
    for await (const batch of live.during(ms, signal)) yield batch.filter((event) => events.claim(event));
  }
  try {
    for await (const page of follow(log, events, signal, pause)) {
      if (page !== PASSED) yield* page;
    }
  } finally {
    await live.close();
  }
}

/** The one that is asked for; with its environment and the end of its log if it is over. */
type Asked = Pick<InvocationFacts, 'requestId'> & Partial<Pick<InvocationFacts, 'environmentId' | 'logs'>>;

/** The events of one invocation: its stream is found by the line that starts it, then only that stream is read. */
async function* readInvocation(
  log: LogSource,
  query: LogQuery,
  { requestId, environmentId, logs }: Asked,
  signal: AbortSignal,
): AsyncGenerator<LogEvent, undefined> {
  // What never ran has no log.
  if (requestId === '') return;
  const invocation = new InvocationLog(requestId, logs);
  const askedAt = Date.now();
  let passBegan = askedAt;
  const endOfPass = () => {
    if (logs !== undefined) checkPatience(log.group, invocation, askedAt, passBegan);
    passBegan = Date.now();
  };
  const streams = environmentId ? [environmentId] : undefined;
  const start = await findStart(log, { ...query, streams }, requestId, endOfPass, signal);
  if (!start) return;
  const { stream, timestamp } = start;
  const passes = new LogPasses(log.context.logs, log.group, { ...query, since: timestamp, streams: [stream] });
  for await (const page of follow(log, invocation.of(passes), signal)) {
    if (page !== PASSED) {
      yield* page;
      continue;
    }
    if (invocation.passed(passBegan)) {
      warnOfMissing(log.context, invocation);
      return;
    }
    endOfPass();
  }
}

async function findStart(
  log: LogSource,
  query: LogQuery,
  requestId: string,
  endOfPass: () => void,
  signal: AbortSignal,
): Promise<LogEvent | undefined> {
  const passes = new LogPasses(log.context.logs, log.group, { ...query, filter: `"${requestId}"` });
  for await (const page of follow(log, passes, signal)) {
    if (page === PASSED) endOfPass();
    else {
      const start = page.find(({ platform }) => platform?.type === 'start' && platform.requestId === requestId);
      if (start) return start;
    }
  }
  return undefined;
}

/** The events of the invocations of a run. */
async function* readRun(
  log: LogSource,
  passes: RunPasses,
  letGo: () => void | Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<LogEvent, undefined> {
  try {
    for await (const page of follow(log, passes, signal)) {
      if (page !== PASSED) yield* page;
      else if (passes.isComplete) return;
    }
  } finally {
    await letGo();
  }
}

/** The same of a run that this process has no part in. */
async function* readRunElsewhere(
  log: LogSource,
  address: RunAddress,
  signal: AbortSignal,
): AsyncGenerator<LogEvent, undefined> {
  const { context, functionName, group } = log;
  const passes = new RunPasses(context, group, address.runId);
  const link = linkSignals(signal);
  const results = followAddress(context, functionName, address, passes, link.signal);
  const letGo = async () => {
    link.abort(new ScarError('aborted', 'Nobody asks for more of this log'));
    await results;
    link.release();
  };
  yield* readRun(log, passes, letGo, signal);
}

const OPTION_NAMES = [
  'follow',
  'since',
  'until',
  'requestId',
  'item',
  'run',
  'journal',
  'filter',
  'liveTail',
  'pollIntervalMs',
  'signal',
] as const satisfies readonly (keyof StreamLogsOptions)[];

function checkOptions(name: string, options: StreamLogsOptions): void {
  check.functionName(name);
  check.knownOptions(options, OPTION_NAMES, 'streamLogs');
  check.optionalBoolean('follow', options.follow);
  for (const option of ['since', 'until'] as const) {
    const value = options[option];
    if (value !== undefined && !(Number(time(value)) >= 0)) {
      throw new ValidationError(option, 'be a date, or ms since 1970', value);
    }
  }
  check.optionalString('filter', options.filter);
  checkSelection(name, options);
  if (options.liveTail !== undefined && !['auto', 'never'].includes(options.liveTail)) {
    throw new ValidationError('liveTail', "be 'auto' or 'never'", options.liveTail);
  }
  check.integer('pollIntervalMs', options.pollIntervalMs, { min: 100, max: 60_000 });
  check.abortSignal(options.signal);
}

/** One selection at most, and what goes with it. */
function checkSelection(name: string, options: StreamLogsOptions): void {
  const { requestId, item, run } = options;
  const given = (['requestId', 'item', 'run'] as const).filter((option) => options[option] !== undefined);
  const [selection, second] = given;
  if (options.journal !== undefined && typeof run !== 'string') {
    throw new ValidationError('journal', "come with a run's ID as run", options.journal);
  }
  if (selection === undefined) return;
  if (second) throw new ValidationError(second, `not come with ${selection}`, options[second]);
  if (options.filter !== undefined) {
    const hint = 'Filter the events in your loop';
    throw new ValidationError('filter', `not come with ${selection}`, options.filter, hint);
  }
  if (requestId !== undefined && !/^[A-Za-z0-9-]{1,128}$/.test(requestId)) {
    throw new ValidationError('requestId', "be Lambda's ID of an invocation", requestId);
  }
  if (item !== undefined && !isResult(item)) {
    throw new ValidationError('item', 'be the result of an invocation, or an item of a map', item);
  }
  if (run !== undefined) checkRun(name, run, options);
}

function isResult(item: object): boolean {
  const { requestId, environmentId, logs } = item as Record<string, unknown>;
  return [requestId, environmentId, logs].every((value) => typeof value === 'string');
}

function checkRun(name: string, run: object | string, { journal, follow, since, until }: StreamLogsOptions): void {
  if (typeof run === 'string') checkAddress(run, journal);
  else if (!(run instanceof MapRun)) throw new ValidationError('run', 'be what mapOverBucket returned, or its ID', run);
  else checkOwnRun(name, run);
  if (follow === false) throw new ValidationError('follow', 'be true with run, or left out', follow);
  for (const [option, value] of Object.entries({ since, until })) {
    if (value !== undefined) throw new ValidationError(option, 'not come with run', value);
  }
}

function checkOwnRun(name: string, run: MapRun): void {
  const { functionName } = run.summary;
  if (isAnother(functionName, name)) throw otherFunction(name, functionName);
  if (run.isIterated) {
    const hint = "Call streamLogs before the loop over the map begins, or give the run's ID and its journal";
    throw new ValidationError('run', 'not have begun', 'one that has', hint);
  }
}

/** Nothing but what is kept of a run knows which invocations are its. */
function checkAddress(runId: string, journal: unknown): void {
  checkRunId(runId, 'run');
  checkJournal(journal);
  if (journal) return;
  const hint =
    'As mapOverBucket had it, or its results in mode async. Of a run that has neither, only the process that has it knows the invocations: give it there as run, ' +
    'before its loop begins';
  throw new ValidationError('journal', "say where the run is kept, with a run's ID", journal, hint);
}

/** ms since 1970. */
function time(value: Date | number | undefined): number | undefined {
  return value instanceof Date ? value.getTime() : value;
}
