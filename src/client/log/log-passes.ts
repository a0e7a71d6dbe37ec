import type { LogQuery, LogService, StoredLogEvent } from '../../aws/logs.js';

/**
 * How far a pass goes back before the newest event that is known: FilterLogEvents is eventually consistent, events come
 * seconds late and out of order between streams.
 */
export const OVERLAP_MS = 30_000;

/**
 * Passes over a log group that grows, each event once. A pass reads again what the last one read at its end, and knows
 * those events by their IDs; how far a pass got counts only when it is complete.
 */
export class LogPasses {
  readonly #logs: LogService;
  readonly #group: string;
  readonly #query: LogQuery;
  readonly #now: () => number;
  /** IDs of events that a later pass may meet again, with their times. */
  readonly #seen = new Map<string, number>();
  /** Of all complete passes. */
  #newest = Number.NEGATIVE_INFINITY;

  constructor(logs: LogService, group: string, query: LogQuery, now: () => number = Date.now) {
    this.#logs = logs;
    this.#group = group;
    this.#query = query;
    this.#now = now;
  }

  /** What is new since the last pass, page by page; `undefined` if there is no such group. */
  async *pass(signal: AbortSignal): AsyncGenerator<StoredLogEvent[] | undefined> {
    // A time ahead of the clock must not hide what is written until then.
    let newest = this.#newest;
    const horizon = this.#now();
    for await (const page of this.#logs.events(this.#group, { ...this.#query, since: this.#since() }, signal)) {
      if (!page) {
        yield undefined;
        continue;
      }
      const fresh = page.filter((event) => !this.#seen.has(event.id));
      for (const { id, timestamp } of fresh) {
        this.#seen.set(id, timestamp);
        newest = Math.max(newest, Math.min(timestamp, horizon));
      }
      yield fresh;
    }
    this.#newest = newest;
    this.#forget();
  }

  #since(): number | undefined {
    const { since } = this.#query;
    const overlap = this.#newest - OVERLAP_MS;
    if (!Number.isFinite(overlap)) return since;
    return Math.max(0, since ?? 0, overlap);
  }

  /** What no later pass asks for need not be known. */
  #forget(): void {
    const since = this.#since() ?? 0;
    for (const [id, timestamp] of this.#seen) if (timestamp < since) this.#seen.delete(id);
  }
}
