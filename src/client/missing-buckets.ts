import { ScarError } from '../errors.js';
import type { ClientContext } from './context.js';
import type { OutputOptions, TriggerOptions } from './function-options.js';

/**
 * Refuses buckets that do not exist, before anything is made: the first run would find it out, after its work was done.
 *
 * @throws ScarError `bucket-not-found`
 */
export async function refuseMissingBuckets(
  context: ClientContext,
  { trigger, output }: { trigger?: TriggerOptions | undefined; output?: OutputOptions[] | null | undefined },
  signal: AbortSignal,
): Promise<void> {
  const named = [
    ...(trigger ? [{ option: 'trigger.bucket', bucket: trigger.bucket }] : []),
    ...(output ?? []).map(({ bucket }, index) => ({ option: `output[${index}].bucket`, bucket })),
  ];
  const buckets = [...new Set(named.map(({ bucket }) => bucket))];
  const missing = await Promise.all(buckets.map((bucket) => isMissing(context, bucket, signal)));
  const first = named.find(({ bucket }) => missing[buckets.indexOf(bucket)]);
  if (!first) return;
  const { option, bucket } = first;
  throw new ScarError(
    'bucket-not-found',
    `${option} must be a bucket that exists; received ${JSON.stringify(bucket)}. Create it, or correct its name`,
    { context: { option, bucket } },
  );
}

/** Whether S3 says so: who may not list a bucket (403), or asks in another Region than its own (301), learns nothing of it. */
async function isMissing(context: ClientContext, bucket: string, signal: AbortSignal): Promise<boolean> {
  try {
    return !(await context.buckets.exists(bucket, signal));
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
