import type { ClientContext } from './context.js';
import { beginSitting, plannedObjects } from './map/bucket-sitting.js';
import { newRunId } from './map/journal/head.js';
import { checkMapOptions, type MapOptions } from './map/options.js';
import { planMap } from './map/plan.js';
import { MapRun } from './map/run.js';
import { runSitting } from './map/sitting.js';
import { Tally } from './map/tally.js';

/** `ScarClient.mapOverBucket`. */
export function mapOverBucket(context: ClientContext, name: string, options: MapOptions): MapRun {
  checkMapOptions(name, options);
  const runId = newRunId();
  const tally = new Tally(runId);
  tally.isOf({ functionName: name, bucket: options.bucket, prefix: options.prefix ?? '' });
  return new MapRun(
    context,
    tally,
    { ...options, runId },
    async (run) => runSitting(context, run, await beginSitting(context, name, options, run)),
    async (plan) => planMap(context, await plannedObjects(context, name, options), options.signal, plan),
  );
}
