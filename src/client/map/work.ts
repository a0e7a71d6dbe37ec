import type { FunctionFacts, RawInvocation } from '../../aws/lambda.js';
import type { InvocationOptions, S3EventRecord } from '../../contract/index.js';
import { ScarError, ValidationError } from '../../errors.js';
import { allowedConcurrency } from '../concurrency.js';
import type { ClientContext } from '../context.js';
import {
  DEFAULT_RETRY_LIMITS,
  encodeEvent,
  type InvocationOverrides,
  invocationOptions,
  type RecordOrigin,
  type RetryLimits,
  recordOrigin,
  type Sent,
  sendInvocation,
} from '../invocation.js';
import {
  type InvocationFailureReason,
  type InvocationResult,
  readInvocations,
  unanswered,
} from '../invocation-result.js';
import { Admission } from './admission.js';
import { Backups } from './backups.js';
import { endOf, endOfAll, type MapCompletion } from './completion.js';
import { type FailureRetries, RetriesLeft } from './failure-retries.js';
import type { Mapped } from './item.js';
import type { MapJournal } from './journal/journal.js';
import { answerPlace } from './journal/place.js';
import { LargerFunction } from './larger-function.js';
import type { MapOptions } from './options.js';
import { DEFAULT_QUEUE_LIMIT, type Execution, Queue } from './queue.js';
import type { RunControl } from './run.js';
import { SignalFan } from './signal-fan.js';
import { idempotencyKey, queuedKey, type Subject } from './subject.js';

/** What all subjects of a run share. */
export interface MapWork<Own> {
  context: ClientContext;
  run: RunControl<Own>;
  functionName: string;
  origin: RecordOrigin;
  scar: InvocationOptions;
  admission: Admission;
  signals: SignalFan;
  limits: RetryLimits;
  failures: number | FailureRetries | undefined;
  completion: MapCompletion | undefined;
  journal: MapJournal | undefined;
  /** In an asynchronous run. */
  queue: Queue | undefined;
  backups: Backups | undefined;
  larger: LargerFunction | undefined;
  /** How much more a ms costs there. */
  largerFactor: number;
}

export type WorkOptions = Pick<
  MapOptions,
  'concurrency' | 'retry' | 'completion' | 'backup' | 'mode' | 'results' | 'queueLimit'
> &
  InvocationOverrides;

/** Asks for the function and its limits, so that a run that cannot work fails before its first object. */
export async function prepareWork<Own extends object>(
  context: ClientContext,
  functionName: string,
  options: WorkOptions,
  run: RunControl<Own>,
  journal: MapJournal | undefined,
): Promise<MapWork<Own>> {
  const { flow, tally, admitting } = run;
  const wanted = run.wanted() ?? options.concurrency ?? context.config.concurrency;
  const [facts, concurrency, region, scar] = await Promise.all([
    context.functions.configuration(functionName, admitting),
    allowedConcurrency(context, functionName, wanted, run.warn, admitting),
    context.region(),
    invocationOptions(options),
  ]);
  const results = options.results && answerPlace(options.results, run.runId);
  const queue = options.mode === 'async' && results ? new Queue(context, results, facts, run) : undefined;
  flow.atOnce = queue ? (options.queueLimit ?? DEFAULT_QUEUE_LIMIT) : concurrency;
  tally.runsWith(facts, concurrency);
  const signals = new SignalFan(run.signal, concurrency);
  const limits = {
    attempts: options.retry?.attempts ?? DEFAULT_RETRY_LIMITS.attempts,
    throttleMs: (options.retry?.throttleSeconds ?? DEFAULT_RETRY_LIMITS.throttleMs / 1000) * 1000,
    queued: queue !== undefined,
  };
  const { throttleMs } = limits;
  const onThrottle = () => tally.throttled();
  const admission = new Admission(context, concurrency, { throttleMs, signal: admitting, onThrottle });
  const change = async (wanted: number) => {
    const changed = await allowedConcurrency(context, functionName, wanted, run.warn, admitting);
    signals.growTo(changed);
    admission.capAt(changed);
    if (!queue) flow.atOnce = changed;
    tally.runsWith(facts, changed);
    return changed;
  };
  run.whenConcurrencyChanges(change);
  // It may have been changed while all this was asked for.
  const latest = run.wanted();
  if (latest !== undefined && latest !== wanted) await change(latest);
  run.whenAsked(() => admission.onTheWay);
  return {
    context,
    run,
    functionName,
    origin: recordOrigin(region),
    scar: { ...scar, ...(results && { results }) },
    signals,
    admission,
    limits,
    failures: options.retry?.failures,
    queue,
    backups: options.backup && new Backups(context, options.backup, () => admission.hasSpare, admitting),
    ...largerFunction(context, facts, options, run),
    completion: options.completion,
    journal,
  };
}

function largerFunction(
  context: ClientContext,
  { name, memoryMiB: own }: FunctionFacts,
  { retry }: WorkOptions,
  { runId, admitting }: RunControl<never>,
): Pick<MapWork<never>, 'larger' | 'largerFactor'> {
  const { memoryMiB } = retry ?? {};
  if (memoryMiB === undefined) return { larger: undefined, largerFactor: 1 };
  if (memoryMiB <= own) {
    throw new ValidationError('retry.memoryMiB', `be more than the function has, ${own}`, memoryMiB);
  }
  return { larger: new LargerFunction(context, name, memoryMiB, runId, admitting), largerFactor: memoryMiB / own };
}

/** A subject on its way to its result. */
interface Pending<Own> extends Execution {
  subject: Subject<Own>;
  retries: RetriesLeft;
  /** Which execution it is, from 1. */
  execution: number;
  attempts: number;
  billedMs: number;
  /** The same in ms of the function's own memory. */
  paidMs: number;
  /** Whether it needs more memory than the function has. */
  isLarge: boolean;
}

/** A subject with the result that stands. */
interface Ended<Own> {
  one: Pending<Own>;
  result: InvocationResult;
}

/** The way of the subjects of one invocation to their results; those that fail and may be run again go once more, together. */
export async function mapSubjects<Own extends object>(
  work: MapWork<Own>,
  subjects: readonly Subject<Own>[],
): Promise<Mapped<Own>[]> {
  const items: Mapped<Own>[] = [];
  const signal = work.signals.next();
  const first: Pending<Own>[] = subjects.map((subject) => ({
    subject,
    retries: new RetriesLeft(work.failures),
    execution: subject.executed + 1,
    attempts: 0,
    billedMs: 0,
    paidMs: 0,
    isLarge: false,
    sent: subject.queued?.sent ?? 'no',
    again: subject.queued?.again ?? false,
    unsent: true,
  }));
  const rounds = [first];
  for (let pending = rounds.shift(); pending; pending = rounds.shift()) {
    const { ran, results } = work.backups
      ? await executeTwice(work, work.backups, pending, signal)
      : await execute(work, pending, signal);
    const again: Pending<Own>[] = [];
    const large: Pending<Own>[] = [];
    const ended: Ended<Own>[] = [];
    for (const [index, one] of pending.entries()) {
      const result = results[index] as InvocationResult;
      if (ran && result.status === 'failed' && (await hasAnother(work, one, result.reason))) {
        one.execution++;
        one.isLarge ||= work.larger !== undefined && result.reason === 'out-of-memory';
        (one.isLarge ? large : again).push(one);
      } else {
        ended.push({ one, result });
      }
    }
    items.push(...(await finish(work, ended)));
    rounds.push(...[again, large].filter(({ length }) => length > 0));
  }
  return items;
}

/** Whether a failure is followed by another execution: by one that was sent before, in whatever process, or by one to be sent. */
async function hasAnother<Own extends object>(
  { queue, failures }: MapWork<Own>,
  one: Pending<Own>,
  reason: InvocationFailureReason,
): Promise<boolean> {
  const { queued } = one.subject;
  const mayRetry = one.retries.take(reason);
  if (queued && one.sent !== 'no' && (await queue?.isClaimed(queuedKey(queued.number, one.execution + 1)))) {
    one.sent = 'yes';
    return true;
  }
  one.sent = 'no';
  if (!one.again) return mayRetry;
  one.again = false;
  one.retries = new RetriesLeft(failures);
  return true;
}

/** What came of one execution; one that did not run is not run again: sending it has its own limits. */
interface Executed {
  results: InvocationResult[];
  ran: boolean;
}

/** Once more beside, if it takes long; what only begins twice by that has a key of its own. */
async function executeTwice<Own extends object>(
  work: MapWork<Own>,
  backups: Backups,
  pending: readonly Pending<Own>[],
  signal: AbortSignal,
): Promise<Executed> {
  let counted = 0;
  const executed = await backups.race(signal, async (copy, until) => {
    const one = await execute(work, pending, until, copy);
    counted++;
    return one;
  });
  if (executed.copies === 2) work.run.tally.backedUp();
  // One that was dropped was sent, too.
  if (counted < executed.copies) {
    work.run.tally.sent(1, 0);
    for (const one of pending) one.attempts++;
  }
  return executed;
}

async function execute<Own extends object>(
  work: MapWork<Own>,
  pending: readonly Pending<Own>[],
  signal: AbortSignal,
  copy: 1 | 2 = 1,
): Promise<Executed> {
  const { queue, larger } = work;
  const isLarge = pending[0]?.isLarge;
  let { functionName } = work;
  if (isLarge && larger) {
    try {
      functionName = await larger.ready();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ScarError)) throw error;
      return { results: pending.map(() => unanswered(error, 0)), ran: false };
    }
  }
  const keys = pending.map(({ subject, execution }) =>
    subject.queued
      ? queuedKey(subject.queued.number, execution)
      : idempotencyKey(work.run.runId, subject.id, copy === 2 ? `${execution}-backup` : execution),
  );
  const wasSent = queue && (await queue.wasSent(pending, keys));
  const sent = wasSent ? undefined : await send(work, functionName, pending, keys, signal);
  if (sent) {
    work.run.tally.sent(sent.attempts, sent.throttles);
    for (const one of pending) one.attempts += sent.attempts;
  }
  let results: InvocationResult[];
  if (sent && 'error' in sent) results = pending.map(() => unanswered(sent.error, 0));
  else if (queue) results = await queue.answers(functionName, keys);
  else results = readInvocations(functionName, (sent as { raw: RawInvocation }).raw, 0, pending.length);
  for (const [index, one] of pending.entries()) {
    const { billedMs = 0 } = results[index] as InvocationResult;
    one.billedMs += billedMs;
    one.paidMs += billedMs * (isLarge ? work.largerFactor : 1);
  }
  return { results, ran: !(sent && 'error' in sent) };
}

async function send<Own extends object>(
  { context, origin, scar: shared, limits, admission, queue }: MapWork<Own>,
  functionName: string,
  pending: readonly Pending<Own>[],
  idempotencyKeys: string[],
  signal: AbortSignal,
): Promise<Sent> {
  const Records: S3EventRecord[] = [];
  for (const { subject } of pending) Records.push(...subject.records(origin));
  // In this order it takes V8 a tenth of the time.
  const scar = { idempotencyKeys, ...shared, ...pending[0]?.subject.scar };
  const payload = encodeEvent(Records.length > 0 ? { Records, scar } : { scar }, limits);
  const sent = await sendInvocation(context, functionName, payload, signal, limits, admission);
  queue?.hasSent(pending);
  return sent;
}

/** Makes results the subjects': journal, one wait for all, counts, and whether the run is over by them. */
async function finish<Own extends object>(
  { run, journal, queue, completion }: MapWork<Own>,
  ended: readonly Ended<Own>[],
): Promise<Mapped<Own>[]> {
  const items: Mapped<Own>[] = [];
  let written: Promise<void> | undefined;
  for (const { one, result } of ended) {
    const { subject, execution, attempts, billedMs } = one;
    result.attempts = attempts;
    if (result.billedMs !== undefined) result.billedMs = billedMs;
    const item = Object.assign(result, subject.own(result)) as Mapped<Own>;
    // The results of an asynchronous run are where its functions leave them. Lines that come together are written together.
    if (!queue) written = journal?.record(subject.id, item, execution) ?? written;
    items.push(item);
  }
  queue?.hasEnded(ended.map(({ one }) => one));
  if (written) await written;
  for (const [index, { one }] of ended.entries()) {
    const item = items[index] as Mapped<Own>;
    run.tally.record(item, one.paidMs);
    run.finished(item);
    concludeIfOver(run, completion);
  }
  return items;
}

/** Ends a run whose results so far decide how it ends. */
export function concludeIfOver<Own>(run: RunControl<Own>, completion: MapCompletion | undefined): void {
  const end = completion && endOf(completion, run.tally);
  if (end) run.conclude(end.error);
}

/** Waits for the results of all objects where they decide how the run ends. */
export async function completeWork<Own>({ run, completion }: MapWork<Own>): Promise<void> {
  if (!completion) return;
  // No result may be to come that would ask this.
  concludeIfOver(run, completion);
  await run.flow.settled();
  const end = endOfAll(completion, run.tally);
  if (end) run.conclude(end.error);
}
