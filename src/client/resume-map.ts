import type { ClientContext } from './context.js';
import { plannedObjects, readOptions, resumeSitting } from './map/bucket-sitting.js';
import { checkJournal, checkRunId, type JournalPlace } from './map/journal/place.js';
import type { ObjectKeys } from './map/keys.js';
import { checkKeys } from './map/keys.js';
import { checkSitting, type MapSittingOptions } from './map/options.js';
import { planMap } from './map/plan.js';
import { MapRun } from './map/run.js';
import { runSitting } from './map/sitting.js';
import { Tally } from './map/tally.js';
import * as check from './validate.js';

/** Where the run's journal is, and what may be another this time. */
export interface ResumeOptions extends MapSittingOptions {
  /** As `mapOverBucket` had it. Default: true. */
  journal?: JournalPlace;
  /**
   * Runs the objects again whose last result is a failure, and nothing else; of an asynchronous run only when all of its events are sent. Default false: what
   * has no result yet.
   */
  retryFailed?: boolean;
  /** The same as in `mapOverBucket`, if that had `keys`, which a journal cannot keep; refused if it had none. */
  keys?: ObjectKeys;
}

/** `ScarClient.resumeMap`. */
export function resumeMap(context: ClientContext, runId: string, options: ResumeOptions = {}): MapRun {
  checkRunId(runId);
  check.knownOptions(options, ['journal', 'retryFailed', 'keys', 'concurrency', 'drainMs', 'signal'], 'resumeMap');
  checkJournal(options.journal);
  check.optionalBoolean('retryFailed', options.retryFailed);
  checkKeys(options.keys);
  checkSitting(options);
  return new MapRun(
    context,
    new Tally(runId),
    { ...options, runId },
    async (run) => runSitting(context, run, await resumeSitting(context, options, run)),
    async (plan) => {
      const { functionName, options: all } = await readOptions(context, runId, options);
      return planMap(context, await plannedObjects(context, functionName, all), options.signal, plan);
    },
  );
}
