import type { InvocationOptions } from '../contract/index.js';
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
  /** Invocations at once, capped by what Lambda allows. Default: the client's. */
  concurrency?: number;
  retry?: MapRetryOptions;
  /** Ends the run: the loop throws its reason. */
  signal?: AbortSignal;
}

export interface MapRetryOptions {
  /** Sends in all for an object when connections break or AWS answers 5xx. Default 4. */
  attempts?: number;
  /** Waits in all for an object while Lambda answers 429, in seconds. Default 900. */
  throttleSeconds?: number;
  /** How often to run an object again whose container or function failed. Default 0. */
  failures?: number;
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
      for (let started = 0; started < (options.limit ?? Number.POSITIVE_INFINITY); ) {
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
    } finally {
      await selection.return(undefined);
    }
  };
  return new MapRun(context, tally, options.signal, work, (plan) => planMap(context, name, options, plan));
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
  /** How often an object whose container or function failed runs again. */
  failures: number;
}

/** Asks for the function and its limits, so that a run that cannot work fails before its first object. */
async function prepare(context: ClientContext, name: string, options: MapOptions, run: RunControl): Promise<MapWork> {
  const { flow, tally, signal } = run;
  const wanted = options.concurrency ?? context.config.concurrency;
  const [facts, concurrency, region, scar] = await Promise.all([
    context.functions.configuration(name, signal),
    allowedConcurrency(context, name, wanted, run.warn, signal),
    context.region(),
    invocationOptions(options),
  ]);
  flow.atOnce = concurrency;
  tally.runsWith(facts, concurrency);
  return {
    context,
    run,
    functionName: name,
    bucket: options.bucket,
    region,
    scar,
    signals: new SignalFan(signal, concurrency),
    admission: new Admission(concurrency, signal, () => tally.throttled()),
    limits: {
      attempts: options.retry?.attempts ?? DEFAULT_RETRY_LIMITS.attempts,
      throttleMs: (options.retry?.throttleSeconds ?? DEFAULT_RETRY_LIMITS.throttleMs / 1000) * 1000,
    },
    failures: options.retry?.failures ?? 0,
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
  for (let again = map.failures; ; again--) {
    const sent = await sendInvocation(context, functionName, payload, signal, map.limits, map.admission);
    attempts += sent.attempts;
    throttles += sent.throttles;
    const ran = 'raw' in sent;
    const result = ran ? readInvocation(functionName, sent.raw, attempts) : unanswered(sent.error, attempts);
    billedMs += result.billedMs ?? 0;
    if (ran && result.status === 'failed' && again > 0) continue;
    if (result.billedMs !== undefined) result.billedMs = billedMs;
    const size = object.bytes ?? result.input?.bytes;
    const item: MapItem = Object.assign(result, { bucket, key, size, ...(versionId !== undefined && { versionId }) });
    run.tally.record(item, throttles);
    run.progressed();
    return item;
  }
}

function checkOptions(name: string, options: MapOptions): void {
  const names = [...SELECTION_NAMES, 'concurrency', 'retry', 'signal'];
  check.functionName(name);
  check.knownOptions(options, [...names, ...OVERRIDE_NAMES], 'mapOverBucket');
  checkSelection(options);
  check.integer('concurrency', options.concurrency, { min: 1, max: Number.MAX_SAFE_INTEGER });
  checkOverrides(options);
  check.abortSignal(options.signal);
  if (options.retry === undefined) return;
  check.knownOptions(options.retry, ['attempts', 'throttleSeconds', 'failures'], 'retry');
  check.integer('retry.attempts', options.retry.attempts, { min: 1, max: 100 });
  check.integer('retry.throttleSeconds', options.retry.throttleSeconds, { min: 0, max: 86_400 });
  check.integer('retry.failures', options.retry.failures, { min: 0, max: 100 });
}
