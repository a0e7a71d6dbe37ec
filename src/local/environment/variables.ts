import type { FunctionVersion } from './function-version.js';

/** Keys that the environment's process uses for the engine. */
export interface EngineCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** Gives each environment credentials of its own, and takes them back at its end. */
export interface SessionIssuer {
  issueSession(): EngineCredentials;
  revoke(accessKeyId: string): void;
}

export interface VariableSources {
  readonly function: FunctionVersion;
  readonly region: string;
  /** The engine's address for the SDK inside the function. */
  readonly endpoint: string;
  readonly credentials: EngineCredentials;
  readonly logStream: string;
  readonly runtimeFolder: string;
  /** Where the language's own programs are, first in PATH as Lambda's /var/lang/bin is. */
  readonly programFolder: string;
  /** Set for runtimes that reach the Runtime API by TCP. */
  readonly runtimeApi?: string;
  readonly temporaryFolder: string;
  /** Path of the file that counts the processes that were killed for lack of memory. */
  readonly memoryEvents: string;
}

/**
 * The whole environment of a runtime's process: what Lambda sets
 * (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html), the function's own variables, and three
 * for what is different here: AWS_ENDPOINT_URL (a numeric address makes the SDK choose path style by itself), TMPDIR, as
 * there is no /tmp of its own, and LAMBDA_LOCAL_MEMORY_EVENTS, as the kernel does not know of the limit. Nothing of the engine's own environment is passed on.
 */
export function environmentVariables(sources: VariableSources): Record<string, string> {
  const { function: target, credentials, region } = sources;
  return {
    TZ: ':UTC',
    LANG: 'en_US.UTF-8',
    PATH: `${sources.programFolder}:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/opt/bin`,
    ...target.variables,
    TMPDIR: sources.temporaryFolder,
    LAMBDA_LOCAL_MEMORY_EVENTS: sources.memoryEvents,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_ENDPOINT_URL: sources.endpoint,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SESSION_TOKEN: credentials.sessionToken,
    AWS_LAMBDA_FUNCTION_NAME: target.name,
    AWS_LAMBDA_FUNCTION_VERSION: target.version,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(target.memoryMiB),
    AWS_LAMBDA_LOG_GROUP_NAME: target.logGroup,
    AWS_LAMBDA_LOG_STREAM_NAME: sources.logStream,
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_EXECUTION_ENV: `AWS_Lambda_${target.runtime}`,
    LAMBDA_TASK_ROOT: target.codeFolder,
    LAMBDA_RUNTIME_DIR: sources.runtimeFolder,
    _HANDLER: target.handler,
    ...(sources.runtimeApi === undefined ? {} : { AWS_LAMBDA_RUNTIME_API: sources.runtimeApi }),
  };
}

/**
 * Names that a function may not set
 * (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime).
 */
export const RESERVED_VARIABLES: ReadonlySet<string> = new Set([
  '_HANDLER',
  '_X_AMZN_TRACE_ID',
  'AWS_DEFAULT_REGION',
  'AWS_REGION',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  'AWS_LAMBDA_FUNCTION_VERSION',
  'AWS_LAMBDA_INITIALIZATION_TYPE',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_ACCESS_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_LAMBDA_RUNTIME_API',
  'LAMBDA_TASK_ROOT',
  'LAMBDA_RUNTIME_DIR',
]);
