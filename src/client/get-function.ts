import { type ClientContext, underClient } from './context.js';
import { describe, type FunctionDescription } from './function-description.js';
import { type TriggerDescription, triggersOf } from './trigger.js';
import * as check from './validate.js';

/** All that can be found out about one function. */
export interface FunctionDetails extends FunctionDescription {
  /** Buckets that invoke it. */
  triggers: TriggerDescription[];
  /** Executions kept for it alone; absent: it shares the account's. */
  reservedConcurrency?: number;
}

/** What a call takes that has nothing else to say. */
export interface CallOptions {
  signal?: AbortSignal;
}

/** `ScarClient.getFunction`. */
export function getFunction(context: ClientContext, name: string, options: CallOptions = {}): Promise<FunctionDetails> {
  check.functionName(name);
  check.knownOptions(options, ['signal'], 'getFunction');
  check.abortSignal(options.signal);
  return underClient(context, options.signal, async (signal) => {
    const { facts, tags, reservedConcurrency } = await context.functions.get(name, signal);
    const triggers = await triggersOf(context, facts, signal);
    return {
      ...describe(facts, tags),
      triggers,
      ...(reservedConcurrency !== undefined && { reservedConcurrency }),
    };
  });
}
