import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CONTAINER_VARIABLE_PREFIX,
  CREDENTIAL_VARIABLES,
  type FunctionSpec,
  runnerFile,
  SCRIPT_FILE,
  SPEC_FILE,
} from '../src/contract/index.js';
import { ScarError } from '../src/errors.js';

/** A folder that users may add to the function's package, as SCAR's `--extra-payload` does. */
const EXTRA_FOLDER = 'extra';

/** All that the supervisor takes from its surroundings, resolved once when the environment starts. */
export interface Config {
  readonly spec: FunctionSpec;
  /** Folder of the function's package. */
  readonly packageFolder: string;
  /** The user's script from the function's zip. */
  readonly script: Buffer | undefined;
  /** Folder of the package with further files for containers; undefined if it has none. */
  readonly extraPayload: string | undefined;
  /** The native runner in the zip. */
  readonly runner: string;
  /** Folder for all that the supervisor writes: `<tmp>/scar`, kept while the environment lives. */
  readonly scratch: string;
  /** Whether AWS is reached at an endpoint of its own: the embedded engine's, or a VPC's. */
  readonly customEndpoint: boolean;
  /** The log stream's name, which is unique to the environment. */
  readonly environmentId: string;
  /** The function's memory; undefined where nothing says it. */
  readonly memoryBytes: number | undefined;
  /** Files that count, in a line `oom_kill <count>`, the processes that were killed for lack of memory. */
  readonly killCounters: readonly string[];
  /** The user's variables for every container, without their prefix. */
  readonly userVariables: Readonly<Record<string, string>>;
  /** The function's credentials, Region and endpoint, as the container gets them. */
  readonly functionVariables: Readonly<Record<string, string>>;
}

/**
 * Reads the configuration from Lambda's variables
 * (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html) and from the function's package.
 *
 * @throws ScarError `invocation-failed` if the package is not one that this supervisor can serve
 */
export function resolveConfig(environment: NodeJS.ProcessEnv): Config {
  const folder = environment.LAMBDA_TASK_ROOT ?? process.cwd();
  const spec = readSpec(join(folder, SPEC_FILE));
  const megabytes = Number(environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE);
  return Object.freeze({
    spec,
    packageFolder: folder,
    script: spec.hasScript ? readFileSync(join(folder, SCRIPT_FILE)) : undefined,
    extraPayload: existsSync(join(folder, EXTRA_FOLDER)) ? join(folder, EXTRA_FOLDER) : undefined,
    runner: join(folder, runnerFile(spec.platform.architecture)),
    scratch: join(tmpdir(), 'scar'),
    customEndpoint: Boolean(environment.AWS_ENDPOINT_URL ?? environment.AWS_ENDPOINT_URL_S3),
    environmentId: environment.AWS_LAMBDA_LOG_STREAM_NAME ?? `local/${process.pid}`,
    memoryBytes: megabytes > 0 ? megabytes * 1024 * 1024 : undefined,
    killCounters: killCounters(environment.LAMBDA_LOCAL_MEMORY_EVENTS),
    userVariables: Object.freeze(withoutPrefix(environment)),
    functionVariables: Object.freeze(pick(environment, CREDENTIAL_VARIABLES)),
  });
}

/**
 * The kernel's own count, since Linux 4.13: kills by a cgroup's limit are counted too. On Lambda, one virtual machine per
 * environment, it is of this environment alone. The embedded engine, where the limit is not the kernel's, counts in a file
 * in the format of cgroup v2's memory.events.
 */
function killCounters(memoryEvents: string | undefined): readonly string[] {
  return ['/proc/vmstat', ...(memoryEvents === undefined ? [] : [memoryEvents])];
}

function readSpec(file: string): FunctionSpec {
  let spec: Partial<FunctionSpec>;
  try {
    spec = JSON.parse(readFileSync(file, 'utf8')) as Partial<FunctionSpec>;
  } catch (error) {
    throw new ScarError(
      'invocation-failed',
      `The function's package has no readable ${SPEC_FILE}: ${(error as Error).message}. Create the function anew`,
      { context: { file }, cause: error },
    );
  }
  if (spec.version !== 1) {
    throw new ScarError(
      'invocation-failed',
      `${SPEC_FILE} must have version 1; received ${JSON.stringify(spec.version)}. ` +
        'Update the function with the version of the package that created it',
      { context: { file, version: spec.version } },
    );
  }
  return Object.freeze(spec as FunctionSpec);
}

function withoutPrefix(environment: NodeJS.ProcessEnv): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || !name.startsWith(CONTAINER_VARIABLE_PREFIX)) continue;
    variables[name.slice(CONTAINER_VARIABLE_PREFIX.length)] = value;
  }
  return variables;
}

function pick(environment: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const name of names) {
    const value = environment[name];
    if (value !== undefined) variables[name] = value;
  }
  return variables;
}
