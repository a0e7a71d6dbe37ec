import { ValidationError } from '../../errors.js';
import { type ClientContext, underClient } from '../context.js';
import { type CostEstimate, estimateCost, gbSeconds } from '../pricing.js';
import * as check from '../validate.js';

export interface PlanOptions {
  /** What Lambda is assumed to bill for one subject, in ms: the largest unknown, so best measured with a `limit`. Default 1,000. */
  billedMs?: number;
}

/** What a map would run over, and what it would cost. */
export interface MapPlan {
  functionName: string;
  /** Empty for a map over inputs. */
  bucket: string;
  /** Objects, or inputs, that would run. */
  objects: number;
  /** Objects that would be skipped. */
  skipped: number;
  /** Bytes of the objects that would run; undefined where nothing tells sizes (`keys`, a `manifest`, inputs). */
  bytes: number | undefined;
  memoryMiB: number;
  /** What was assumed: one invocation for each object, billed this long, in ms. */
  billedMs: number;
  /** All objects' share of the function's memory and time. */
  gbSeconds: number;
  /** What it would cost on AWS by that assumption, in USD. */
  costUsd: CostEstimate;
}

/** What there is to plan. */
export interface Planned {
  functionName: string;
  bucket: string;
  limit?: number | undefined;
  /** Whether the entries have sizes. */
  sized: boolean;
  entries(signal: AbortSignal): AsyncIterable<{ passes: boolean; bytes?: number | undefined }>;
}

/** `MapRun.plan`. */
export async function planMap(
  context: ClientContext,
  { functionName, bucket, limit, sized, entries }: Planned,
  callerSignal: AbortSignal | undefined,
  options: PlanOptions = {},
): Promise<MapPlan> {
  check.knownOptions(options, ['billedMs'], 'plan');
  const { billedMs = 1_000 } = options;
  check.integer('billedMs', billedMs, { min: 1, max: 900_000 });
  return underClient(context, callerSignal, async (signal) => {
    const { memoryMiB, architecture } = await context.functions.configuration(functionName, signal);
    const plan = { objects: 0, skipped: 0 };
    let sum = 0;
    for await (const { passes, bytes = 0 } of entries(signal)) {
      plan[passes ? 'objects' : 'skipped']++;
      if (passes) sum += bytes;
      if (plan.objects === limit) break;
    }
    const used = gbSeconds(plan.objects * billedMs, memoryMiB);
    return {
      functionName,
      bucket,
      ...plan,
      bytes: sized ? sum : undefined,
      memoryMiB,
      billedMs,
      gbSeconds: used,
      costUsd: estimateCost(architecture, used, plan.objects),
    };
  });
}

/** A plan must not use up what the run needs. */
export function notRepeatable(option: string): ValidationError {
  const rule = 'be an array, or another iterable that is sure to give the same again to the run';
  return new ValidationError(option, rule, 'an iterator or an async iterable', 'Gather them first');
}
