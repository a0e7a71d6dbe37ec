import type { ScarError } from '../../errors.js';
import { Fifo } from '../../util/fifo.js';
import type { ClientContext } from '../context.js';
import type { Gate } from '../invocation.js';
import { Capacity, LEAST_FEEDBACK_MS } from './capacity.js';

export interface AdmissionOptions {
  /** While Lambda refuses everything for so long and nothing runs, what waits for as long is given up. */
  throttleMs: number;
  signal: AbortSignal;
  onThrottle?: () => void;
}

interface Waiting {
  since: number;
  resolve(): void;
  reject(reason: unknown): void;
}

/** Admits requests up to a cap and to what Lambda takes ({@link Capacity}): those that it has refused before go first. */
export class Admission implements Gate {
  readonly #context: Pick<ClientContext, 'now' | 'sleep'>;
  readonly #signal: AbortSignal;
  readonly #throttleMs: number;
  readonly #onThrottle: () => void;
  readonly #capacity: Capacity;
  readonly #refused = new Fifo<Waiting>();
  readonly #waiting = new Fifo<Waiting>();
  #cap: number;
  #onTheWay = 0;
  /** Whether a look at the queues is due. */
  #timed = false;
  /** Since when Lambda refuses everything and nothing runs. */
  #shutSince: number | undefined;

  /** @param cap - the most requests that may be on their way */
  constructor(context: Pick<ClientContext, 'now' | 'sleep'>, cap: number, options: AdmissionOptions) {
    this.#context = context;
    this.#cap = cap;
    this.#throttleMs = options.throttleMs;
    this.#signal = options.signal;
    this.#onThrottle = options.onThrottle ?? (() => {});
    this.#capacity = new Capacity(context.now());
    this.#signal.addEventListener('abort', () => this.#reject(() => true, this.#signal.reason), { once: true });
  }

  /** How many may be on their way now. */
  get limit(): number {
    return Math.min(this.#cap, this.#capacity.limit);
  }

  get onTheWay(): number {
    return this.#onTheWay;
  }

  /** Whether a request more may go, and none waits. */
  get hasSpare(): boolean {
    return this.#waiters === 0 && this.#onTheWay < this.limit;
  }

  /** Another cap from now on. */
  capAt(cap: number): void {
    this.#cap = cap;
    this.#admit();
  }

  enter(again = false): Promise<void> | undefined {
    this.#signal.throwIfAborted();
    if (this.#waiters === 0 && this.#onTheWay < this.limit) {
      this.#onTheWay++;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      (again ? this.#refused : this.#waiting).push({ since: this.#context.now(), resolve, reject });
      this.#admit();
    });
  }

  leave(tookMs?: number): void {
    if (tookMs !== undefined) this.#capacity.answered(tookMs);
    this.#onTheWay--;
    this.#shutSince = undefined;
    this.#admit();
  }

  refuse(error: ScarError, tookMs: number): void {
    this.#onTheWay--;
    this.#onThrottle();
    const now = this.#context.now();
    this.#capacity.throttled(this.#onTheWay, tookMs, now);
    this.#shutSince = this.#onTheWay > 0 ? undefined : (this.#shutSince ?? now);
    if (this.#shutSince !== undefined && now - this.#shutSince >= this.#throttleMs) {
      this.#reject(({ since }) => now - since >= this.#throttleMs, error);
    }
    this.#admit();
  }

  get #waiters(): number {
    return this.#refused.length + this.#waiting.length;
  }

  #admit(): void {
    while (this.#waiters > 0 && this.#onTheWay < this.#cap) {
      if (this.#onTheWay < this.#capacity.limit) {
        this.#onTheWay++;
        (this.#refused.shift() ?? this.#waiting.shift())?.resolve();
        continue;
      }
      const now = this.#context.now();
      if (this.#capacity.raise(this.#cap, now)) continue;
      this.#lookIn(this.#capacity.raiseIn(now));
      return;
    }
  }

  /** Looks again when it is time to raise the limit, which is never sooner than a look that is due already. */
  #lookIn(ms: number): void {
    if (this.#timed) return;
    this.#timed = true;
    this.#context.sleep(Math.min(Math.max(1, Math.ceil(ms)), LEAST_FEEDBACK_MS), this.#signal).then(
      () => {
        this.#timed = false;
        this.#admit();
      },
      () => {},
    );
  }

  #reject(which: (waiting: Waiting) => boolean, reason: unknown): void {
    for (const queue of [this.#refused, this.#waiting]) {
      for (let first = queue.first; first && which(first); first = queue.first) queue.shift()?.reject(reason);
    }
  }
}
