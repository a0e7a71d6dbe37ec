import { ValidationError } from '../../errors.js';
import type { ClientContext } from '../context.js';
import { describeTrigger, goesTo, notificationsOf, type TriggerDescription } from '../trigger.js';
import { runPrefix } from './journal/run-prefix.js';
import type { MapOptions } from './options.js';

/**
 * Refuses places of a run where a trigger of its function looks: the function would be invoked by each answer that it leaves, and by each part of the
 * journal.
 *
 * @throws ValidationError; FunctionError `function-not-found`
 */
export async function refuseTriggeredPlaces(
  context: ClientContext,
  functionName: string,
  { results, journal }: Pick<MapOptions, 'results' | 'journal'>,
  runId: string,
  signal: AbortSignal,
): Promise<void> {
  for (const [option, place] of Object.entries({ results, journal })) {
    if (typeof place !== 'object') continue;
    const prefix = runPrefix(place, runId);
    const triggers = await triggersIn(context, functionName, place.bucket, signal);
    const trigger = triggers.find((trigger) => looksBelow(trigger, prefix));
    if (!trigger) continue;
    throw new ValidationError(
      option,
      'not lie where a trigger of the function looks, or the function would be invoked by what it leaves there',
      place,
      `Objects of ${place.bucket} whose keys begin with "${trigger.prefix}" invoke ${functionName}: use another prefix or another bucket`,
    );
  }
}

/** None where they may not be read: that is no reason not to run. */
async function triggersIn(
  context: ClientContext,
  functionName: string,
  bucket: string,
  signal: AbortSignal,
): Promise<TriggerDescription[]> {
  const [{ arn }, notifications] = await Promise.all([
    context.functions.configuration(functionName, signal),
    notificationsOf(context, bucket, signal).catch(() => []),
  ]);
  return notifications.filter(goesTo(arn)).map((entry) => describeTrigger({ ...entry, bucket }));
}

/** Whether keys of the run may match: behind its prefix they end in letters, digits, `-` and `_`. */
function looksBelow({ prefix, suffix, events }: TriggerDescription, place: string): boolean {
  const hearsOfPuts = events.some((event) => /^s3:ObjectCreated:(\*|Put)$/.test(event));
  const prefixesMeet = place.startsWith(prefix) || prefix.startsWith(place);
  return hearsOfPuts && prefixesMeet && /^[\w-]*$/.test(suffix);
}
