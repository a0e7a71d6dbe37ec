import type { InvocationOptions } from '../contract/index.js';
import { ValidationError } from '../errors.js';
import { allowedConcurrency } from './concurrency.js';
import type { ClientContext } from './context.js';
import {
  checkOverrides,
  DEFAULT_RETRY_LIMITS,
  encodeEvent,
  type InvocationOverrides,
  invocationOptions,
  OVERRIDE_NAMES,
  objectRecord,
  type RetryLimits,
  sendInvocation,
} from './invocation.js';
import { readInvocation, unanswered } from './invocation-result.js';
import { Admission } from './map/admission.js';
import { endOf, endOfAll, type MapCompletion } from './map/completion.js';
import { checkFailureRetries, type FailureRetries, RetriesLeft } from './map/failure-retries.js';
import type { MapItem } from './map/item.js';
import { planMap } from './map/plan.js';
import { MapRun, type RunControl } from './map/run.js';
import {
  checkSelection,
  type ObjectSelection,
  SELECTION_NAMES,
  type SelectedObject,
  selectObjects,
} from './map/selection.js';
import { SignalFan } from './map/signal-fan.js';
import { Tally } from './map/tally.js';
import * as check from './validate.js';

/** Which objects, how many at once, and what to do about failures. */
export interface MapOptions extends ObjectSelection, InvocationOverrides {
  /** Invocations at once, capped by what Lambda allows. Default: the client's. See also {@link MapRun.setConcurrency}. */
  concurrency?: number;
  /**
   * Results in the order of the objects. At most twice `concurrency` of them are under way or wait for their turn, so that one slow
   * object holds the others up. Default false: as they come.
   */
  ordered?: boolean;
  /** When to end before all objects have their results. Default: never; an object's failure is a value. */
  completion?: MapCompletion;
  retry?: MapRetryOptions;
  /** Ends the run: the loop throws its reason. */
  signal?: AbortSignal;
}

export interface MapRetryOptions {
  /** Sends in all for an object when connections break or AWS answers 5xx. Default 4. */
  attempts?: number;
  /** Waits in all for an object while Lambda answers 429, in seconds. Default 900. */
  throttleSeconds?: number;
  /**
   * How often to run an object again whose container or function failed: for whatever reason, or reason by reason, as in
   * `{ timeout: 1, 'out-of-memory': 1 }`. Default 0.
   */
  failures?: number | FailureRetries;
}

/** `ScarClient.mapOverBucket`. */
export function mapOverBucket(context: ClientContext, name: string, options: MapOptions): MapRun {
  checkOptions(name, options);
  const { bucket, prefix = '' } = options;
  const tally = new Tally({ functionName: name, bucket, prefix });
  const work = async (run: RunControl) => {
    const { flow, signal } = run;
    const map = await prepare(context, name, options, run);
    const selection = selectObjects(context.objects, options, signal);
    try {
      for (let started = 0; started < (options.limit ?? Number.POSITIVE_INFINITY) && !flow.concluded; ) {
        const full = flow.room();
        if (full) {
          await full;
          continue;
        }
        const next = await selection.next();
        if (next.done) break;
        if (!next.value.passes) {
          tally.skip();
          run.progressed();
          continue;
        }
        started++;
        tally.start();
        flow.add(mapObject(map, next.value.object));
      }
      tally.listingDone();
      run.progressed();
      await complete(map);
    } finally {
      await selection.return(undefined);
    }
  };
  return new MapRun(context, tally, options, work, (plan) => planMap(context, name, options, plan));
}

/** What all objects of a run share. */
interface MapWork {
  context: ClientContext;
  run: RunControl;
  functionName: string;
  bucket: string;
  region: string;
  scar: InvocationOptions;
  admission: Admission;
  signals: SignalFan;
  limits: RetryLimits;
  failures: number | FailureRetries | undefined;
  completion: MapCompletion | undefined;
}

/** Asks for the function and its limits, so that a run that cannot work fails before its first object. */
async function prepare(context: ClientContext, name: string, options: MapOptions, run: RunControl): Promise<MapWork> {
  const { flow, tally, signal } = run;
  const wanted = run.wanted ?? options.concurrency ?? context.config.concurrency;
  const [facts, concurrency, region, scar] = await Promise.all([
    context.functions.configuration(name, signal),
    allowedConcurrency(context, name, wanted, run.warn, signal),
    context.region(),
    invocationOptions(options),
  ]);
  flow.atOnce = concurrency;
  tally.runsWith(facts, concurrency);
  const signals = new SignalFan(signal, concurrency);
  const limits = {
    attempts: options.retry?.attempts ?? DEFAULT_RETRY_LIMITS.attempts,
    throttleMs: (options.retry?.throttleSeconds ?? DEFAULT_RETRY_LIMITS.throttleMs / 1000) * 1000,
  };
  const { throttleMs } = limits;
  const admission = new Admission(context, concurrency, { throttleMs, signal, onThrottle: () => tally.throttled() });
  run.whenConcurrencyChanges(async (wanted) => {
    const changed = await allowedConcurrency(context, name, wanted, run.warn, signal);
    signals.growTo(changed);
    admission.capAt(changed);
    flow.atOnce = changed;
    tally.runsWith(facts, changed);
    return changed;
  });
  return {
    context,
    run,
    functionName: name,
    bucket: options.bucket,
    region,
    scar,
    signals,
    admission,
    limits,
    failures: options.retry?.failures,
    completion: options.completion,
  };
}

/** One object's way to its result. */
async function mapObject(map: MapWork, object: SelectedObject): Promise<MapItem> {
  const { context, run, functionName, bucket } = map;
  const { key, versionId } = object;
  const payload = encodeEvent({ Records: [objectRecord({ bucket, ...object }, map.region)], scar: map.scar });
  const signal = map.signals.next();
  let attempts = 0;
  let throttles = 0;
  let billedMs = 0;
  const retries = new RetriesLeft(map.failures);
  for (;;) {
    const sent = await sendInvocation(context, functionName, payload, signal, map.limits, map.admission);
    attempts += sent.attempts;
    throttles += sent.throttles;
    const ran = 'raw' in sent;
    const result = ran ? readInvocation(functionName, sent.raw, attempts) : unanswered(sent.error, attempts);
    billedMs += result.billedMs ?? 0;
    if (ran && result.status === 'failed' && retries.take(result.reason)) continue;
    if (result.billedMs !== undefined) result.billedMs = billedMs;
    const size = object.bytes ?? result.input?.bytes;
    const item: MapItem = Object.assign(result, { bucket, key, size, ...(versionId !== undefined && { versionId }) });
    run.tally.record(item, throttles);
    run.progressed();
    const end = map.completion && endOf(map.completion, run.tally);
    if (end) run.conclude(end.error);
    return item;
  }
}

/** Waits for the results of all objects where they decide how the run ends. */
async function complete({ run, completion }: MapWork): Promise<void> {
  if (!completion) return;
  // No result may be to come that would ask this.
  const now = endOf(completion, run.tally);
  if (now) run.conclude(now.error);
  await run.flow.settled();
  const end = endOfAll(completion, run.tally);
  if (end) run.conclude(end.error);
}

function checkOptions(name: string, options: MapOptions): void {
  const names = [...SELECTION_NAMES, 'concurrency', 'ordered', 'completion', 'retry', 'signal'];
  check.functionName(name);
  check.knownOptions(options, [...names, ...OVERRIDE_NAMES], 'mapOverBucket');
  checkSelection(options);
  check.integer('concurrency', options.concurrency, { min: 1, max: Number.MAX_SAFE_INTEGER });
  checkOverrides(options);
  check.optionalBoolean('ordered', options.ordered);
  checkCompletion(options.completion);
  check.abortSignal(options.signal);
  if (options.retry === undefined) return;
  check.knownOptions(options.retry, ['attempts', 'throttleSeconds', 'failures'], 'retry');
  check.integer('retry.attempts', options.retry.attempts, { min: 1, max: 100 });
  check.integer('retry.throttleSeconds', options.retry.throttleSeconds, { min: 0, max: 86_400 });
  checkFailureRetries(options.retry.failures);
}

function checkCompletion(completion: MapCompletion | undefined): void {
  if (completion === undefined) return;
  const names = ['minSuccessful', 'toleratedFailureCount', 'toleratedFailurePercentage'];
  check.knownOptions(completion, names, 'completion');
  const max = Number.MAX_SAFE_INTEGER;
  check.integer('completion.minSuccessful', completion.minSuccessful, { min: 1, max });
  check.integer('completion.toleratedFailureCount', completion.toleratedFailureCount, { min: 0, max });
  const percentage = completion.toleratedFailurePercentage;
  if (percentage !== undefined && !(percentage >= 0 && percentage <= 100)) {
    throw new ValidationError('completion.toleratedFailurePercentage', 'be a number from 0 to 100', percentage);
  }
}
