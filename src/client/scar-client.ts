import { setMaxListeners } from 'node:events';
import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import type { LambdaClient } from '@aws-sdk/client-lambda';
import type { S3Client } from '@aws-sdk/client-s3';
import { EventEmitter } from 'eventemitter3';
import { ScarError } from '../errors.js';
import { type AttachOptions, attachMap } from './attach-map.js';
import { resolveConfig, type ScarClientOptions } from './config.js';
import { type ClientContext, makeContext, type Notifier } from './context.js';
import { type CreateFunctionOptions, createFunction } from './create-function.js';
import { type DeletedFunction, type DeleteFunctionOptions, deleteFunction } from './delete-function.js';
import { deleteTrigger, type TriggerSelection } from './delete-trigger.js';
import type { Logger, ScarEvents } from './events.js';
import type { FunctionDescription } from './function-description.js';
import type { TriggerOptions } from './function-options.js';
import { type CallOptions, type FunctionDetails, getFunction } from './get-function.js';
import { Images } from './images.js';
import type { InvocationResult } from './invocation-result.js';
import { type InvokeOptions, invoke } from './invoke.js';
import { type ListFunctionsOptions, listFunctions } from './list-functions.js';
import type { LogStream } from './log/log-stream.js';
import type { MappedCall } from './map/item.js';
import type { MapOptions } from './map/options.js';
import type { MapRun } from './map/run.js';
import { type MapInputs, type MapInputsOptions, mapInputs } from './map-inputs.js';
import { mapOverBucket } from './map-over-bucket.js';
import { type MapReduceResult, mapReduce, type ReduceOptions } from './map-reduce.js';
import { type PreheatOptions, type PreheatResult, preheat } from './preheat.js';
import { putTrigger } from './put-trigger.js';
import { type ResumeOptions, resumeMap } from './resume-map.js';
import { type StreamLogsOptions, streamLogs } from './stream-logs.js';
import type { TriggerDescription } from './trigger.js';
import { type UpdateFunctionOptions, updateFunction } from './update-function.js';

/**
 * Runs Docker images as functions on AWS Lambda, and maps them over the files of S3 buckets.
 *
 * Make one and use it for everything: it holds the connections. {@link close} it at the end, or let `await using` do so.
 *
 * @example
 * const scar = new ScarClient({ region: 'eu-west-1', roleArn: 'arn:aws:iam::123456789012:role/scar' });
 * await scar.createFunction({ name: 'gray', image: 'docker.io/library/debian:12', script: './gray.sh' });
 * const result = await scar.invoke('gray');
 * await scar.close();
 */
export class ScarClient extends EventEmitter<ScarEvents> {
  /** The SDK's client for S3 that this one works with: for what comes before and after, such as putting objects. */
  readonly s3: S3Client;
  /** The SDK's client for Lambda that this one works with. */
  readonly lambda: LambdaClient;
  /** The SDK's client for CloudWatch Logs that this one works with. */
  readonly logs: CloudWatchLogsClient;
  /** Images: what they are, and what is kept of them in your image bucket. */
  readonly images: Images;
  readonly #context: ClientContext;
  readonly #closing = new AbortController();
  readonly #destroyClients: () => void;
  #closed: Promise<void> | undefined;

  /**
   * @param environment - in place of the process's own
   * @throws ValidationError
   */
  constructor(options: ScarClientOptions = {}, environment?: Readonly<Record<string, string | undefined>>) {
    super();
    const config = resolveConfig(options, environment);
    // Every call in progress listens to it.
    setMaxListeners(0, this.#closing.signal);
    const made = makeContext(config, notifier(this, config.logger), this.#closing.signal);
    const { context, destroyClients } = made;
    ({ s3: this.s3, lambda: this.lambda, logs: this.logs } = made.clients);
    this.#context = context;
    this.images = new Images(context);
    this.#destroyClients = destroyClients;
  }

  // Asynchronous, so that what is wrong with the arguments rejects the promise, as every other failure does.

  /**
   * Makes a function that can be invoked when this returns. If any part fails, all that was made before it is removed.
   *
   * @throws ValidationError before anything is sent; ImageError, RegistryError, FunctionError (`function-exists`,
   * `role-not-assumable`, `function-not-ready`), ScarError (`bucket-not-found`; `no-space` for an image that does not fit
   * `ephemeralStorageMiB`, with the size that it needs); the signal's reason
   * @example
   * await scar.createFunction({ name: 'gray', image: 'debian:12', script: './gray.sh', memoryMiB: 1024 });
   */
  async createFunction(options: CreateFunctionOptions): Promise<FunctionDescription> {
    return createFunction(this.#context, options);
  }

  /**
   * Describes a function.
   *
   * @throws FunctionError `function-not-found`; ScarError
   * @example
   * const { image, state, triggers } = await scar.getFunction('gray');
   */
  async getFunction(name: string, options?: CallOptions): Promise<FunctionDetails> {
    return getFunction(this.#context, name, options);
  }

  /** The Region's functions that this package made (tag `createdby=scar`), in Lambda's order. */
  async listFunctions(options?: ListFunctionsOptions): Promise<FunctionDescription[]> {
    return listFunctions(this.#context, options);
  }

  /**
   * Deletes a function and all that was made with it. Parts that are gone already are no failure: calling it twice is fine.
   *
   * @throws FunctionError `function-not-found` for a function that this package did not make; ScarError
   * @example
   * const { imageKeys } = await scar.deleteFunction('gray');
   */
  async deleteFunction(name: string, options?: DeleteFunctionOptions): Promise<DeletedFunction> {
    return deleteFunction(this.#context, name, options);
  }

  /**
   * Changes a function and waits until Lambda has taken it over. `environment` and `output` replace what was there. If any
   * part fails, the parts before it are taken back.
   *
   * @throws ValidationError, ImageError, RegistryError, FunctionError (`function-not-found`, `function-not-ready`),
   * ScarError (`bucket-not-found`, `no-space`); the signal's reason
   * @example
   * await scar.updateFunction('gray', { memoryMiB: 2048, script: './better.sh' });
   */
  async updateFunction(name: string, options: UpdateFunctionOptions): Promise<FunctionDescription> {
    return updateFunction(this.#context, name, options);
  }

  /**
   * Lets objects of a bucket invoke a function. The same trigger again changes nothing; what others configured stays.
   *
   * @throws ValidationError, also for a trigger that would make the function invoke itself for ever, or that overlaps with
   * another notification; FunctionError (`function-not-found`); ScarError; the signal's reason
   * @example
   * await scar.putTrigger('gray', { bucket: 'photos', prefix: 'input/', suffix: '.jpg' });
   */
  async putTrigger(name: string, trigger: TriggerOptions, options?: CallOptions): Promise<TriggerDescription> {
    return putTrigger(this.#context, name, trigger, options);
  }

  /**
   * Stops a bucket from invoking a function. Fine if there is no such trigger.
   *
   * @returns the triggers that were removed
   * @throws ValidationError, FunctionError (`function-not-found`), ScarError; the signal's reason
   * @example
   * await scar.deleteTrigger('gray', { bucket: 'photos' });
   */
  async deleteTrigger(name: string, selection: TriggerSelection, options?: CallOptions): Promise<TriggerDescription[]> {
    return deleteTrigger(this.#context, name, selection, options);
  }

  /**
   * Makes execution environments ready: started, with the image unpacked in `/tmp`. They stay so for as long as Lambda
   * keeps them idle, which is some minutes.
   *
   * @throws FunctionError (`function-not-found`; `invocation-failed` if not one became ready), ScarError; the signal's reason
   * @example
   * const { environments, coldStarts } = await scar.preheat('gray', { environments: 50 });
   */
  async preheat(name: string, options?: PreheatOptions): Promise<PreheatResult> {
    return preheat(this.#context, name, options);
  }

  /**
   * Runs the function once and waits for the container's end. How the container ended is in the result, also when it failed;
   * this throws when it cannot be run.
   *
   * @throws ValidationError, FunctionError (`function-not-found`), ScarError (`throttled`, `permission-denied`, `service`);
   * the signal's reason
   * @example
   * const result = await scar.invoke('gray', { input: { bucket: 'photos', key: 'input/cat.jpg' } });
   * if (result.status === 'failed') throw result.error;
   */
  async invoke(name: string, options?: InvokeOptions): Promise<InvocationResult> {
    return invoke(this.#context, name, options);
  }

  /**
   * Runs a function once for each object of a bucket. Lazy: see {@link MapRun}.
   *
   * @throws ValidationError at once; while iterating FunctionError (`function-not-found`), ScarError (`bucket-not-found`,
   * `permission-denied`; `map-failed` if `completion` is not met); the signal's reason. What happens to a single object is never thrown: it is in its item.
   * @example
   * const run = scar.mapOverBucket('gray', { bucket: 'photos', prefix: 'input/', concurrency: 1000 });
   * for await (const item of run) console.log(item.key, item.status, item.error?.message);
   */
  mapOverBucket(name: string, options: MapOptions): MapRun {
    return mapOverBucket(this.#context, name, options);
  }

  /**
   * Runs a function once for each input: what `invoke` would get, or its `args`. Lazy, and its inputs are read no further ahead than needed; see
   * {@link MapRun}.
   *
   * @throws as `mapOverBucket`; a bad input ends the run
   * @example
   * for await (const { index, value } of scar.map('simulate', [['--seed', '1'], ['--seed', '2']])) console.log(index, value);
   */
  map(name: string, inputs: MapInputs, options?: MapInputsOptions): MapRun<MappedCall> {
    return mapInputs(this.#context, name, inputs, options);
  }

  /**
   * Goes on with a run that ended before its objects had their results, in this process or another: by Ctrl-C, `kill -9`, a power cut, an
   * error. It gives every result of the run once: those of the journal first, then those of the objects that had none. Lazy, as `mapOverBucket`.
   *
   * @throws ValidationError at once; while iterating ScarError (`run-not-found`, `run-in-use`, `journal`) and what `mapOverBucket` throws
   * @example
   * const run = scar.resumeMap('20261128-174501-9f2c41d07b', { journal: 'runs' });
   * for await (const item of run) console.log(item.key, item.status);
   */
  resumeMap(runId: string, options?: ResumeOptions): MapRun {
    return resumeMap(this.#context, runId, options);
  }

  /**
   * Maps over a bucket, then has the containers of another function make one of what the map's left, in as many levels as it takes. To fold results here,
   * see {@link MapRun.reduce}.
   *
   * @throws as `mapOverBucket`, at once or in the promise; `map-failed` if an object fails and `completion` does not tolerate it (default: none may), or if
   * outputs of two objects have the same key, so that one is lost; the error of a container that cannot reduce
   * @example
   * const { outputs } = await scar.mapReduce('count-words', { bucket: 'books', prefix: 'text/' }, {
   *   function: 'add-counts',
   *   output: { bucket: 'books', prefix: 'counts/' },
   * });
   */
  async mapReduce(name: string, options: MapOptions, reduce: ReduceOptions): Promise<MapReduceResult> {
    return mapReduce(this.#context, name, options, reduce);
  }

  /**
   * Looks on at an asynchronous run, from whatever process: gives all of its results, those that are there and those that come. Lazy, as
   * `mapOverBucket`.
   *
   * @throws ValidationError at once, or while iterating if the run is not asynchronous; while iterating ScarError (`run-not-found`; `timeout` if who
   * sends the run's events was not heard of for five minutes) and what `mapOverBucket` throws
   * @example
   * for await (const item of scar.attachMap(runId, { results: { bucket: 'results' } })) console.log(item.key, item.status);
   */
  attachMap(runId: string, options: AttachOptions): MapRun {
    return attachMap(this.#context, runId, options);
  }

  /**
   * Reads a function's log, all of it or that of one invocation, of a result or of a map's run: events in the order in which
   * CloudWatch tells them, each once, none left out that arrives within 30 s of its neighbours. A stream that ends is complete.
   *
   * @throws ValidationError at once, or while iterating if a run that was resumed or attached to turns out to be another function's; while iterating
   * FunctionError (`function-not-found`), ScarError (`log-cut` if the log is deleted meanwhile, or the report of an invocation that is over does not
   * come for five minutes); the signal's reason
   * @example
   * for await (const { message } of scar.streamLogs('gray', { follow: true })) console.log(message);
   * @example
   * const run = scar.mapOverBucket('gray', { bucket: 'photos' });
   * const log = scar.streamLogs('gray', { run });
   * const logging = (async () => { for await (const { message } of log) console.log(message); })();
   * for await (const item of run) console.log(item.key, item.status);
   * await logging;
   */
  streamLogs(name: string, options?: StreamLogsOptions): LogStream {
    return streamLogs(this.#context, name, options);
  }

  /**
   * Ends the client: calls in progress fail with `aborted` and are waited for, connections that it made are closed. Clients
   * that it was given stay open. Calling it again is fine.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#closing.abort(new ScarError('aborted', 'The client was closed while this call was in progress'));
    await Promise.all(this.#context.running);
    this.#destroyClients();
  }
}

/** Sends events to the listeners, and to the logger as lines. */
function notifier(client: ScarClient, logger: Logger | undefined): Notifier {
  return {
    progress(event) {
      client.emit('progress', event);
      logger?.info(`${event.operation} ${event.functionName}: ${event.message}`, event);
    },
    warning(event) {
      client.emit('warning', event);
      logger?.warn(event.message, event);
    },
    retry(event) {
      client.emit('retry', event);
      const { doing, attempt, delayMs, error } = event;
      const line = `${doing}: attempt ${attempt} in ${Math.round(delayMs)} ms, after: ${error.message}`;
      logger?.debug?.(line, { doing, attempt, delayMs, error: error.toJSON() });
    },
  };
}
