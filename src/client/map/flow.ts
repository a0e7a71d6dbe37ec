import { Fifo } from '../../util/fifo.js';

/**
 * Tasks that run side by side, a bounded number at a time, and whose results wait in a bounded buffer until they are taken.
 *
 * One side calls {@link room}, {@link add} and at last {@link end}, {@link conclude} or {@link fail}; the other calls
 * {@link take}. Results come in the order in which they are ready, or in that of their tasks.
 */
export class Flow<T> {
  #atOnce = 0;
  #ordered: boolean;
  readonly #ready = new Fifo<T>();
  /** Results that are ready before others whose turn comes first, by their tasks' numbers. */
  readonly #early = new Map<number, T>();
  #added = 0;
  #next = 0;
  readonly #takers: { resolve(result: IteratorResult<T, undefined>): void; reject(error: unknown): void }[] = [];
  #active = 0;
  #ended = false;
  #concluded: { error: unknown } | undefined;
  #failure: { error: unknown } | undefined;
  readonly #sleepers: (() => void)[] = [];

  /** @param ordered - whether results come in the order of their tasks. Default false */
  constructor({ ordered = false }: { ordered?: boolean | undefined } = {}) {
    this.#ordered = ordered;
  }

  /** The most tasks under way; as many results again may wait. 0 until it is known. */
  get atOnce(): number {
    return this.#atOnce;
  }

  set atOnce(tasks: number) {
    this.#atOnce = tasks;
    this.#wakeIfRoom();
  }

  /** Whether results come in the order of their tasks: to be set before the first. */
  set ordered(ordered: boolean) {
    this.#ordered = ordered;
  }

  /** Whether no more tasks are wanted. */
  get concluded(): boolean {
    return this.#concluded !== undefined;
  }

  /** Tasks under way. */
  get active(): number {
    return this.#active;
  }

  /** Results that nobody has taken. */
  get buffered(): number {
    return this.#ready.length + this.#early.size;
  }

  /** A wait for room, after which to ask again; undefined if a task may start. Throws the failure. */
  room(): Promise<void> | undefined {
    if (this.#failure) throw this.#failure.error;
    if (this.#hasRoom() || this.#concluded) return undefined;
    return this.#change();
  }

  /** Takes a task in. If it fails, the whole flow does. */
  add(task: Promise<T>): void {
    this.#active++;
    const turn = this.#added++;
    task.then(
      (value) => this.#settle(() => this.#deliver(value, turn)),
      (error) => this.#settle(() => this.fail(error)),
    );
  }

  /**
   * No task will follow, and those under way are not waited for: their results count no more if they fail. What is ready is taken
   * first, in whatever order, then comes the error, if there is one by then, or the end.
   */
  conclude(error?: unknown): void {
    if (this.#failure) return;
    if (this.#concluded) {
      this.#concluded.error ??= error;
      return;
    }
    this.#concluded = { error };
    for (const [, value] of [...this.#early].sort(([a], [b]) => a - b)) this.#hand(value);
    this.#early.clear();
    this.#finishTakers();
    this.#wake();
  }

  /** No task will follow. */
  end(): void {
    this.#ended = true;
    this.#finishTakers();
  }

  /** The first failure is what takers get, in place of any result that is still waiting. */
  fail(error: unknown): void {
    if (this.#concluded) return;
    this.#failure ??= { error };
    for (const taker of this.#takers.splice(0)) taker.reject(this.#failure.error);
    this.#wake();
  }

  /** Waits until no task is under way. */
  async settled(): Promise<void> {
    while (this.#active > 0) await this.#change();
  }

  take(): Promise<IteratorResult<T, undefined>> {
    if (this.#failure) return Promise.reject(this.#failure.error);
    if (this.#ready.length > 0) {
      const value = this.#ready.shift();
      this.#wakeIfRoom();
      return Promise.resolve({ done: false, value: value as T });
    }
    if (this.#finished()) return this.#last();
    return new Promise((resolve, reject) => {
      this.#takers.push({ resolve, reject });
    });
  }

  #hasRoom(): boolean {
    return this.#active < this.#atOnce && this.#active + this.buffered < 2 * this.#atOnce;
  }

  #finished(): boolean {
    return (this.#ended || this.#concluded !== undefined) && this.#active === 0;
  }

  #last(): Promise<IteratorReturnResult<undefined>> {
    const error = this.#concluded?.error;
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }

  #settle(report: () => void): void {
    this.#active--;
    report();
    // The taker's turn comes before the producer's: a result is seen before more work is asked for.
    this.#finishTakers();
    if (this.#active === 0) this.#wake();
    else this.#wakeIfRoom();
  }

  #deliver(value: T, turn: number): void {
    if (!this.#ordered || this.#concluded) {
      this.#hand(value);
      return;
    }
    this.#early.set(turn, value);
    while (this.#early.has(this.#next)) {
      const next = this.#early.get(this.#next) as T;
      this.#early.delete(this.#next++);
      this.#hand(next);
    }
  }

  #hand(value: T): void {
    const taker = this.#takers.shift();
    if (taker) taker.resolve({ done: false, value });
    else this.#ready.push(value);
  }

  #finishTakers(): void {
    if (!this.#finished()) return;
    for (const { resolve, reject } of this.#takers.splice(0)) this.#last().then(resolve, reject);
  }

  #wakeIfRoom(): void {
    if (this.#hasRoom()) this.#wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#sleepers.push(resolve);
    });
  }

  #wake(): void {
    for (const wake of this.#sleepers.splice(0)) wake();
  }
}
