import { type ClientContext, underClient } from './context.js';
import { describe, type FunctionDescription } from './function-description.js';
import { describeTrigger, goesTo, permittedBuckets, type TriggerDescription } from './trigger.js';
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

/**
 * Describes a function.
 *
 * @throws FunctionError `function-not-found`; ScarError
 */
export function getFunction(context: ClientContext, name: string, options: CallOptions = {}): Promise<FunctionDetails> {
  check.functionName(name);
  check.knownOptions(options, ['signal'], 'getFunction');
  check.abortSignal(options.signal);
  return underClient(context, options.signal, async (signal) => {
    const { facts, tags, reservedConcurrency } = await context.functions.get(name, signal);
    const buckets = await permittedBuckets(context, name, signal);
    const triggers = await Promise.all(
      buckets.map(async ({ bucket }) => {
        const notifications = await context.buckets.functionNotifications(bucket, signal);
        return notifications.filter(goesTo(facts.arn)).map((entry) => describeTrigger({ ...entry, bucket }));
      }),
    );
    return {
      ...describe(facts, tags),
      triggers: triggers.flat(),
      ...(reservedConcurrency !== undefined && { reservedConcurrency }),
    };
  });
}
