import { type ClientContext, underClient } from './context.js';
import type { CallOptions } from './get-function.js';
import { goesTo, notificationsOf, permittedBuckets, removeNotifications, type TriggerDescription } from './trigger.js';
import * as check from './validate.js';

/** Which triggers of a function to delete. */
export interface TriggerSelection {
  bucket: string;
  /** Only the one with this prefix. Default: all of the bucket's. */
  prefix?: string;
  /** Only those with this suffix. Default: any. */
  suffix?: string;
}

/** `ScarClient.deleteTrigger`. */
export function deleteTrigger(
  context: ClientContext,
  name: string,
  selection: TriggerSelection,
  options: CallOptions = {},
): Promise<TriggerDescription[]> {
  check.functionName(name);
  check.knownOptions(selection, ['bucket', 'prefix', 'suffix'], 'trigger');
  check.bucketName('trigger.bucket', selection.bucket);
  check.optionalString('trigger.prefix', selection.prefix);
  check.optionalString('trigger.suffix', selection.suffix);
  check.knownOptions(options, ['signal'], 'deleteTrigger');
  check.abortSignal(options.signal);
  return underClient(context, options.signal, async (signal) => {
    const { bucket, prefix, suffix } = selection;
    const { arn } = await context.functions.configuration(name, signal);
    const isMine = goesTo(arn);
    const removed = await removeNotifications(
      context,
      bucket,
      (entry) =>
        isMine(entry) &&
        (prefix === undefined || entry.prefix === prefix) &&
        (suffix === undefined || entry.suffix === suffix),
      signal,
    );
    await withdrawPermission(context, { name, bucket, isMine }, signal);
    return removed;
  });
}

/** The bucket's permission goes with its last trigger. */
async function withdrawPermission(
  context: ClientContext,
  { name, bucket, isMine }: { name: string; bucket: string; isMine: ReturnType<typeof goesTo> },
  signal: AbortSignal,
): Promise<void> {
  const permitted = (await permittedBuckets(context, name, signal)).filter((entry) => entry.bucket === bucket);
  if (permitted.length === 0) return;
  if ((await notificationsOf(context, bucket, signal)).some(isMine)) return;
  for (const { statementId } of permitted) await context.functions.disallow(name, statementId, signal);
}
