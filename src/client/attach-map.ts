import { ValidationError } from '../errors.js';
import type { ClientContext } from './context.js';
import { countObjects, plannedObjects } from './map/bucket-sitting.js';
import { type JournalHead, storedOptions } from './map/journal/head.js';
import { MapJournal } from './map/journal/journal.js';
import { checkRunId, openObjectsStore } from './map/journal/place.js';
import {
  checkResults,
  checkSitting,
  type MapOptions,
  type MapSittingOptions,
  type ResultsPlace,
} from './map/options.js';
import { planMap } from './map/plan.js';
import { attachedSitting } from './map/queued-sitting.js';
import { MapRun } from './map/run.js';
import { runSitting } from './map/sitting.js';
import { Tally } from './map/tally.js';
import * as check from './validate.js';

/** Where the run is, and how to look on. */
export interface AttachOptions extends MapSittingOptions {
  /** As `mapOverBucket` had it. */
  results: ResultsPlace;
}

/** `ScarClient.attachMap`. */
export function attachMap(context: ClientContext, runId: string, options: AttachOptions): MapRun {
  checkRunId(runId);
  check.knownOptions(options, ['results', 'concurrency', 'drainMs', 'signal'], 'attachMap');
  const { results } = options;
  if (results === undefined) throw new ValidationError('results', 'be given, as mapOverBucket had it', results);
  checkResults('results', results);
  checkSitting(options);
  return lookOn(context, runId, options, (stored) => stored);
}

/** Looks on, and sends nothing at all: also not what failed and may run again. Results come as they are there. */
export function watchMap(context: ClientContext, runId: string, results: ResultsPlace, signal: AbortSignal): MapRun {
  return lookOn(context, runId, { results, concurrency: 1, signal }, (stored) => {
    const { retry: _retry, completion: _completion, ordered: _ordered, ...left } = stored;
    return left;
  });
}

/** @param change - what is another than the run was asked for */
function lookOn(
  context: ClientContext,
  runId: string,
  options: AttachOptions,
  change: (stored: MapOptions) => MapOptions,
): MapRun {
  const { results, concurrency, signal } = options;
  const tally = new Tally(runId);
  const read = async (until: AbortSignal) => {
    const store = openObjectsStore(context.objects, results, runId);
    const { head } = await MapJournal.open(store, () => {}, until);
    checkQueued(runId, head);
    return { store, functionName: head.functionName, options: change(storedOptions(head)) };
  };
  return new MapRun(
    context,
    tally,
    { ...options, runId },
    async (run) => {
      const { store, functionName, options: stored } = await read(run.admitting);
      const all = { ...stored, ...(concurrency !== undefined && { concurrency }) };
      tally.isOf({ functionName, bucket: all.bucket, prefix: all.prefix ?? '' });
      run.flow.ordered = all.ordered ?? false;
      countObjects(context, functionName, all, run);
      await runSitting(context, run, attachedSitting(context, { functionName, options: all }, store, run));
    },
    async (plan) => {
      const { functionName, options: all } = await read(signal ?? new AbortController().signal);
      return planMap(context, await plannedObjects(context, functionName, all), signal, plan);
    },
  );
}

/** The journal of a run whose invocations were waited for has results, and not what was sent. */
function checkQueued(runId: string, { options: { mode = 'sync' } }: JournalHead): void {
  if (mode === 'async') return;
  const hint = `Its results come where it runs; when that has ended, resumeMap('${runId}', { journal: results }) gives them all, and runs what has none`;
  throw new ValidationError('runId', 'be the ID of a run of mode async', `one of mode ${mode}`, hint);
}
