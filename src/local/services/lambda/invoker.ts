import type { FunctionVersion } from '../../environment/function-version.js';
import type { InvocationRequest, InvocationResult } from '../../execution-environment.js';
import type { Delivery, DeliveryOutcome } from './async-queue.js';
import type { ConcurrencyLedger } from './concurrency.js';
import type { EnvironmentPool } from './environment-pool.js';
import type { Functions } from './functions.js';

/** The one way to an environment, for synchronous and queued invocations alike: admission, then the pool. */
export class Invoker implements Delivery {
  /** Told whenever concurrency becomes free. */
  onRoom: () => void = () => {};
  readonly #functions: Functions;
  readonly #concurrency: ConcurrencyLedger;
  readonly #pool: EnvironmentPool;

  constructor(functions: Functions, concurrency: ConcurrencyLedger, pool: EnvironmentPool) {
    this.#functions = functions;
    this.#concurrency = concurrency;
    this.#pool = pool;
  }

  /** @throws ServiceError `TooManyRequestsException` when there is no room now */
  async invoke(version: FunctionVersion, request: InvocationRequest): Promise<InvocationResult> {
    this.#concurrency.enter(version.name);
    try {
      return await this.#pool.invoke(version, request);
    } finally {
      this.#concurrency.leave(version.name);
      this.onRoom();
    }
  }

  /** Room as the queue needs it: a function that is not Active yet will be soon. */
  hasRoom(name: string): boolean {
    return this.#concurrency.hasRoom(name) && this.#versionOf(name) !== undefined;
  }

  async deliver(event: InvocationRequest & { functionName: string }): Promise<DeliveryOutcome> {
    const version = this.#versionOf(event.functionName);
    if (!version) return 'gone';
    const result = await this.invoke(version, event);
    return result.functionError === undefined ? 'done' : 'failed';
  }

  #versionOf(name: string): FunctionVersion | undefined {
    try {
      return this.#functions.version(name);
    } catch {
      return undefined;
    }
  }
}
