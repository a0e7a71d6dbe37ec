import type { LogQuery, LogService } from '../../aws/logs.js';
import { type LogEvent, LogReader } from './log-event.js';

/**
 * How far a pass goes back before the newest event that is known: FilterLogEvents is eventually consistent, events come
 * seconds late and out of order between streams.
 */
export const OVERLAP_MS = 30_000;

/** Where a log is looked at again and again. */
export interface PassSource {
  /**
   * One complete look, page by page. It may be left or fail in the middle: the next one brings what it did not.
   * `undefined`: there is no such group.
   */
  pass(signal: AbortSignal): AsyncGenerator<LogEvent[] | undefined>;
}

/** How an invocation began or ended in a stream. */
interface Change {
  timestamp: number;
  stream: string;
  requestId: string | undefined;
}

/**
 * Passes over a log group that grows. A pass begins a while before the newest event of the last one, so that events come
 * repeatedly; how far a pass got counts only when it is complete. Each reads anew whose events they are: a START that comes late
 * puts right what was read before it.
 */
export class LogPasses implements PassSource {
  readonly #logs: LogService;
  readonly #group: string;
  readonly #query: LogQuery;
  readonly #now: () => number;
  /** By stream: what was under way where the next pass begins. */
  readonly #underWay = new Map<string, string>();
  /** Of all complete passes. */
  #newest = Number.NEGATIVE_INFINITY;

  constructor(logs: LogService, group: string, query: LogQuery, now: () => number = Date.now) {
    this.#logs = logs;
    this.#group = group;
    this.#query = query;
    this.#now = now;
  }

  /** Where the next pass begins, in ms since 1970. */
  get since(): number {
    const overlap = this.#newest - OVERLAP_MS;
    return Math.max(0, this.#query.since ?? 0, overlap);
  }

  /** In ms since 1970, included. */
  get until(): number {
    return this.#query.until ?? Number.POSITIVE_INFINITY;
  }

  async *pass(signal: AbortSignal): AsyncGenerator<LogEvent[] | undefined> {
    // A time ahead of the clock must not hide what is written until then.
    let newest = this.#newest;
    const horizon = this.#now();
    const reader = new LogReader(this.#underWay);
    const changes: Change[] = [];
    const query = { ...this.#query, since: this.since || undefined };
    for await (const page of this.#logs.events(this.#group, query, signal)) {
      yield page?.map((stored) => {
        const { timestamp, stream } = stored;
        newest = Math.max(newest, Math.min(timestamp, horizon));
        const event = reader.read(stored);
        if (event.platform) changes.push({ timestamp, stream, requestId: reader.current(stream) });
        return event;
      });
    }
    this.#newest = newest;
    for (const { timestamp, stream, requestId } of changes) {
      if (timestamp >= this.since) continue;
      if (requestId === undefined) this.#underWay.delete(stream);
      else this.#underWay.set(stream, requestId);
    }
  }
}
