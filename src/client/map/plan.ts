import { ValidationError } from '../../errors.js';
import { type ClientContext, underClient } from '../context.js';
import { type CostEstimate, estimateCost, gbSeconds } from '../pricing.js';
import * as check from '../validate.js';
import type { ObjectInput } from './inputs.js';

export interface PlanOptions {
  /** What Lambda is assumed to bill for one item, in ms: the largest unknown, so best measured with a `limit`. Default 1,000. */
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
  /** Keys of the first ten that would run, to see whether they are those that were meant; empty for a map over inputs. */
  firstKeys: string[];
  /** Keys of the first ten that would be skipped. */
  firstSkippedKeys: string[];
  /** Results that there would be: more than objects if those are split. */
  items: number;
  invocations: number;
  /** Bytes of the objects that would run; undefined where not all sizes are known (`keys`, most manifests, inputs). */
  bytes: number | undefined;
  memoryMiB: number;
  /** What was assumed: each item is billed this long, in ms. */
  billedMs: number;
  /** All items' share of the function's memory and time. */
  gbSeconds: number;
  /** What it would cost on AWS by that assumption, in USD. */
  costUsd: CostEstimate;
}

/** What one invocation would work on, or what is skipped. */
export type PlanStep =
  | { inputs: (Pick<ObjectInput, 'bytes' | 'chunk'> & { key?: string })[] }
  | { skipped: Pick<ObjectInput, 'key'> };

const FIRST = 10;

/** What there is to plan. */
export interface Planned {
  functionName: string;
  bucket: string;
  steps(signal: AbortSignal): AsyncIterable<PlanStep>;
}

/** `MapRun.plan`. */
export async function planMap(
  context: ClientContext,
  { functionName, bucket, steps }: Planned,
  callerSignal: AbortSignal | undefined,
  options: PlanOptions = {},
): Promise<MapPlan> {
  check.knownOptions(options, ['billedMs'], 'plan');
  const { billedMs = 1_000 } = options;
  check.integer('billedMs', billedMs, { min: 1, max: 900_000 });
  return underClient(context, callerSignal, async (signal) => {
    const { memoryMiB, architecture } = await context.functions.configuration(functionName, signal);
    const counts = { objects: 0, skipped: 0, items: 0, invocations: 0 };
    const firstKeys: string[] = [];
    const firstSkippedKeys: string[] = [];
    let bytes: number | undefined = 0;
    for await (const step of steps(signal)) {
      if ('skipped' in step) {
        if (counts.skipped++ < FIRST) firstSkippedKeys.push(step.skipped.key);
        continue;
      }
      counts.invocations++;
      for (const input of step.inputs) {
        counts.items++;
        if (input.chunk && input.chunk.index > 0) continue;
        if (counts.objects++ < FIRST && input.key !== undefined) firstKeys.push(input.key);
        bytes = bytes === undefined || input.bytes === undefined ? undefined : bytes + input.bytes;
      }
    }
    const used = gbSeconds(counts.items * billedMs, memoryMiB);
    return {
      functionName,
      bucket,
      ...counts,
      firstKeys,
      firstSkippedKeys,
      bytes,
      memoryMiB,
      billedMs,
      gbSeconds: used,
      costUsd: estimateCost(architecture, used, counts.invocations),
    };
  });
}

/** How many results there will be, and objects that are skipped. */
export async function countSteps({ steps }: Pick<Planned, 'steps'>, signal: AbortSignal): Promise<number> {
  let count = 0;
  for await (const step of steps(signal)) count += 'skipped' in step ? 1 : step.inputs.length;
  return count;
}

/** A plan must not use up what the run needs. */
export function notRepeatable(option: string): ValidationError {
  const rule = 'be an array, or another iterable that is sure to give the same again to the run';
  return new ValidationError(option, rule, 'an iterator or an async iterable', 'Gather them first');
}
