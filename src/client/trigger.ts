import { createHash } from 'node:crypto';
import type { FunctionNotification } from '../aws/buckets.js';
import { ScarError, ValidationError } from '../errors.js';
import type { ClientContext } from './context.js';
import type { TriggerOptions } from './function-options.js';
import { untilPermissionIsSeen } from './wait.js';

/** A bucket that invokes a function. */
export interface TriggerDescription {
  bucket: string;
  prefix: string;
  suffix: string;
  events: string[];
}

/** What it takes to give a function a trigger, with the defaults filled in. */
export interface Trigger extends TriggerDescription {
  functionName: string;
  functionArn: string;
}

const SERVICE = 's3.amazonaws.com';

export function triggerOf(
  { name, arn }: { name: string; arn: string },
  { bucket, prefix = '', suffix = '', events = ['s3:ObjectCreated:*'] }: TriggerOptions,
): Trigger {
  return { functionName: name, functionArn: arn, bucket, prefix, suffix, events: [...events] };
}

/**
 * Lets a bucket invoke the function, and tells the bucket to. What others configured stays as it is.
 *
 * @param undo - learns what was made
 */
export async function connectTrigger(
  context: ClientContext,
  trigger: Trigger,
  undo: { made(what: string, undo: () => Promise<unknown>): void },
  signal: AbortSignal,
): Promise<void> {
  const { functionName, functionArn, bucket } = trigger;
  const statementId = permissionId(bucket);
  const permission = {
    statementId,
    service: SERVICE,
    sourceArn: bucketArn(functionArn, bucket),
    // A bucket that is deleted and made anew by somebody else must not invoke.
    sourceAccount: functionArn.split(':')[4],
  };
  if (await context.functions.allow(functionName, permission, signal)) {
    undo.made(`permission ${statementId}`, () => context.functions.disallow(functionName, statementId));
  }
  const entry: FunctionNotification = { ...describeTrigger(trigger), id: notificationId(trigger), functionArn };
  const doing = `connect bucket ${bucket} to function ${functionName}`;
  try {
    await untilPermissionIsSeen(context, doing, signal, () =>
      context.buckets.changeFunctionNotifications(
        bucket,
        (entries) => [...entries.filter(({ id }) => id !== entry.id), withoutBucket(entry)],
        signal,
      ),
    );
  } catch (error) {
    if (!(error instanceof ScarError) || !/overlap/i.test(error.message)) throw error;
    throw new ValidationError(
      'trigger.prefix',
      'not overlap with that of another notification of the same bucket and event',
      `${trigger.prefix}...${trigger.suffix}`,
      `${error.message}. Choose another prefix or suffix, or delete the other notification`,
    );
  }
  undo.made(`notification ${entry.id} of bucket ${bucket}`, () =>
    removeNotifications(context, bucket, ({ id }) => id === entry.id, new AbortController().signal),
  );
}

/** Takes a function's notifications out of a bucket; fine if the bucket is gone. Returns those that were removed. */
export async function removeNotifications(
  context: ClientContext,
  bucket: string,
  which: (notification: FunctionNotification) => boolean,
  signal: AbortSignal,
): Promise<TriggerDescription[]> {
  const removed: TriggerDescription[] = [];
  try {
    await context.buckets.changeFunctionNotifications(
      bucket,
      (entries) => {
        removed.splice(
          0,
          removed.length,
          ...entries.filter(which).map((entry) => describeTrigger({ ...entry, bucket })),
        );
        return removed.length > 0 ? entries.filter((entry) => !which(entry)) : undefined;
      },
      signal,
    );
  } catch (error) {
    if (error instanceof ScarError && error.code === 'bucket-not-found') return [];
    throw error;
  }
  return removed;
}

/** The buckets that have the permission to invoke the function, with the ID of the statement that gives it. */
export async function permittedBuckets(
  context: ClientContext,
  functionName: string,
  signal: AbortSignal,
): Promise<{ bucket: string; statementId: string }[]> {
  const permissions = await context.functions.permissions(functionName, signal);
  return permissions
    .filter(({ service, sourceArn }) => service === SERVICE && /^arn:[^:]*:s3:::[^/*]+$/.test(sourceArn))
    .map(({ sourceArn, statementId }) => ({ bucket: sourceArn.split(':').at(-1) ?? '', statementId }));
}

/** The triggers of a function, over all buckets that may invoke it. */
export async function triggersOf(
  context: ClientContext,
  { name, arn }: { name: string; arn: string },
  signal: AbortSignal,
): Promise<TriggerDescription[]> {
  const buckets = await permittedBuckets(context, name, signal);
  const triggers = await Promise.all(
    buckets.map(async ({ bucket }) => {
      const notifications = await notificationsOf(context, bucket, signal);
      return notifications.filter(goesTo(arn)).map((entry) => describeTrigger({ ...entry, bucket }));
    }),
  );
  return triggers.flat();
}

/** None if the bucket is gone: the permission outlives it. */
export async function notificationsOf(
  context: ClientContext,
  bucket: string,
  signal: AbortSignal,
): Promise<FunctionNotification[]> {
  try {
    return await context.buckets.functionNotifications(bucket, signal);
  } catch (error) {
    if (error instanceof ScarError && error.code === 'bucket-not-found') return [];
    throw error;
  }
}

/** Whether a notification goes to the function, whatever version or alias it names. */
export function goesTo(functionArn: string): (notification: FunctionNotification) => boolean {
  return ({ functionArn: target }) => target === functionArn || target.startsWith(`${functionArn}:`);
}

export function describeTrigger({ bucket, prefix, suffix, events }: TriggerDescription): TriggerDescription {
  return { bucket, prefix, suffix, events };
}

/** One statement per bucket, however many of its prefixes trigger. */
export function permissionId(bucket: string): string {
  return `scar-s3-${shortHash(bucket)}`;
}

/** The same trigger has the same ID, so that putting it again changes nothing. */
export function notificationId({ functionName, prefix, suffix }: Trigger): string {
  return `scar-${functionName}-${shortHash(`${prefix}\0${suffix}`)}`;
}

function withoutBucket({ id, functionArn, events, prefix, suffix }: FunctionNotification): FunctionNotification {
  return { id, functionArn, events, prefix, suffix };
}

/** Of the function's own partition: `aws`, `aws-cn`, `aws-us-gov`. */
function bucketArn(functionArn: string, bucket: string): string {
  return `arn:${functionArn.split(':')[1] ?? 'aws'}:s3:::${bucket}`;
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
