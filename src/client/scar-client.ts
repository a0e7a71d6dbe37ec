import { setMaxListeners } from 'node:events';
import { EventEmitter } from 'eventemitter3';
import { ScarError } from '../errors.js';
import { resolveConfig, type ScarClientOptions } from './config.js';
import { type ClientContext, makeContext, type Notifier } from './context.js';
import { type CreateFunctionOptions, createFunction } from './create-function.js';
import { type DeletedFunction, type DeleteFunctionOptions, deleteFunction } from './delete-function.js';
import type { Logger, ScarEvents } from './events.js';
import type { FunctionDescription } from './function-description.js';
import { type CallOptions, type FunctionDetails, getFunction } from './get-function.js';
import { type ListFunctionsOptions, listFunctions } from './list-functions.js';

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
  readonly #context: ClientContext;
  readonly #closing = new AbortController();
  readonly #destroyClients: () => void;
  #closed: Promise<void> | undefined;

  /** @throws ValidationError */
  constructor(options: ScarClientOptions = {}) {
    super();
    const config = resolveConfig(options);
    // Every call in progress listens to it.
    setMaxListeners(0, this.#closing.signal);
    const { context, destroyClients } = makeContext(config, notifier(this, config.logger), this.#closing.signal);
    this.#context = context;
    this.#destroyClients = destroyClients;
  }

  /** {@inheritDoc createFunction} */
  createFunction(options: CreateFunctionOptions): Promise<FunctionDescription> {
    return createFunction(this.#context, options);
  }

  getFunction(name: string, options?: CallOptions): Promise<FunctionDetails> {
    return getFunction(this.#context, name, options);
  }

  listFunctions(options?: ListFunctionsOptions): Promise<FunctionDescription[]> {
    return listFunctions(this.#context, options);
  }

  deleteFunction(name: string, options?: DeleteFunctionOptions): Promise<DeletedFunction> {
    return deleteFunction(this.#context, name, options);
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
