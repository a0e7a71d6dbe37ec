import { type ClientContext, underClient } from './context.js';
import { fetchFunctionCode } from './function-code.js';
import { requireOurs } from './function-description.js';
import { checkTrigger, refuseEndlessLoop, type TriggerOptions } from './function-options.js';
import type { CallOptions } from './get-function.js';
import { Rollback } from './rollback.js';
import { connectTrigger, describeTrigger, type TriggerDescription, triggerOf } from './trigger.js';
import * as check from './validate.js';

/** `ScarClient.putTrigger`. */
export function putTrigger(
  context: ClientContext,
  name: string,
  trigger: TriggerOptions,
  options: CallOptions = {},
): Promise<TriggerDescription> {
  check.functionName(name);
  check.text('trigger.bucket', trigger?.bucket);
  checkTrigger(trigger);
  check.knownOptions(options, ['signal'], 'putTrigger');
  check.abortSignal(options.signal);
  return underClient(context, options.signal, async (signal) => {
    const details = requireOurs(await context.functions.get(name, signal));
    const wanted = triggerOf(details.facts, trigger);
    // Where the outputs go is known to the package alone.
    const { spec } = await fetchFunctionCode(details, signal);
    refuseEndlessLoop(wanted, spec.output);
    const undo = new Rollback();
    try {
      await connectTrigger(context, wanted, undo, signal);
      return describeTrigger(wanted);
    } catch (error) {
      await undo.run(name, context.notify);
      throw error;
    }
  });
}
