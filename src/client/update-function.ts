import type { FunctionDetails, FunctionSettings } from '../aws/lambda.js';
import { CONTAINER_VARIABLE_PREFIX, type FunctionSpec, type Platform, TAGS } from '../contract/index.js';
import { ValidationError } from '../errors.js';
import { type ClientContext, underClient } from './context.js';
import { refuseSmallDisk } from './disk-size.js';
import type { ProgressEvent } from './events.js';
import { type FunctionCode, fetchFunctionCode } from './function-code.js';
import {
  describe,
  type FunctionDescription,
  imageTags,
  parseStoreTag,
  requireOurs,
  STORE_TAG,
} from './function-description.js';
import { type FunctionImage, resolveFunctionImage } from './function-image.js';
import {
  behaviour,
  checkFunctionOptions,
  FUNCTION_OPTION_NAMES,
  type FunctionOptions,
  lambdaVariables,
  readScript,
  refuseEndlessLoop,
} from './function-options.js';
import { type PackageContents, packFunction } from './function-package.js';
import { ImageStore, releaseOrWarn } from './image-store.js';
import { refuseMissingBuckets } from './missing-buckets.js';
import { type PublishedImage, publishImage } from './publish-image.js';
import { Rollback } from './rollback.js';
import { triggersOf } from './trigger.js';
import * as check from './validate.js';
import { untilRoleIsKnown, waitUntilReady } from './wait.js';

/** What to change; what is left out stays as it is. */
export interface UpdateFunctionOptions extends Omit<FunctionOptions, 'script' | 'args' | 'output'> {
  /** Another image, or the same reference again for what it means now. */
  image?: string;
  /** null: no script any more. */
  script?: FunctionOptions['script'] | null;
  /** null: the image's CMD again. */
  args?: string[] | null;
  /** null: the default again, `output/` in the input's own bucket. An empty list: no outputs are kept. */
  output?: FunctionOptions['output'] | null;
}

/** `ScarClient.updateFunction`. */
export function updateFunction(
  context: ClientContext,
  name: string,
  options: UpdateFunctionOptions,
): Promise<FunctionDescription> {
  check.functionName(name);
  checkOptions(options);
  return underClient(context, options.signal, async (signal) => {
    const script = options.script ? await readScript(options.script) : undefined;
    const details = requireOurs(await context.functions.get(name, signal));
    await refuseMissingBuckets(context, options, signal);
    const undo = new Rollback();
    const update: Update = { context, name, options, details, script, undo, signal };
    try {
      await waitUntilReady(context, name, signal);
      const tags = await updateCode(update);
      await updateSettings(update);
      const facts = await waitUntilReady(context, name, signal);
      await releaseOldImage(update, tags);
      const { [STORE_TAG]: _, ...others } = details.tags;
      return describe(facts, { ...(tags[TAGS.digest] ? others : details.tags), ...tags });
    } catch (error) {
      report(update, 'roll-back', 'Taking back what was changed');
      await undo.run(name, context.notify);
      throw error;
    }
  });
}

/** One update and what it works on. */
interface Update {
  context: ClientContext;
  name: string;
  options: UpdateFunctionOptions;
  details: FunctionDetails;
  /** The new one, if any. */
  script: Uint8Array | undefined;
  undo: Rollback;
  signal: AbortSignal;
}

function checkOptions(options: UpdateFunctionOptions): void {
  check.knownOptions(options, FUNCTION_OPTION_NAMES, 'updateFunction');
  checkFunctionOptions(withoutNulls(options));
  for (const option of ['registry', 'imageSource'] as const) {
    if (options[option] === undefined || options.image !== undefined) continue;
    throw new ValidationError(option, 'come with image', Object.keys(options), 'Name the image again to move it');
  }
}

/** What null stands for is what a function has when nothing is said. */
function withoutNulls({
  script,
  args,
  output,
  ...others
}: UpdateFunctionOptions): FunctionOptions & { image?: string } {
  return {
    ...others,
    ...(script != null && { script }),
    ...(args != null && { args }),
    ...(output != null && { output }),
  };
}

/** What is in the package: image, script, arguments, outputs. Returns the tags that it changed. */
async function updateCode(update: Update): Promise<Record<string, string>> {
  const { context, options, details, signal } = update;
  const { image, script: newScript, args, output, fakeRoot, reserveSeconds, runner, ephemeralStorageMiB } = options;
  const changes = [image, newScript, args, output, fakeRoot, reserveSeconds, runner];
  const isChanged = changes.some((change) => change !== undefined);
  if (!isChanged && ephemeralStorageMiB === undefined) return {};
  const code = await fetchFunctionCode(details, signal);
  if (code.index && image === undefined && ephemeralStorageMiB !== undefined) {
    refuseSmallDisk(code.spec.imageReference, code.index.disk, ephemeralStorageMiB);
  }
  if (!isChanged) return {};
  const published = image === undefined ? undefined : await publish(update, image, code.spec.platform);
  const spec = changedSpec(update, code.spec, published);
  for (const trigger of await triggersOf(context, details.facts, signal)) refuseEndlessLoop(trigger, spec.output);
  const script = update.script ?? (options.script === null ? undefined : code.script);
  const { index, rootfs }: PackageContents = published ?? code;
  const { zip } = await packFunction(context.config.supervisorDirectory, spec, { script, index, rootfs });
  await replaceCode(update, code, zip);
  return published ? await retag(update, spec) : {};
}

/** The new image, where environments can reach it. */
async function publish(
  update: Update,
  image: string,
  platform: Platform,
): Promise<PublishedImage & { digest: string }> {
  const { context, name, options, details, undo, signal } = update;
  report(update, 'resolve-image', `Resolving ${image}`);
  const found: FunctionImage = await resolveFunctionImage(image, platform, options, context, signal);
  try {
    const { roleArn = details.facts.roleArn, ephemeralStorageMiB = details.facts.ephemeralStorageMiB } = options;
    const published = await publishImage(context, name, found, {
      roleArn,
      ephemeralStorageMiB,
      undo,
      progress: (step, message, counted) => report(update, step, message, counted),
      signal,
    });
    return { ...published, digest: found.image.digest };
  } finally {
    await found.source.close();
  }
}

function changedSpec(
  { options, script }: Update,
  old: FunctionSpec,
  published: (PublishedImage & { digest: string }) | undefined,
): FunctionSpec {
  const changed = behaviour(withoutNulls(options));
  const { args: oldArgs, output: oldOutput, ...rest } = old;
  const args = options.args === undefined ? oldArgs : changed.args;
  const output = options.output === undefined ? oldOutput : changed.output;
  return {
    ...rest,
    hasScript: options.script === undefined ? old.hasScript : script !== undefined,
    ...(args && { args }),
    ...(output && { output }),
    ...(changed.fakeRoot !== undefined && { fakeRoot: changed.fakeRoot }),
    ...(options.reserveSeconds !== undefined && { reserveMs: changed.reserveMs }),
    ...(changed.runner && { runner: changed.runner }),
    ...(published &&
      options.image !== undefined && {
        imageReference: options.image,
        imageDigest: published.digest,
        imageLocation: published.location,
      }),
  };
}

async function replaceCode(update: Update, old: FunctionCode, zip: Uint8Array): Promise<void> {
  const { context, name, details, undo, signal } = update;
  const { architecture } = details.facts;
  report(update, 'update-function', 'Replacing its package');
  await context.functions.updateCode(name, zip, architecture, signal);
  undo.made('the changed package', async () => {
    await waitUntilReady(context, name, new AbortController().signal);
    await context.functions.updateCode(name, old.zip, architecture);
  });
  report(update, 'wait-until-ready', 'Waiting until Lambda has it');
  await waitUntilReady(context, name, signal);
}

/** The tags tell which image runs, and where it is if it is in a bucket. */
async function retag(update: Update, spec: FunctionSpec): Promise<Record<string, string>> {
  const { context, details, undo, signal } = update;
  const tags = imageTags(spec);
  const replace = async (from: Record<string, string>, to: Record<string, string>, signal?: AbortSignal) => {
    const { arn } = details.facts;
    await context.functions.tag(arn, to, signal);
    if (from[STORE_TAG] && !to[STORE_TAG]) await context.functions.untag(arn, [STORE_TAG], signal);
  };
  undo.made('the changed tags', () => replace(tags, details.tags));
  await replace(details.tags, tags, signal);
  return tags;
}

/** Memory, time, disk, variables and role: Lambda's own settings. */
async function updateSettings(update: Update): Promise<void> {
  const { context, name, options, details, undo, signal } = update;
  const { memoryMiB, timeoutSeconds, ephemeralStorageMiB, roleArn, environment } = options;
  const { variables: old } = details.facts;
  const others = Object.fromEntries(Object.entries(old).filter(([key]) => !key.startsWith(CONTAINER_VARIABLE_PREFIX)));
  const settings: Partial<FunctionSettings> = {
    ...(memoryMiB !== undefined && { memoryMiB }),
    ...(timeoutSeconds !== undefined && { timeoutSeconds }),
    ...(ephemeralStorageMiB !== undefined && { ephemeralStorageMiB }),
    ...(roleArn !== undefined && { roleArn }),
    ...(environment !== undefined && { variables: { ...others, ...lambdaVariables(environment) } }),
  };
  if (Object.keys(settings).length === 0) return;
  report(update, 'update-function', 'Changing its settings');
  const doing = `update function ${name}`;
  await untilRoleIsKnown(context, doing, signal, () => context.functions.updateConfiguration(name, settings, signal));
  undo.made('the changed settings', async () => {
    await waitUntilReady(context, name, new AbortController().signal);
    await context.functions.updateConfiguration(name, details.facts);
  });
  report(update, 'wait-until-ready', 'Waiting until Lambda has them');
}

/** Only when nothing can fail any more: until then the way back needs it. */
async function releaseOldImage(update: Update, tags: Record<string, string>): Promise<void> {
  const { context, name, details, signal } = update;
  const old = parseStoreTag(details.tags[STORE_TAG]);
  if (!old || tags[TAGS.digest] === undefined) return;
  const sameStore = tags[STORE_TAG] === details.tags[STORE_TAG];
  const store = new ImageStore(context, old, await context.region());
  await releaseOrWarn(context, name, store, (digest) => !sameStore || digest !== tags[TAGS.digest], signal);
}

function report(
  { context, name }: Update,
  step: ProgressEvent['step'],
  message: string,
  counted: { done?: number; total?: number } = {},
): void {
  context.notify.progress({ operation: 'updateFunction', functionName: name, step, message, ...counted });
}
