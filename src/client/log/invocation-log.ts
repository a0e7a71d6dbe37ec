import { parsePlatformLine } from '../report-line.js';
import type { LogEvent } from './log-event.js';
import type { PassSource } from './log-passes.js';

/** How long the lines that are known to exist are waited for after the report. */
const LINES_PATIENCE_MS = 15_000;

/**
 * What is known of one invocation's log: which events were told, and whether that is all. After the report one more pass
 * brings what was late. Where the invocation's result is at hand, the log's tail in it says which lines there are, up to
 * 4 KB of the last: it is not over before they have come, and need not wait for another pass if they are all.
 */
export class InvocationLog {
  readonly requestId: string;
  readonly #told = new Set<string>();
  /** Lines that are still to come, and how often. */
  readonly #expected = new Map<string, number>();
  #missing = 0;
  /** Whether the expected lines are all that there are. */
  readonly #knowsAll: boolean;
  #reported = false;
  /** When the first pass ended after the report. */
  #passedAt: number | undefined;
  #passes = 0;

  /** @param tail - the last lines of the invocation's log, as its result has them */
  constructor(requestId: string, tail = '') {
    this.requestId = requestId;
    const { lines, whole } = linesOf(tail, requestId);
    this.#knowsAll = whole;
    for (const line of lines) this.#expected.set(line, (this.#expected.get(line) ?? 0) + 1);
    this.#missing = lines.length;
  }

  /** Whether the report has come. */
  get isReported(): boolean {
    return this.#reported;
  }

  /** Lines that exist and have not come. */
  get missing(): number {
    return this.#missing;
  }

  /** Whether an event is this invocation's, and comes for the first time. */
  take(event: LogEvent): boolean {
    const { requestId, eventId = '', message } = event;
    if (requestId !== this.requestId || this.#told.has(eventId)) return false;
    this.#told.add(eventId);
    this.#reported ||= event.report !== undefined;
    if (this.#missing > 0) for (const line of message.split('\n')) this.#arrived(line.trimEnd());
    return true;
  }

  /** Of passes, what `take` takes. */
  of(source: PassSource): PassSource {
    const take = (event: LogEvent) => this.take(event);
    return {
      async *pass(signal) {
        for await (const page of source.pass(signal)) yield page?.filter(take);
      },
    };
  }

  /** A complete pass is over. Returns whether the log is complete. */
  passed(now: number): boolean {
    if (!this.#reported) return false;
    this.#passes++;
    this.#passedAt ??= now;
    if (this.#missing > 0) return now - this.#passedAt > LINES_PATIENCE_MS;
    return this.#knowsAll || this.#passes > 1;
  }

  #arrived(line: string): void {
    const expected = this.#expected.get(line) ?? 0;
    if (expected === 0) return;
    this.#expected.set(line, expected - 1);
    this.#missing--;
  }
}

/** The lines from START to REPORT, as far as the tail has them; the first one of a tail that was cut may be a part. */
function linesOf(tail: string, requestId: string): { lines: string[]; whole: boolean } {
  const lines = tail.split('\n').map((line) => line.trimEnd());
  const at = (type: 'start' | 'report') =>
    lines.findIndex((line) => {
      const platform = parsePlatformLine(line);
      return platform?.type === type && platform.requestId === requestId;
    });
  const start = at('start');
  const report = at('report');
  return { lines: lines.slice(start < 0 ? 1 : start, report + 1), whole: start >= 0 && report >= 0 };
}
