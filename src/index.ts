import { CLIENT_OPTION_NAMES, type ScarClientOptions } from './client/config.js';
import { ScarClient as Client } from './client/scar-client.js';
import { knownOptions } from './client/validate.js';
import type { Engine, EngineOptions } from './local/index.js';

export type { AttachOptions } from './client/attach-map.js';
export type { ScarClientOptions } from './client/config.js';
export type { CreateFunctionOptions } from './client/create-function.js';
export type { DeletedFunction, DeleteFunctionOptions } from './client/delete-function.js';
export type { TriggerSelection } from './client/delete-trigger.js';
export type { Logger, ProgressEvent, RetryEvent, ScarEvents, WarningEvent } from './client/events.js';
export type { FunctionDescription } from './client/function-description.js';
export type {
  FunctionArchitecture,
  FunctionOptions,
  ImageSourceName,
  OutputOptions,
  RegistryOptions,
  ScriptSource,
  TriggerOptions,
} from './client/function-options.js';
export type { CallOptions, FunctionDetails } from './client/get-function.js';
export type { ImageUser } from './client/image-store.js';
export type { CachedImage, Images, PrunedImages, PruneImagesOptions } from './client/images.js';
export type { ImageInspection, InspectImageOptions, Libc } from './client/inspect-image.js';
export type { InvocationOverrides } from './client/invocation.js';
export type {
  InvocationFacts,
  InvocationFailure,
  InvocationFailureReason,
  InvocationResult,
  InvocationSuccess,
} from './client/invocation-result.js';
export type { InvokeOptions } from './client/invoke.js';
export type { ListFunctionsOptions } from './client/list-functions.js';
export type { LogEvent } from './client/log/log-event.js';
export type { LogStream } from './client/log/log-stream.js';
export type { BackupOptions } from './client/map/backups.js';
export type { ChunkOptions } from './client/map/chunk.js';
export type { MapCompletion } from './client/map/completion.js';
export type { FailureRetries, RetriedReason } from './client/map/failure-retries.js';
export type { BatchOptions } from './client/map/group.js';
export type { CallItem, MapCall, MapItem, Mapped, MappedCall, MappedObject } from './client/map/item.js';
export type { JournalPlace } from './client/map/journal/place.js';
export type { ObjectKey, ObjectKeys } from './client/map/keys.js';
export type { ManifestAddress } from './client/map/manifest.js';
export type {
  MapOptions,
  MapRetryOptions,
  MapRunOptions,
  MapSittingOptions,
  ResultsPlace,
} from './client/map/options.js';
export type { MapPlan, PlanOptions } from './client/map/plan.js';
export type { MapEvents, MapRun } from './client/map/run.js';
export type { ObjectSelection } from './client/map/selection.js';
export type { MapProgress, MapSummary } from './client/map/tally.js';
export type { MapInput, MapInputs, MapInputsOptions } from './client/map-inputs.js';
export type { MapReduceResult, ReduceOptions } from './client/map-reduce.js';
export type { PreheatOptions, PreheatResult } from './client/preheat.js';
export type { CostEstimate } from './client/pricing.js';
export type { InvocationReport, PlatformRecord } from './client/report-line.js';
export type { ResumeOptions } from './client/resume-map.js';
export type { StreamLogsOptions } from './client/stream-logs.js';
export type { TriggerDescription } from './client/trigger.js';
export type { UpdateFunctionOptions } from './client/update-function.js';
export type {
  ChunkReference,
  FailureReason,
  InputObject,
  ObjectReference,
  OutputObject,
  OutputTail,
  Platform,
  RunnerName,
  Timings,
} from './contract/index.js';
export {
  FunctionError,
  ImageError,
  RegistryError,
  ScarError,
  type ScarErrorCode,
  type ScarErrorOptions,
  UnsupportedImageError,
  ValidationError,
} from './errors.js';
export {
  type DrawnProgress,
  type DrawnRun,
  describeProgress,
  type TerminalProgressOptions,
  terminalProgress,
} from './report/terminal-progress.js';

export type { Engine, EngineOptions };

/** What {@link ScarClient.local} takes: where the engine keeps its data, and anything of a client's but where AWS is. */
export interface LocalOptions extends EngineOptions, Omit<ScarClientOptions, 'region' | 'endpoint' | 'credentials'> {}

/** The engine checks no policies: a role only has to look like one. Its account is the engine's. */
const LOCAL_ROLE = 'arn:aws:iam::000000000000:role/scar-local';

/** A record, so that none can be forgotten. */
const ENGINE_OPTIONS: Record<keyof EngineOptions, true> = {
  dataDir: true,
  port: true,
  region: true,
  concurrentExecutions: true,
  environmentIdleMs: true,
  asyncRetryDelaysMs: true,
  onError: true,
};
const ENGINE_OPTION_NAMES = Object.keys(ENGINE_OPTIONS) as (keyof EngineOptions)[];

/** A client's own, but for where AWS is: that is the engine's to say. */
const OWN_OPTION_NAMES = CLIENT_OPTION_NAMES.filter((name) => !['region', 'endpoint', 'credentials'].includes(name));

/**
 * Runs Docker images as functions on AWS Lambda, or on this machine, and maps them over the files of S3 buckets.
 *
 * Make one and use it for everything: it holds the connections. Close it at the end, or let `await using` do so.
 *
 * @example
 * const scar = new ScarClient({ region: 'eu-west-1', roleArn: 'arn:aws:iam::123456789012:role/scar' });
 * // or, with nothing but Node: const scar = await ScarClient.local();
 * await scar.createFunction({ name: 'gray', image: 'docker.io/library/debian:12', script: './gray.sh' });
 * const run = scar.mapOverBucket('gray', { bucket: 'photos', prefix: 'input/' });
 * for await (const item of run) console.log(item.key, item.status);
 * await scar.close();
 */
export class ScarClient extends Client {
  /**
   * Starts the embedded engine in this process and a client of it. Everything else is as on AWS. `close()` stops both.
   *
   * @throws ValidationError; ScarError `engine` if port or folder cannot be had
   */
  static async local(options: LocalOptions = {}): Promise<ScarClient> {
    // Loaded only here: a program that runs on AWS never does.
    const { startEngine } = await import('./local/index.js');
    knownOptions(options, [...ENGINE_OPTION_NAMES, ...OWN_OPTION_NAMES], 'local');
    const engine = await startEngine(pick(options, ENGINE_OPTION_NAMES));
    try {
      return new LocalClient(engine, pick(options, OWN_OPTION_NAMES));
    } catch (error) {
      await engine.close();
      throw error;
    }
  }
}

/** A client that owns the engine behind it. */
class LocalClient extends ScarClient {
  readonly #engine: Engine;

  constructor(engine: Engine, options: ScarClientOptions) {
    const { endpoint, region, accessKeyId, secretAccessKey } = engine;
    // Empty: what the environment says of AWS, its endpoints and buckets, is not about the engine.
    super({ roleArn: LOCAL_ROLE, ...options, endpoint, region, credentials: { accessKeyId, secretAccessKey } }, {});
    this.#engine = engine;
  }

  override async close(): Promise<void> {
    try {
      await super.close();
    } finally {
      await this.#engine.close();
    }
  }
}

/** The options of these names that were given. */
function pick<Options extends object, Name extends string>(options: Options, names: readonly Name[]) {
  const given = Object.entries(options).filter(([name]) => (names as readonly string[]).includes(name));
  return Object.fromEntries(given) as Pick<Options, Name & keyof Options>;
}
