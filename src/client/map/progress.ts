import type { MapProgress, Tally } from './tally.js';

/** Between two events of progress, in ms. */
const PROGRESS_MS = 100;

/** Tells how far a run is, while somebody listens; for these the objects are counted beside the run. */
export class ProgressTeller {
  readonly #tally: Tally;
  readonly #isHeard: () => boolean;
  readonly #onTheWay: () => number;
  readonly #tell: (progress: MapProgress) => void;
  readonly #ended = new AbortController();
  #due: NodeJS.Timeout | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;
  #count: ((signal: AbortSignal) => Promise<number>) | undefined;
  #counting: Promise<void> | undefined;

  /** @param onTheWay - how many invocations are on their way */
  constructor(tally: Tally, isHeard: () => boolean, onTheWay: () => number, tell: (progress: MapProgress) => void) {
    this.#tally = tally;
    this.#isHeard = isHeard;
    this.#onTheWay = onTheWay;
    this.#tell = tell;
  }

  /** Says how all that there is can be counted. */
  countedBy(count: (signal: AbortSignal) => Promise<number>): void {
    this.#count = count;
  }

  /** Something has changed: told at once, or when it is time again. */
  changed(): void {
    if (this.#due !== undefined || !this.#isHeard()) return;
    const wait = this.#toldAt + PROGRESS_MS - performance.now();
    if (wait <= 0) this.tell();
    else this.#due = setTimeout(() => this.tell(), wait);
  }

  tell(): void {
    clearTimeout(this.#due);
    this.#due = undefined;
    if (!this.#isHeard()) return;
    this.#toldAt = performance.now();
    const progress = this.#tally.progress(this.#onTheWay());
    this.#tell(progress);
    // Not before the first result, which nothing is to delay.
    const hasResults = progress.done > progress.skipped;
    if (progress.total === undefined && hasResults && !this.#ended.signal.aborted)
      this.#counting ??= this.#countAhead();
  }

  /** Counts no longer. */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#counting;
  }

  /**
   * Says how many there are to who waits for the end: the run itself reads hardly ahead of its results. A failure is not told, for the run's own
   * listing meets what is the matter.
   */
  async #countAhead(): Promise<void> {
    try {
      const total = await this.#count?.(this.#ended.signal);
      if (total === undefined) return;
      this.#tally.expects(total);
      this.changed();
    } catch {}
  }
}
