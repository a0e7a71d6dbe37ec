import { createHash } from 'node:crypto';
import type { LogEvent } from './log-event.js';
import type { LogPasses, PassSource } from './log-passes.js';

/**
 * Of passes, what is new: each event once, known by its ID.
 *
 * Live Tail may run ahead of them (see `claim`). Its events have no IDs, so that lines that are equal, of one stream and
 * millisecond, cannot be told apart there: the first of them is told at once, the others when a pass brings their IDs. Live Tail
 * is thus believed that there is such a line, never how many there are: what it repeats or leaves out makes no difference, and in
 * the end each event has been told exactly once.
 */
export class NewEvents implements PassSource {
  readonly #passes: LogPasses;
  /** IDs of events that a later pass may bring again, with their times. */
  readonly #seen = new Map<string, number>();
  /** Lines that were told, of the same stretch, and whether that was ahead of the passes. Only beside Live Tail. */
  readonly #lines: Map<string, { timestamp: number; ahead: boolean }> | undefined;

  constructor(passes: LogPasses, { besideLiveTail = false }: { besideLiveTail?: boolean } = {}) {
    this.#passes = passes;
    this.#lines = besideLiveTail ? new Map() : undefined;
  }

  async *pass(signal: AbortSignal): AsyncGenerator<LogEvent[] | undefined> {
    for await (const page of this.#passes.pass(signal)) yield page?.filter((event) => this.#isNew(event));
    // What no later pass asks for need not be known.
    const { since } = this.#passes;
    for (const [id, timestamp] of this.#seen) if (timestamp < since) this.#seen.delete(id);
    for (const [line, { timestamp }] of this.#lines ?? []) if (timestamp < since) this.#lines?.delete(line);
  }

  /**
   * Whether to tell an event that Live Tail brought. What is older than the next pass looks is left to the passes, which may
   * have told it.
   */
  claim(event: LogEvent): boolean {
    const { timestamp } = event;
    if (!this.#lines || timestamp < this.#passes.since || timestamp > this.#passes.until) return false;
    const line = identity(event);
    if (this.#lines.has(line)) return false;
    this.#lines.set(line, { timestamp, ahead: true });
    return true;
  }

  #isNew(event: LogEvent): boolean {
    const { eventId = '', timestamp } = event;
    if (this.#seen.has(eventId)) return false;
    this.#seen.set(eventId, timestamp);
    if (!this.#lines) return true;
    const line = identity(event);
    const told = this.#lines.get(line);
    this.#lines.set(line, { timestamp, ahead: false });
    return !told?.ahead;
  }
}

/** The same for events that nothing but their IDs tells apart. A digest: lines have up to 1 MiB, and many are known. */
function identity({ stream, timestamp, message }: LogEvent): string {
  return createHash('sha256').update(`${stream}\n${timestamp}\n${message}`).digest('base64');
}
