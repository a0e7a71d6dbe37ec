/** No pause between passes grows beyond this, unless it is asked for. */
const LONGEST_MS = 10_000;

/**
 * How long to wait between passes: shortest while they bring something, longer and longer, up to ten times as long, while they do
 * not; and after one that failed.
 */
export class Pace {
  readonly #shortestMs: number;
  readonly #longestMs: number;
  #ms: number;

  constructor(shortestMs: number) {
    this.#shortestMs = shortestMs;
    this.#longestMs = Math.max(shortestMs, Math.min(10 * shortestMs, LONGEST_MS));
    this.#ms = shortestMs;
  }

  /** The pause after a complete pass. */
  after(found: boolean): number {
    const pause = found ? this.#shortestMs : this.#ms;
    this.#ms = found ? this.#shortestMs : Math.min(1.5 * this.#ms, this.#longestMs);
    return pause;
  }

  /** The pause after one that failed. */
  afterFailure(): number {
    this.#ms = Math.min(2 * this.#ms, this.#longestMs);
    return this.#ms;
  }
}
