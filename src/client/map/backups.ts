import { linkSignals } from '../../util/linked-signal.js';
import type { ClientContext } from '../context.js';

/** A second execution of what takes longer than most. */
export interface BackupOptions {
  /** What takes longer than so many percent of the executions so far runs once more, beside: 50 to 99.9. */
  afterPercentile: number;
}

/** Executions whose times are known before any is called slow. */
const LEAST_KNOWN = 20;

/** Executions whose times count: the last ones, as objects may change along a listing. */
const MOST_KNOWN = 1_000;

/** Between two looks at what is running, in ms. */
const LOOK_MS = 100;

interface Running {
  since: number;
  backUp(): void;
}

/**
 * Runs what is slow once more, elsewhere, and takes the first answer: where an environment is slow and not the object, that ends a run sooner
 * (Dean and Ghemawat, MapReduce, 2004, section 3.6). Only while nothing else waits to be sent: an object that has not run comes first.
 */
export class Backups {
  readonly #context: Pick<ClientContext, 'now' | 'sleep'>;
  readonly #percentile: number;
  readonly #hasSpare: () => boolean;
  readonly #signal: AbortSignal;
  readonly #running = new Set<Running>();
  readonly #times: number[] = [];
  #known = 0;
  #looking = false;

  /**
   * @param hasSpare - whether something more may be sent, and nothing waits for it
   * @param signal - aborted: nothing more is looked after
   */
  constructor(
    context: Pick<ClientContext, 'now' | 'sleep'>,
    { afterPercentile }: BackupOptions,
    hasSpare: () => boolean,
    signal: AbortSignal,
  ) {
    this.#context = context;
    this.#percentile = afterPercentile;
    this.#hasSpare = hasSpare;
    this.#signal = signal;
  }

  /**
   * Executes, and perhaps once more; the first that ran wins, and the other one's request is dropped. Where neither ran, the first tells why.
   *
   * @param execute - `copy` is 1, and 2 for the second one
   */
  async race<T extends { ran: boolean }>(
    signal: AbortSignal,
    execute: (copy: 1 | 2, signal: AbortSignal) => Promise<T>,
  ): Promise<T & { copies: 1 | 2 }> {
    const since = this.#context.now();
    const link = linkSignals(signal);
    let second: Promise<T> | undefined;
    const slow = new Promise<void>((resolve) => {
      const running = {
        since,
        backUp: () => {
          this.#running.delete(running);
          resolve();
        },
      };
      this.#running.add(running);
      link.signal.addEventListener('abort', () => this.#running.delete(running), { once: true });
    });
    this.#look();
    const first = execute(1, link.signal);
    try {
      const either = await Promise.race([first, slow]);
      let result = either as T | undefined;
      if (!result) {
        second = execute(2, link.signal);
        result = await firstThatRan(first, second);
      }
      if (result.ran) this.#ended(this.#context.now() - since);
      return { ...result, copies: second ? 2 : 1 };
    } finally {
      // Nobody waits for what it says.
      for (const one of [first, second]) one?.catch(() => {});
      link.abort(new Error('Another execution has answered'));
      link.release();
    }
  }

  #ended(ms: number): void {
    this.#times[this.#known++ % MOST_KNOWN] = ms;
  }

  /** What no more than the given part took longer than; undefined while too little is known. */
  #limit(): number | undefined {
    if (this.#known < LEAST_KNOWN) return undefined;
    const times = this.#times.toSorted((a, b) => a - b);
    return times[Math.min(times.length - 1, Math.floor((times.length * this.#percentile) / 100))];
  }

  #look(): void {
    if (this.#looking) return;
    this.#looking = true;
    this.#context.sleep(LOOK_MS, this.#signal).then(
      () => {
        this.#looking = false;
        this.#backUp();
        if (this.#running.size > 0) this.#look();
      },
      () => {},
    );
  }

  #backUp(): void {
    if (!this.#hasSpare()) return;
    const limit = this.#limit();
    if (limit === undefined) return;
    const now = this.#context.now();
    // The oldest come first.
    for (const running of this.#running) {
      if (now - running.since <= limit || !this.#hasSpare()) return;
      running.backUp();
    }
  }
}

async function firstThatRan<T extends { ran: boolean }>(first: Promise<T>, second: Promise<T>): Promise<T> {
  const ran = (execution: Promise<T>) =>
    execution.then((result) => {
      if (!result.ran) throw result;
      return result;
    });
  try {
    return await Promise.any([ran(first), ran(second)]);
  } catch {
    return first;
  }
}
