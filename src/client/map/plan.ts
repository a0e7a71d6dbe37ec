import { ValidationError } from '../../errors.js';
import { type ClientContext, underClient } from '../context.js';
import { type CostEstimate, estimateCost, gbSeconds } from '../pricing.js';
import * as check from '../validate.js';
import { isRepeatable } from './keys.js';
import { type ObjectSelection, selectObjects } from './selection.js';

export interface PlanOptions {
  /** What Lambda is assumed to bill for one object, in ms: the largest unknown, so best measured with a `limit`. Default 1,000. */
  billedMs?: number;
}

/** What a map would run over, and what it would cost. */
export interface MapPlan {
  functionName: string;
  bucket: string;
  /** Objects that would run. */
  objects: number;
  /** Objects that would be skipped. */
  skipped: number;
  /** Bytes of the objects that would run; undefined with `keys` or a `manifest`, which tell no sizes. */
  bytes: number | undefined;
  memoryMiB: number;
  /** What was assumed: one invocation for each object, billed this long, in ms. */
  billedMs: number;
  /** All objects' share of the function's memory and time. */
  gbSeconds: number;
  /** What it would cost on AWS by that assumption, in USD. */
  costUsd: CostEstimate;
}

/** `MapRun.plan`. */
export async function planMap(
  context: ClientContext,
  functionName: string,
  selection: ObjectSelection & { signal?: AbortSignal },
  options: PlanOptions = {},
): Promise<MapPlan> {
  check.knownOptions(options, ['billedMs'], 'plan');
  const { billedMs = 1_000 } = options;
  check.integer('billedMs', billedMs, { min: 1, max: 900_000 });
  const { bucket, limit, keys, manifest } = selection;
  if (keys && !isRepeatable(keys)) {
    const rule = 'be an array, or another iterable that is sure to give the same again to the run';
    throw new ValidationError('keys', rule, 'an iterator or an async iterable', 'Gather them first');
  }
  return underClient(context, selection.signal, async (signal) => {
    const { memoryMiB, architecture } = await context.functions.configuration(functionName, signal);
    const plan = { objects: 0, skipped: 0 };
    let bytes = 0;
    for await (const { object, passes } of selectObjects(context.objects, selection, signal)) {
      plan[passes ? 'objects' : 'skipped']++;
      if (passes) bytes += object.bytes ?? 0;
      if (plan.objects === limit) break;
    }
    const used = gbSeconds(plan.objects * billedMs, memoryMiB);
    return {
      functionName,
      bucket,
      ...plan,
      bytes: keys || manifest ? undefined : bytes,
      memoryMiB,
      billedMs,
      gbSeconds: used,
      costUsd: estimateCost(architecture, used, plan.objects),
    };
  });
}
