import { setTimeout as sleep } from 'node:timers/promises';
import type { ScarError } from '../../errors.js';
import { DOCKER_HUB, type RegistryReference } from '../reference.js';
import { TransportFailure, unreachable } from './errors.js';
import type { ResolvedRegistryOptions } from './options.js';

/** First wait after a failure; the longest is 64 times as long. */
const BASE_DELAY_MS = 250;

/** A refusal on its way to the retry loop. */
export class Refused extends Error {
  constructor(
    readonly error: ScarError,
    readonly status: number,
    readonly retryAfterMs: number | undefined,
  ) {
    super(error.message);
  }
}

/** Decides after every failure of one request: wait and go on, or throw what it means. */
export class Attempts {
  readonly #reference: RegistryReference;
  readonly #options: ResolvedRegistryOptions;
  readonly #what: string;
  readonly #signal: AbortSignal | undefined;
  #failures = 0;

  constructor(
    reference: RegistryReference,
    options: ResolvedRegistryOptions,
    what: string,
    signal: AbortSignal | undefined,
  ) {
    this.#reference = reference;
    this.#options = options;
    this.#what = what;
    this.#signal = signal;
  }

  reset(): void {
    this.#failures = 0;
  }

  /** Returns when it is time for the next attempt. Throws when there shall be none. */
  async failed(error: unknown): Promise<void> {
    this.#signal?.throwIfAborted();
    const meaning = this.#meaning(error);
    const delayMs = this.#delay(error);
    this.#failures++;
    if (delayMs === undefined || this.#failures >= this.#options.attempts) throw meaning;
    await sleep(delayMs, undefined, { signal: this.#signal }).catch(() => this.#signal?.throwIfAborted());
  }

  #meaning(error: unknown): unknown {
    if (error instanceof Refused) return error.error;
    return error instanceof TransportFailure ? unreachable(this.#reference, this.#what, error) : error;
  }

  /** Full jitter, so that many who failed together do not come back together; undefined if waiting is of no use. */
  #delay(error: unknown): number | undefined {
    const jittered = Math.random() * BASE_DELAY_MS * 2 ** Math.min(this.#failures, 6);
    if (error instanceof TransportFailure) return error.permanent ? undefined : jittered;
    if (!(error instanceof Refused) || ![408, 429, 500, 502, 503, 504].includes(error.status)) return undefined;
    const { retryAfterMs } = error;
    if (retryAfterMs !== undefined) {
      return retryAfterMs > this.#options.maxRetryWaitMs ? undefined : retryAfterMs + jittered;
    }
    // Docker Hub counts over six hours: seconds change nothing.
    return error.status === 429 && this.#reference.registry === DOCKER_HUB ? undefined : jittered;
  }
}
