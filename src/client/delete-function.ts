import type { FunctionDetails as LambdaDetails } from '../aws/lambda.js';
import { ScarError } from '../errors.js';
import { type ClientContext, underClient } from './context.js';
import { parseStoreTag, requireOurs, STORE_TAG } from './function-description.js';
import type { CallOptions } from './get-function.js';
import { ImageStore, releaseOrWarn } from './image-store.js';
import { configuredStore } from './publish-image.js';
import { goesTo, permittedBuckets, removeNotifications, type TriggerDescription } from './trigger.js';
import * as check from './validate.js';

export interface DeleteFunctionOptions extends CallOptions {
  /** Keep the log group. Default false. */
  keepLogs?: boolean;
}

/** What a deletion found and removed; a part that was gone already is false or empty. */
export interface DeletedFunction {
  name: string;
  function: boolean;
  logGroup: boolean;
  triggers: TriggerDescription[];
  /** Keys in the image bucket, of an image that no other function uses. */
  imageKeys: string[];
}

/** `ScarClient.deleteFunction`. */
export function deleteFunction(
  context: ClientContext,
  name: string,
  options: DeleteFunctionOptions = {},
): Promise<DeletedFunction> {
  check.functionName(name);
  check.knownOptions(options, ['keepLogs', 'signal'], 'deleteFunction');
  check.optionalBoolean('keepLogs', options.keepLogs);
  check.abortSignal(options.signal);
  return underClient(context, options.signal, async (signal) => {
    const step = (message: string) =>
      context.notify.progress({ operation: 'deleteFunction', functionName: name, step: 'delete', message });
    const details = await find(context, name, signal);
    // Before the function: its policy is what tells which buckets to look into, and a bucket must not invoke nothing.
    step('Disconnecting its buckets');
    const triggers = details ? await disconnect(context, details.facts, signal) : [];
    step('Deleting the function');
    const deleted = details !== undefined && (await remove(context, name, signal));
    step('Deleting its log group and image');
    const group = details?.facts.logGroup ?? `/aws/lambda/${name}`;
    const logGroup = options.keepLogs ? false : await context.logs.deleteGroup(group, signal);
    const imageKeys = await releaseImage(context, name, details?.tags, signal);
    return { name, function: deleted, logGroup, triggers, imageKeys };
  });
}

async function find(context: ClientContext, name: string, signal: AbortSignal): Promise<LambdaDetails | undefined> {
  let details: LambdaDetails;
  try {
    details = await context.functions.get(name, signal);
  } catch (error) {
    if (error instanceof ScarError && error.code === 'function-not-found') return undefined;
    throw error;
  }
  return requireOurs(details);
}

async function disconnect(
  context: ClientContext,
  { name, arn }: { name: string; arn: string },
  signal: AbortSignal,
): Promise<TriggerDescription[]> {
  const removed: TriggerDescription[] = [];
  for (const { bucket, statementId } of await permittedBuckets(context, name, signal)) {
    removed.push(...(await removeNotifications(context, bucket, goesTo(arn), signal)));
    await context.functions.disallow(name, statementId, signal);
  }
  return removed;
}

/** False if somebody else was faster. */
async function remove(context: ClientContext, name: string, signal: AbortSignal): Promise<boolean> {
  try {
    await context.functions.delete(name, signal);
    return true;
  } catch (error) {
    if (error instanceof ScarError && error.code === 'function-not-found') return false;
    throw error;
  }
}

async function releaseImage(
  context: ClientContext,
  name: string,
  tags: Record<string, string> | undefined,
  signal: AbortSignal,
): Promise<string[]> {
  const region = await context.region();
  // The tags of a function that is gone are gone with it.
  const address = tags ? parseStoreTag(tags[STORE_TAG]) : configuredStore(context.config, region);
  if (!address) return [];
  return await releaseOrWarn(context, name, new ImageStore(context, address, region), () => true, signal);
}
