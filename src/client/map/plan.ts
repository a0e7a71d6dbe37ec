import { ValidationError } from '../../errors.js';
import { type ClientContext, underClient } from '../context.js';
import { objectRecord, roomForRecords } from '../invocation.js';
import { type CostEstimate, estimateCost, gbSeconds } from '../pricing.js';
import * as check from '../validate.js';
import { type MapInput, type MapInputs, readInputs } from './inputs.js';
import { isRepeatable } from './keys.js';

export interface PlanOptions {
  /** What Lambda is assumed to bill for one object, or one chunk, in ms: the largest unknown, so best measured with a `limit`. Default 1,000. */
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
  /** Bytes of the objects that would run; undefined if nothing told the size of one, as `keys` and most manifests do not. */
  bytes: number | undefined;
  /** One for each object, or for each batch or chunk. */
  invocations: number;
  memoryMiB: number;
  /** What was assumed to be billed for one object or chunk, in ms. */
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
  selection: MapInputs & { signal?: AbortSignal },
  options: PlanOptions = {},
): Promise<MapPlan> {
  check.knownOptions(options, ['billedMs'], 'plan');
  const { billedMs = 1_000 } = options;
  check.integer('billedMs', billedMs, { min: 1, max: 900_000 });
  const { bucket, keys } = selection;
  if (keys && !isRepeatable(keys)) {
    const rule = 'be an array, or another iterable that is sure to give the same again to the run';
    throw new ValidationError('keys', rule, 'an iterator or an async iterable', 'Gather them first');
  }
  return underClient(context, selection.signal, async (signal) => {
    const [{ memoryMiB, architecture }, region] = await Promise.all([
      context.functions.configuration(functionName, signal),
      context.region(),
    ]);
    const recordOf = (input: MapInput) => objectRecord({ bucket, ...input }, region);
    const form = { recordOf, recordBytes: roomForRecords({ version: 1 }) };
    const plan = { objects: 0, skipped: 0, bytes: 0 as number | undefined, invocations: 0 };
    let billed = 0;
    for await (const step of readInputs(context.objects, selection, form, signal)) {
      if ('skipped' in step) {
        plan.skipped++;
        continue;
      }
      plan.invocations++;
      for (const { bytes, chunk } of step.inputs) {
        billed += billedMs;
        // The first chunk stands for its object.
        if (chunk && chunk.index > 0) continue;
        plan.objects++;
        plan.bytes = plan.bytes === undefined || bytes === undefined ? undefined : plan.bytes + bytes;
      }
    }
    const used = gbSeconds(billed, memoryMiB);
    return {
      functionName,
      bucket,
      ...plan,
      memoryMiB,
      billedMs,
      gbSeconds: used,
      costUsd: estimateCost(architecture, used, plan.invocations),
    };
  });
}
