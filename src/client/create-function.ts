import type { NewFunction } from '../aws/lambda.js';
import { type FunctionSpec, TAGS } from '../contract/index.js';
import { FunctionError, ScarError, ValidationError } from '../errors.js';
import { formatBytes } from '../util/format-bytes.js';
import { type ClientContext, underClient } from './context.js';
import type { ProgressEvent } from './events.js';
import { describe, type FunctionDescription, imageTags, STORE_TAG, tagValue } from './function-description.js';
import { PLATFORMS, resolveFunctionImage } from './function-image.js';
import {
  behaviour,
  checkFunctionOptions,
  checkTrigger,
  FUNCTION_OPTION_NAMES,
  type FunctionArchitecture,
  type FunctionOptions,
  lambdaVariables,
  readScript,
  refuseEndlessLoop,
  type TriggerOptions,
} from './function-options.js';
import { HANDLER, packFunction } from './function-package.js';
import { refuseMissingBuckets } from './missing-buckets.js';
import { publishImage } from './publish-image.js';
import { Rollback } from './rollback.js';
import { connectTrigger, triggerOf } from './trigger.js';
import * as check from './validate.js';
import { untilRoleIsKnown, waitUntilReady } from './wait.js';

/** What a function is made of. */
export interface CreateFunctionOptions extends FunctionOptions {
  /** 1 to 64 letters, digits, hyphens and underscores. */
  name: string;
  /** Any reference (`debian:12`, `ghcr.io/a/b@sha256:...`), `oci:DIR[:TAG]`, or `docker-archive:FILE.tar`. */
  image: string;
  /**
   * Processors to run on; the image must be made for them (`linux/amd64`, `linux/arm64`). Default `x86_64`. The embedded engine
   * runs functions of its machine's own architecture only.
   */
  architecture?: FunctionArchitecture;
  /** Objects that invoke the function when they are put into a bucket. */
  trigger?: TriggerOptions;
  /** Tags beside the package's own. */
  tags?: Record<string, string>;
  /** How long CloudWatch keeps the log, in days, of the numbers that it knows. Default 30. */
  logRetentionDays?: number;
}

/** What a function has of `/tmp` when nothing is said, in MiB. */
const DEFAULT_STORAGE_MIB = 512;

/** The runtime that the supervisor is built for (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html). */
export const RUNTIME = 'nodejs22.x' as const;

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html */
const RETENTION_DAYS: readonly number[] = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/** `ScarClient.createFunction`. */
export function createFunction(context: ClientContext, options: CreateFunctionOptions): Promise<FunctionDescription> {
  const roleArn = checkOptions(context, options);
  return underClient(context, options.signal, async (signal) => {
    const { name, architecture = 'x86_64' } = options;
    const script = options.script === undefined ? undefined : await readScript(options.script);
    await refuseTakenName(context, name, signal);
    await refuseMissingBuckets(context, options, signal);
    const progress = reporter(context, name);
    progress('resolve-image', `Resolving ${options.image}`);
    const found = await resolveFunctionImage(options.image, PLATFORMS[architecture], options, context, signal);
    const undo = new Rollback();
    try {
      const { ephemeralStorageMiB = DEFAULT_STORAGE_MIB } = options;
      const publishing = { roleArn, ephemeralStorageMiB, undo, progress, signal };
      const { location, ...contents } = await publishImage(context, name, found, publishing);
      const spec: FunctionSpec = {
        version: 1,
        imageReference: options.image,
        imageDigest: found.image.digest,
        imageLocation: location,
        platform: PLATFORMS[architecture],
        hasScript: script !== undefined,
        ...behaviour(options),
      };
      const pack = await packFunction(context.config.supervisorDirectory, spec, { script, ...contents });
      progress('create-function', `Creating function ${name} (${formatBytes(pack.zip.byteLength)})`);
      const settings = lambdaSettings(context, options, roleArn, spec, pack.zip);
      await create(context, settings, pack.sha256, undo, signal);
      progress('create-log-group', 'Creating its log group');
      await createLogGroup(context, options, undo, signal);
      progress('wait-until-ready', 'Waiting until it can be invoked');
      const facts = await waitUntilReady(context, name, signal);
      if (options.trigger) {
        progress('put-trigger', `Connecting bucket ${options.trigger.bucket}`);
        await connectTrigger(context, triggerOf(facts, options.trigger), undo, signal);
      }
      return describe(facts, settings.tags);
    } catch (error) {
      progress('roll-back', 'Removing what was made');
      await undo.run(name, context.notify);
      throw error;
    } finally {
      await found.source.close();
    }
  });
}

/** Returns the role. */
function checkOptions(context: ClientContext, options: CreateFunctionOptions): string {
  const names = [...FUNCTION_OPTION_NAMES, 'name', 'architecture', 'trigger', 'tags', 'logRetentionDays'];
  check.knownOptions(options, names, 'createFunction');
  check.functionName(options.name);
  check.text('image', options.image, 'e.g. docker.io/library/debian:12');
  checkFunctionOptions(options);
  if (options.architecture !== undefined && !Object.hasOwn(PLATFORMS, options.architecture)) {
    throw new ValidationError('architecture', "be 'x86_64' or 'arm64'", options.architecture);
  }
  checkTrigger(options.trigger);
  checkTags(options.tags);
  if (options.logRetentionDays !== undefined && !RETENTION_DAYS.includes(options.logRetentionDays)) {
    throw new ValidationError('logRetentionDays', `be one of ${RETENTION_DAYS.join(', ')}`, options.logRetentionDays);
  }
  if (options.trigger) {
    const { bucket, prefix = '', suffix = '' } = options.trigger;
    refuseEndlessLoop({ bucket, prefix, suffix }, behaviour(options).output);
  }
  const roleArn = options.roleArn ?? context.config.roleArn;
  if (roleArn === undefined) {
    const hint = 'Give it here, to the client, or as SCAR_ROLE_ARN';
    throw new ValidationError('roleArn', 'be the ARN of the execution role', roleArn, hint);
  }
  return roleArn;
}

function checkTags(tags: Record<string, string> | undefined): void {
  const own: readonly string[] = [TAGS.createdBy[0], TAGS.owner, TAGS.image, TAGS.digest, STORE_TAG];
  for (const [name, value] of Object.entries(tags ?? {})) {
    if (own.includes(name)) throw new ValidationError(`tags.${name}`, "not be one of the package's own", name);
    if (typeof value !== 'string' || value !== tagValue(value) || name !== tagValue(name).slice(-128)) {
      throw new ValidationError(`tags.${name}`, 'consist of letters, digits, spaces and + - = . _ : / @', value);
    }
  }
}

/** Found out before anything is uploaded; two that race for a name are told apart by Lambda itself. */
async function refuseTakenName(context: ClientContext, name: string, signal: AbortSignal): Promise<void> {
  try {
    await context.functions.configuration(name, signal);
  } catch (error) {
    if (error instanceof ScarError && error.code === 'function-not-found') return;
    throw error;
  }
  throw new FunctionError(
    'function-exists',
    `A function named ${JSON.stringify(name)} exists already. Choose another name, update it, or delete it first`,
    { context: { functionName: name } },
  );
}

/**
 * Made before anything can invoke the function, because a group that Lambda makes by itself keeps its events for ever; and
 * after the function, because only who has the name may take the group away again.
 */
async function createLogGroup(
  context: ClientContext,
  { name, logRetentionDays }: CreateFunctionOptions,
  undo: Rollback,
  signal: AbortSignal,
): Promise<void> {
  const group = `/aws/lambda/${name}`;
  const created = await context.logs.createGroup(group, signal);
  if (created) undo.made(`log group ${group}`, () => context.logs.deleteGroup(group));
  // A group that was there has its owner's retention, unless this call says otherwise.
  if (created || logRetentionDays !== undefined) await context.logs.keepFor(group, logRetentionDays ?? 30, signal);
}

function lambdaSettings(
  context: ClientContext,
  options: CreateFunctionOptions,
  roleArn: string,
  spec: FunctionSpec,
  zip: Uint8Array,
): NewFunction {
  return {
    name: options.name,
    description: `SCAR: ${options.image}`.slice(0, 256),
    runtime: RUNTIME,
    handler: HANDLER,
    architecture: options.architecture ?? 'x86_64',
    roleArn,
    memoryMiB: options.memoryMiB ?? 512,
    timeoutSeconds: options.timeoutSeconds ?? 300,
    ephemeralStorageMiB: options.ephemeralStorageMiB ?? DEFAULT_STORAGE_MIB,
    variables: lambdaVariables(options.environment ?? {}),
    zip,
    tags: {
      ...options.tags,
      [TAGS.createdBy[0]]: TAGS.createdBy[1],
      [TAGS.owner]: tagValue(context.config.owner),
      ...imageTags(spec),
    },
  };
}

async function create(
  context: ClientContext,
  settings: NewFunction,
  sha256: string,
  undo: Rollback,
  signal: AbortSignal,
): Promise<void> {
  const { name } = settings;
  const { functions } = context;
  try {
    await untilRoleIsKnown(context, `create function ${name}`, signal, () => functions.create(settings, signal));
    undo.made('the function', () => functions.delete(name));
  } catch (error) {
    // An abort or a broken connection leaves open whether Lambda made it. The name was free: what now has it and our own
    // package is ours.
    const unknown = !(error instanceof ScarError) || (error.code === 'service' && error.retryable);
    if (unknown) undo.made('the function', () => deleteIfMade(context, name, sha256));
    throw error;
  }
}

async function deleteIfMade(context: ClientContext, name: string, sha256: string): Promise<void> {
  try {
    const { codeSha256 } = await context.functions.configuration(name);
    if (codeSha256 === sha256) await context.functions.delete(name);
  } catch (error) {
    if (!(error instanceof ScarError) || error.code !== 'function-not-found') throw error;
  }
}

function reporter(context: ClientContext, functionName: string) {
  return (step: ProgressEvent['step'], message: string, counted: { done?: number; total?: number } = {}) =>
    context.notify.progress({ operation: 'createFunction', functionName, step, message, ...counted });
}
