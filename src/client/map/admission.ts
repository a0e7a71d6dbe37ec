import type { Gate } from '../invocation.js';

/** What is left of the limit after a throttle. */
const DECREASE = 0.7;

/** What a limit that was lowered gains in one round, that is while as many answers come as it lets through. */
const INCREASE_PER_ROUND = 1 / 20;

/**
 * Admits requests up to a limit that follows what Lambda takes: additive increase, multiplicative decrease, as TCP does
 * it (https://www.rfc-editor.org/rfc/rfc5681). Throttles of requests that were on their way when it was last lowered
 * count once: they tell of the same moment.
 */
export class Admission implements Gate {
  #cap: number;
  #limit: number;
  #onTheWay = 0;
  /** Requests still out that were sent before the last decrease. */
  #sentBefore = 0;
  #waiting: { resolve(): void; reject(reason: unknown): void }[] = [];
  readonly #signal: AbortSignal;

  readonly #onThrottle: () => void;

  constructor(cap: number, signal: AbortSignal, onThrottle: () => void = () => {}) {
    this.#cap = cap;
    this.#limit = cap;
    this.#signal = signal;
    this.#onThrottle = onThrottle;
    signal.addEventListener('abort', () => this.#refuseAll(), { once: true });
  }

  /** How many may be on their way now. */
  get limit(): number {
    return Math.max(1, Math.floor(this.#limit));
  }

  get onTheWay(): number {
    return this.#onTheWay;
  }

  /** Another cap from now on. A limit that throttles have lowered finds its way up from where it is. */
  capAt(cap: number): void {
    const wasLowered = this.#limit < this.#cap;
    this.#limit = wasLowered ? Math.min(this.#limit, cap) : cap;
    this.#cap = cap;
    this.#admit();
  }

  enter(): Promise<void> | undefined {
    this.#signal.throwIfAborted();
    if (this.#onTheWay < this.limit) {
      this.#onTheWay++;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  leave(outcome: 'answered' | 'throttled' | 'failed'): void {
    this.#onTheWay--;
    if (outcome === 'throttled') this.#onThrottle();
    const sentBefore = this.#sentBefore > 0;
    if (sentBefore) this.#sentBefore--;
    if (outcome === 'throttled' && !sentBefore) {
      // What was really on its way is the measure: a limit far above it would have to fall many times.
      this.#limit = Math.max(1, Math.min(this.#limit, this.#onTheWay + 1) * DECREASE);
      this.#sentBefore = this.#onTheWay;
    } else if (outcome === 'answered' && this.#limit < this.#cap) {
      this.#limit = Math.min(this.#cap, this.#limit + Math.max(1, this.#cap * INCREASE_PER_ROUND) / this.#limit);
    }
    this.#admit();
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#onTheWay < this.limit) {
      this.#onTheWay++;
      this.#waiting.shift()?.resolve();
    }
  }

  #refuseAll(): void {
    for (const { reject } of this.#waiting.splice(0)) reject(this.#signal.reason);
  }
}
