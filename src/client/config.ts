import { existsSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CloudWatchLogsClient, CloudWatchLogsClientConfig } from '@aws-sdk/client-cloudwatch-logs';
import type { LambdaClient, LambdaClientConfig } from '@aws-sdk/client-lambda';
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { ValidationError } from '../errors.js';
import { atMirror, parseReference, type RegistryReference } from '../oci/index.js';
import type { Logger } from './events.js';
import { bucketName, integer, knownOptions, optionalString, text } from './validate.js';

/** What a {@link ScarClient} is made with. Everything is optional where the environment or the SDK knows it. */
export interface ScarClientOptions {
  /** AWS Region. Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, then the SDK's own search (`~/.aws/config`). */
  region?: string;
  /** Credentials or a provider of them. Default: the SDK's chain. */
  credentials?: LambdaClientConfig['credentials'];
  /** One endpoint for all three services, e.g. the embedded engine's. Default: `AWS_ENDPOINT_URL`, then AWS. */
  endpoint?: string;
  /** Execution role of functions that are created without one of their own. Default: `SCAR_ROLE_ARN`. */
  roleArn?: string;
  /**
   * Bucket for the blobs of images that are in no registry. Default: `SCAR_IMAGE_BUCKET`, then
   * `scar-images-<account>-<region>`, which is created when it is first needed.
   */
  imageBucket?: string;
  /** Prefix of everything in that bucket. Default `scar/`. */
  imagePrefix?: string;
  /** Folder of Docker's `config.json`, for its logins to registries. Default: `DOCKER_CONFIG`, then `~/.docker`. */
  dockerConfig?: string;
  /**
   * Registries that have copies of another one's images, and are asked first, in this order, here and by the functions:
   * `{ 'docker.io': ['mirror.gcr.io', 'harbor.example.org/dockerhub'] }`. A registry's login is not shown to its mirrors. Default: none.
   */
  registryMirrors?: Readonly<Record<string, readonly string[]>>;
  /** Tag `owner` of functions. Default: `SCAR_OWNER`, then the name of the user who runs this process. */
  owner?: string;
  /** Invocations at once, where a call does not say; AWS's own limits cap it. Default 1,000. */
  concurrency?: number;
  /** Connections to Lambda at once; each invocation needs one. Default 1,024. */
  sockets?: number;
  /** Gets every event as a line. Default: none. */
  logger?: Logger;
  /** Clients of the AWS SDK to use as they are, or configurations to make them with. Only what is made here is closed here. */
  clients?: {
    lambda?: LambdaClient | LambdaClientConfig;
    s3?: S3Client | S3ClientConfig;
    logs?: CloudWatchLogsClient | CloudWatchLogsClientConfig;
  };
  /** Folder of the built supervisor and runner. Default: the ones in this package. */
  supervisorDirectory?: string;
}

/** The options, resolved once and frozen. */
export interface ClientConfig {
  readonly region: string | undefined;
  readonly credentials: LambdaClientConfig['credentials'];
  readonly endpoint: string | undefined;
  readonly roleArn: string | undefined;
  readonly imageBucket: string | undefined;
  readonly imagePrefix: string;
  readonly dockerConfig: string;
  readonly registryMirrors: Readonly<Record<string, readonly string[]>>;
  readonly owner: string;
  readonly concurrency: number;
  readonly sockets: number;
  readonly logger: Logger | undefined;
  readonly clients: NonNullable<ScarClientOptions['clients']>;
  readonly supervisorDirectory: string;
}

/** Names of all options. */
export const CLIENT_OPTION_NAMES = [
  'region',
  'credentials',
  'endpoint',
  'roleArn',
  'imageBucket',
  'imagePrefix',
  'dockerConfig',
  'registryMirrors',
  'owner',
  'concurrency',
  'sockets',
  'logger',
  'clients',
  'supervisorDirectory',
] as const satisfies readonly (keyof ScarClientOptions)[];

/** Explicit option, then environment, then default. Throws `ValidationError`. */
export function resolveConfig(
  options: ScarClientOptions = {},
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ClientConfig {
  knownOptions(options, CLIENT_OPTION_NAMES, 'options');
  const fromEnvironment = (...names: string[]) => names.map((name) => environment[name]).find(Boolean);
  const config: ClientConfig = {
    region: options.region ?? fromEnvironment('AWS_REGION', 'AWS_DEFAULT_REGION'),
    credentials: options.credentials,
    endpoint: options.endpoint ?? fromEnvironment('AWS_ENDPOINT_URL'),
    roleArn: options.roleArn ?? fromEnvironment('SCAR_ROLE_ARN'),
    imageBucket: options.imageBucket ?? fromEnvironment('SCAR_IMAGE_BUCKET'),
    imagePrefix: options.imagePrefix ?? 'scar/',
    dockerConfig: options.dockerConfig ?? fromEnvironment('DOCKER_CONFIG') ?? join(homeFolder(), '.docker'),
    registryMirrors: Object.freeze(structuredClone(options.registryMirrors ?? {})),
    owner: options.owner ?? fromEnvironment('SCAR_OWNER') ?? userName(),
    concurrency: options.concurrency ?? 1_000,
    sockets: options.sockets ?? 1_024,
    logger: options.logger,
    clients: Object.freeze({ ...options.clients }),
    supervisorDirectory: options.supervisorDirectory ?? packagedSupervisor(),
  };
  validate(config);
  return Object.freeze(config);
}

/** `arn:aws:iam::123456789012:role/path/name`, in any partition. */
export function roleArn(option: string, value: unknown): asserts value is string {
  if (typeof value === 'string' && /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(value)) return;
  throw new ValidationError(option, 'be the ARN of an IAM role: arn:aws:iam::123456789012:role/name', value);
}

function validate(config: ClientConfig): void {
  if (config.region !== undefined && !/^[a-z0-9-]{1,63}$/.test(config.region)) {
    throw new ValidationError('region', 'be the name of a Region, e.g. eu-west-1', config.region);
  }
  if (config.endpoint !== undefined && !/^https?:$/.test(urlProtocol(config.endpoint))) {
    throw new ValidationError('endpoint', 'be an http or https URL', config.endpoint);
  }
  if (config.roleArn !== undefined) roleArn('roleArn', config.roleArn);
  if (config.imageBucket !== undefined) bucketName('imageBucket', config.imageBucket);
  if (typeof config.imagePrefix !== 'string' || !/^$|^[^/].*\/$/.test(config.imagePrefix)) {
    throw new ValidationError('imagePrefix', 'be empty, or end with / and not begin with it', config.imagePrefix);
  }
  text('dockerConfig', config.dockerConfig);
  mirrors(config.registryMirrors);
  text('owner', config.owner);
  integer('concurrency', config.concurrency, { min: 1, max: Number.MAX_SAFE_INTEGER });
  integer('sockets', config.sockets, { min: 1, max: Number.MAX_SAFE_INTEGER });
  if (config.logger !== undefined && typeof config.logger?.warn !== 'function') {
    throw new ValidationError('logger', 'have the methods info and warn', typeof config.logger);
  }
  knownOptions(config.clients, ['lambda', 's3', 'logs'], 'clients');
  optionalString('supervisorDirectory', config.supervisorDirectory);
}

function mirrors(registryMirrors: ClientConfig['registryMirrors']): void {
  const form = "be like { 'docker.io': ['mirror.gcr.io', 'harbor.example.org/dockerhub'] }";
  if (typeof registryMirrors !== 'object') throw new ValidationError('registryMirrors', form, registryMirrors);
  for (const [registry, hosts] of Object.entries(registryMirrors)) {
    const sound = Array.isArray(hosts) && isRegistry(registry) && hosts.every((host) => isMirror(host));
    if (!sound) throw new ValidationError('registryMirrors', form, { [registry]: hosts });
  }
}

function isRegistry(name: string): boolean {
  return isMirror(name) && !name.includes('/');
}

function isMirror(host: unknown): boolean {
  try {
    return typeof host === 'string' && atMirror(host, anyImage).repository !== '';
  } catch {
    return false;
  }
}

const anyImage = parseReference('x/y') as RegistryReference;

function urlProtocol(url: string): string {
  try {
    return new URL(url).protocol;
  } catch {
    return '';
  }
}

function userName(): string {
  try {
    return userInfo().username || 'unknown';
  } catch {
    // A container's user may have no entry in /etc/passwd.
    return 'unknown';
  }
}

function homeFolder(): string {
  try {
    return homedir();
  } catch {
    return '/';
  }
}

/** Beside the built library; or in dist/, when the sources themselves run. */
function packagedSupervisor(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const built = join(here, 'supervisor');
  return existsSync(built) ? built : join(here, '../../dist/supervisor');
}
