import type { CreateFunctionRequest, UpdateFunctionConfigurationRequest } from '@aws-sdk/client-lambda';
import { RESERVED_VARIABLES } from '../../environment/variables.js';
import { errors } from './errors.js';
import type { FunctionSettings } from './function-record.js';

/** Runtimes that the engine can run. */
const RUNTIMES = ['nodejs20.x', 'nodejs22.x', 'nodejs24.x', 'provided.al2023'] as const;

const MAX_VARIABLES_BYTES = 4096;
const MAX_TAGS = 50;

const ROLE = /^arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role\/?[a-zA-Z_0-9+=,.@\-_/]+$/;
const HANDLER = /^[^\s]+$/;
const VARIABLE = /^[a-zA-Z]([a-zA-Z0-9_])+$/;
const LOG_GROUP = /^[.\-_/#A-Za-z0-9]+$/;

type Configuration = Omit<UpdateFunctionConfigurationRequest, 'FunctionName' | 'RevisionId'>;

/** What Lambda takes when a request says nothing. */
const DEFAULTS = { description: '', memoryMiB: 128, timeoutSeconds: 3, ephemeralStorageMiB: 512, variables: {} };

/**
 * The settings of a new function.
 *
 * @throws ServiceError as Lambda words it, or one that names what the engine does not support
 */
export function newSettings(request: CreateFunctionRequest): FunctionSettings {
  if (request.PackageType !== undefined && request.PackageType !== 'Zip') {
    throw errors.unsupported(`PackageType ${request.PackageType}`);
  }
  if (request.Publish) throw errors.unsupported('Publish');
  for (const member of ['CodeSigningConfigArn', 'PublishTo', 'TenancyConfig'] as const) refuse(request, member);
  const { Runtime: runtime, Handler: handler, Role: role = '' } = request;
  if (runtime === undefined || handler === undefined) {
    throw errors.invalidParameter(
      'Runtime and Handler are mandatory parameters for functions created with deployment packages.',
    );
  }
  const defaults = { ...DEFAULTS, role, runtime, handler, logGroup: `/aws/lambda/${request.FunctionName}` };
  return changeSettings(defaults, request);
}

/** The settings after a change; what the request does not name stays. @throws ServiceError, as {@link newSettings} */
export function changeSettings(settings: FunctionSettings, request: Configuration): FunctionSettings {
  refuseUnsupported(request);
  const changed: FunctionSettings = {
    role: request.Role ?? settings.role,
    runtime: request.Runtime ?? settings.runtime,
    handler: request.Handler ?? settings.handler,
    description: request.Description ?? settings.description,
    memoryMiB: request.MemorySize ?? settings.memoryMiB,
    timeoutSeconds: request.Timeout ?? settings.timeoutSeconds,
    ephemeralStorageMiB: request.EphemeralStorage?.Size ?? settings.ephemeralStorageMiB,
    variables: request.Environment ? (request.Environment.Variables ?? {}) : settings.variables,
    logGroup: request.LoggingConfig?.LogGroup ?? settings.logGroup,
  };
  checkSettings(changed);
  return changed;
}

function checkSettings(settings: FunctionSettings): void {
  checkPattern(settings.role, 'role', ROLE);
  if (!RUNTIMES.some((runtime) => runtime === settings.runtime)) {
    throw errors.invalidParameter(
      `Value ${settings.runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [${RUNTIMES.join(', ')}] (those that the embedded engine runs)`,
    );
  }
  checkPattern(settings.handler, 'handler', HANDLER);
  checkLength(settings.handler, 'handler', 128);
  checkLength(settings.description, 'description', 256);
  checkRange(settings.memoryMiB, 'memorySize', 128, 10_240);
  checkRange(settings.timeoutSeconds, 'timeout', 1, 900);
  checkRange(settings.ephemeralStorageMiB, 'ephemeralStorage.size', 512, 10_240);
  checkPattern(settings.logGroup, 'loggingConfig.logGroup', LOG_GROUP);
  checkLength(settings.logGroup, 'loggingConfig.logGroup', 512);
  checkVariables(settings.variables);
}

function checkVariables(variables: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(variables)) checkPattern(name, 'environment.variables', VARIABLE);
  const reserved = Object.keys(variables).filter((name) => RESERVED_VARIABLES.has(name));
  if (reserved.length > 0) {
    throw errors.invalidParameter(
      `Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: ${reserved.join(', ')}`,
    );
  }
  const text = JSON.stringify(variables);
  if (Buffer.byteLength(text) > MAX_VARIABLES_BYTES) {
    // Lambda repeats them all, values too; secrets do not belong in an error.
    throw errors.invalidParameter(
      `Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. Bytes measured: ${Buffer.byteLength(text)}`,
    );
  }
}

/** @throws ServiceError when a function would have more tags than Lambda allows, or one too long */
export function checkTags(tags: Readonly<Record<string, string>>): void {
  if (Object.keys(tags).length > MAX_TAGS) {
    throw errors.invalidParameter(`Number of tags exceeds resource tag limit of ${MAX_TAGS}`);
  }
  for (const [name, value] of Object.entries(tags)) {
    if (name.length < 1 || name.length > 128) throw errors.invalidParameter('Tag keys must have 1 to 128 characters');
    if (value.length > 256) throw errors.invalidParameter('Tag values must have at most 256 characters');
    if (/^aws:/i.test(name)) throw errors.invalidParameter('Tag keys starting with aws: are reserved for system use');
  }
}

/** Members of both requests that the engine does not implement; empty ones ask for nothing. */
const UNSUPPORTED = [
  'VpcConfig',
  'DeadLetterConfig',
  'KMSKeyArn',
  'Layers',
  'FileSystemConfigs',
  'ImageConfig',
  'CapacityProviderConfig',
  'DurableConfig',
] as const;

function refuseUnsupported(request: Configuration): void {
  for (const member of UNSUPPORTED) refuse(request, member);
  if (request.TracingConfig?.Mode === 'Active') throw errors.unsupported('TracingConfig.Mode Active');
  if (request.SnapStart?.ApplyOn === 'PublishedVersions')
    throw errors.unsupported('SnapStart.ApplyOn PublishedVersions');
  if (request.LoggingConfig?.LogFormat === 'JSON') throw errors.unsupported('LoggingConfig.LogFormat JSON');
}

/** @throws ServiceError naming the member when the request gives it a value that is not empty */
function refuse<Request extends object>(request: Request, member: keyof Request & string): void {
  if (!isEmpty(request[member])) throw errors.unsupported(member);
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true;
  return typeof value === 'object' && Object.values(value).every(isEmpty);
}

function checkRange(value: number, member: string, least: number, most: number): void {
  if (!Number.isInteger(value)) throw errors.validation(value, member, 'Member must be an integer');
  if (value < least) throw errors.validation(value, member, `Member must have value greater than or equal to ${least}`);
  if (value > most) throw errors.validation(value, member, `Member must have value less than or equal to ${most}`);
}

function checkLength(value: string, member: string, most: number): void {
  if (value.length > most) {
    throw errors.validation(value, member, `Member must have length less than or equal to ${most}`);
  }
}

function checkPattern(value: string, member: string, pattern: RegExp): void {
  if (pattern.test(value)) return;
  throw errors.validation(
    value,
    member,
    `Member must satisfy regular expression pattern: ${pattern.source.slice(1, -1)}`,
  );
}
