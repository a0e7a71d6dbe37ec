import { readFile } from 'node:fs/promises';
import {
  CONTAINER_VARIABLE_PREFIX,
  DEFAULT_RESERVE_MS,
  type FunctionSpec,
  faultOfFirstLine,
  firstLine,
  type OutputTarget,
  RUNNERS,
  type RunnerName,
} from '../contract/index.js';
import { ValidationError } from '../errors.js';
import { roleArn } from './config.js';
import { MAX_STORAGE_MIB } from './disk-size.js';
import * as check from './validate.js';

/** The processors that Lambda has, by its names for them. */
export type FunctionArchitecture = 'x86_64' | 'arm64';

/** A script: the path of a file, or its text. It runs in the container, by its `#!` line or `/bin/sh`. */
export type ScriptSource = string | { inline: string };

/** Which objects of a bucket invoke a function. */
export interface TriggerOptions {
  bucket: string;
  /** Only keys that begin with it. Default: all. */
  prefix?: string;
  /** Only keys that end with it. Default: all. */
  suffix?: string;
  /** S3's names of events. Default `['s3:ObjectCreated:*']`. */
  events?: string[];
}

/** Where the files of the container's output folder go. */
export interface OutputOptions {
  bucket: string;
  /** Prepended to the path below the output folder, as it is. Default `output/`. */
  prefix?: string;
  /** Only files whose path ends with one of these. Default: all. */
  suffixes?: string[];
}

/** How to reach an image's registry. */
export interface RegistryOptions {
  /**
   * For a registry that asks who you are. Used on this machine only: environments then have the image from your image bucket. Default: none, and
   * where that is refused, the login that `docker login` has kept (`$DOCKER_CONFIG` or `~/.docker`, with its credential helpers).
   */
  username?: string;
  password?: string;
  /** Speak plain HTTP, as a registry on this machine may. Default false, but true for `localhost` and `127.0.0.1`. */
  insecure?: boolean;
}

/** Where a function's environments bring its image in from. */
export type ImageSourceName = 'cache' | 'registry';

/** What createFunction and updateFunction may both say. */
export interface FunctionOptions {
  /** A script that runs in place of the image's ENTRYPOINT and CMD. */
  script?: ScriptSource;
  /** Arguments for the image's ENTRYPOINT in place of its CMD. */
  args?: string[];
  /** 128 to 10,240. CPU comes in proportion: 1,769 MiB are one vCPU. Default 512. */
  memoryMiB?: number;
  /** 1 to 900. Default 300. */
  timeoutSeconds?: number;
  /** Size of `/tmp`, which holds the unpacked image and the files at work: 512 to 10,240. Default 512. */
  ephemeralStorageMiB?: number;
  /** Variables of the container. All names and values together have at most 4 KB. */
  environment?: Record<string, string>;
  /** An empty list: no outputs are kept. Default: the input's own bucket, under `output/`. */
  output?: OutputOptions[];
  /**
   * Whether containers see themselves as root, or as their image's USER, as in Docker: `id`, `chown`, `su` or `apt-get install`
   * then do what they are expected to. An appearance: what the function's own user may not, they may not. Default true; false
   * shows the truth.
   */
  fakeRoot?: boolean;
  /** Execution role. Default: the client's. */
  roleArn?: string;
  /** Kept back from the deadline for staging out and the reply: 1 to 300. Default 10, and never more than half the time. */
  reserveSeconds?: number;
  /**
   * What runs the container: `in-process` everywhere; `namespaces` where the kernel lets an unprivileged user make some, as on
   * many laptops and never on Lambda: a root of the kernel's own, at its speed. Default `in-process`.
   */
  runner?: RunnerName;
  registry?: RegistryOptions;
  /**
   * Where execution environments bring the image in from. `cache`: one archive of all its layers, which this call makes with one pull
   * and keeps in your image bucket, or, of a small image, in the function's package; its registry is asked only if that fails.
   * `registry`: each environment pulls for itself. Default: `cache`, and `registry` with a warning where your bucket may not be
   * written to.
   */
  imageSource?: ImageSourceName;
  signal?: AbortSignal;
}

const BEHAVIOUR = ['script', 'args', 'output', 'fakeRoot', 'reserveSeconds', 'runner'] as const;
const SETTINGS = ['memoryMiB', 'timeoutSeconds', 'ephemeralStorageMiB', 'environment', 'roleArn'] as const;
const IMAGE = ['image', 'registry', 'imageSource'] as const;

/** Names of the options that both calls have. */
export const FUNCTION_OPTION_NAMES = [...IMAGE, ...BEHAVIOUR, ...SETTINGS, 'signal'] as const;

/** Checks the options that both calls have. `name` is not among them. */
export function checkFunctionOptions(options: FunctionOptions & { image?: string }): void {
  if (options.image !== undefined) check.text('image', options.image, 'e.g. docker.io/library/debian:12');
  checkScript(options.script);
  check.strings('args', options.args);
  check.integer('memoryMiB', options.memoryMiB, { min: 128, max: 10_240 });
  check.integer('timeoutSeconds', options.timeoutSeconds, { min: 1, max: 900 });
  check.integer('ephemeralStorageMiB', options.ephemeralStorageMiB, { min: 512, max: MAX_STORAGE_MIB });
  check.integer('reserveSeconds', options.reserveSeconds, { min: 1, max: 300 });
  check.environment('environment', options.environment);
  if (options.environment) lambdaVariables(options.environment);
  checkOutput(options.output);
  check.optionalBoolean('fakeRoot', options.fakeRoot);
  checkRegistry(options.registry);
  if (options.imageSource !== undefined && options.imageSource !== 'cache' && options.imageSource !== 'registry') {
    throw new ValidationError('imageSource', "be 'cache' or 'registry'", options.imageSource);
  }
  if (options.runner !== undefined && !RUNNERS.includes(options.runner)) {
    throw new ValidationError('runner', `be one of ${RUNNERS.join(', ')}`, options.runner);
  }
  if (options.roleArn !== undefined) roleArn('roleArn', options.roleArn);
  check.abortSignal(options.signal);
}

export function checkScript(script: unknown): void {
  if (script === undefined) return;
  const inline = (script as { inline?: unknown } | null)?.inline;
  if (typeof script === 'string' ? script !== '' : typeof inline === 'string' && inline !== '') return;
  throw new ValidationError('script', 'be a path, or { inline: text }', script);
}

/** The text of a script; throws `ValidationError` if its file cannot be read, or nothing could run it. */
export async function readScript(script: ScriptSource): Promise<Buffer> {
  const text = typeof script === 'string' ? await readScriptFile(script) : Buffer.from(script.inline);
  const line = firstLine(text);
  const fault = faultOfFirstLine(line);
  if (fault) throw new ValidationError('script', `not have ${fault.has}`, line, fault.remedy);
  return text;
}

async function readScriptFile(script: string): Promise<Buffer> {
  try {
    return await readFile(script);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ValidationError(
      'script',
      'be the path of a readable file',
      script,
      `${reason}. A text is { inline: text }`,
    );
  }
}

export function checkOutput(output: unknown): void {
  if (output === undefined) return;
  if (!Array.isArray(output))
    throw new ValidationError('output', 'be an array of { bucket, prefix, suffixes }', output);
  output.forEach((target, index) => {
    const option = `output[${index}]`;
    check.knownOptions(target, ['bucket', 'prefix', 'suffixes'], option);
    check.bucketName(`${option}.bucket`, target.bucket);
    check.optionalString(`${option}.prefix`, target.prefix);
    check.strings(`${option}.suffixes`, target.suffixes);
    if (target.prefix?.startsWith('/')) {
      throw new ValidationError(`${option}.prefix`, 'not begin with /', target.prefix, 'Keys have no leading slash');
    }
  });
}

export function checkTrigger(trigger: TriggerOptions | undefined): void {
  if (trigger === undefined) return;
  check.knownOptions(trigger, ['bucket', 'prefix', 'suffix', 'events'], 'trigger');
  check.bucketName('trigger.bucket', trigger.bucket);
  check.optionalString('trigger.prefix', trigger.prefix);
  check.optionalString('trigger.suffix', trigger.suffix);
  check.strings('trigger.events', trigger.events);
  for (const event of trigger.events ?? []) {
    if (!/^s3:[A-Za-z]+(:[A-Za-z*]+)?$/.test(event)) {
      throw new ValidationError('trigger.events', "be names of S3's events, e.g. s3:ObjectCreated:*", event);
    }
  }
}

function checkRegistry(registry: RegistryOptions | undefined): void {
  if (registry === undefined) return;
  check.knownOptions(registry, ['username', 'password', 'insecure'], 'registry');
  if ((registry.username === undefined) !== (registry.password === undefined)) {
    throw new ValidationError('registry', 'have both username and password, or neither', 'one of them');
  }
  // Neither is shown: users put tokens into both.
  for (const name of ['username', 'password'] as const) {
    const value = registry[name];
    if (value !== undefined && (typeof value !== 'string' || value === '')) {
      throw new ValidationError(`registry.${name}`, 'be a string that is not empty', 'something else');
    }
  }
  if (registry.insecure !== undefined && typeof registry.insecure !== 'boolean') {
    throw new ValidationError('registry.insecure', 'be true or false', registry.insecure);
  }
}

/**
 * Refuses a function that would invoke itself for ever: a trigger that matches what the function writes.
 *
 * @param output - where the function writes. Default: `output/` in the bucket of the input
 */
export function refuseEndlessLoop(
  trigger: Required<Pick<TriggerOptions, 'bucket' | 'prefix' | 'suffix'>>,
  output: OutputTarget[] = [{ bucket: trigger.bucket, prefix: 'output/' }],
): void {
  for (const target of output) {
    if (target.bucket !== trigger.bucket) continue;
    const prefixesMeet = target.prefix.startsWith(trigger.prefix) || trigger.prefix.startsWith(target.prefix);
    const suffixesMeet =
      target.suffixes?.some((suffix) => suffix.endsWith(trigger.suffix) || trigger.suffix.endsWith(suffix)) ?? true;
    if (!prefixesMeet || !suffixesMeet) continue;
    throw new ValidationError(
      'trigger.prefix',
      'not overlap with where the outputs go, or the function would invoke itself for ever',
      trigger.prefix,
      `The outputs go to ${target.bucket}/${target.prefix}: use other prefixes, such as input/ and output/, or another bucket`,
    );
  }
}

/** What {@link FunctionSpec} says of the function's behaviour, with the defaults. */
export function behaviour(
  options: FunctionOptions,
): Pick<FunctionSpec, 'args' | 'output' | 'fakeRoot' | 'reserveMs' | 'runner'> {
  return {
    ...(options.args && { args: [...options.args] }),
    ...(options.output && { output: outputTargets(options.output) }),
    ...(options.fakeRoot !== undefined && { fakeRoot: options.fakeRoot }),
    ...(options.runner && { runner: options.runner }),
    reserveMs: options.reserveSeconds === undefined ? DEFAULT_RESERVE_MS : options.reserveSeconds * 1000,
  };
}

export function outputTargets(output: OutputOptions[]): OutputTarget[] {
  return output.map(({ bucket, prefix = 'output/', suffixes }) => ({
    bucket,
    prefix,
    ...(suffixes && { suffixes: [...suffixes] }),
  }));
}

/** Lambda's limit on all variables together (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). */
const VARIABLES_BYTES = 4 * 1024;

/** The container's variables as Lambda gets them. */
export function lambdaVariables(environment: Record<string, string>): Record<string, string> {
  const variables = Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [`${CONTAINER_VARIABLE_PREFIX}${name}`, value]),
  );
  const bytes = Object.entries(variables).reduce((sum, entry) => sum + Buffer.byteLength(entry.join('')), 0);
  if (bytes > VARIABLES_BYTES) {
    throw new ValidationError(
      'environment',
      `have at most ${VARIABLES_BYTES} bytes of names and values, each name with the prefix ${CONTAINER_VARIABLE_PREFIX}`,
      `${bytes} bytes`,
      'Put more into the script, the image or a bucket',
    );
  }
  return variables;
}

/** The container's variables as the user gave them. */
export function containerVariables(variables: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables)
      .filter(([name]) => name.startsWith(CONTAINER_VARIABLE_PREFIX))
      .map(([name, value]) => [name.slice(CONTAINER_VARIABLE_PREFIX.length), value]),
  );
}
