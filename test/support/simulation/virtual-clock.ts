interface Event {
  at: number;
  /** Events of the same moment happen in the order in which they were asked for. */
  order: number;
  happen(): void;
  /** Whether promises follow from it, which must run before the next event. */
  awaited: boolean;
}

/** Time that passes only when all that can run has run: what happens next is the earliest event of a heap. */
export class VirtualClock {
  #now = 0;
  #order = 0;
  readonly #heap: Event[] = [];

  now = (): number => this.#now;

  /** As `context.sleep`: an abort ends it at once. */
  sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const abort = () => reject(signal?.reason);
      if (signal?.aborted) abort();
      signal?.addEventListener('abort', abort, { once: true });
      const end = () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      };
      this.at(this.#now + ms, end, true);
    });

  at(at: number, happen: () => void, awaited = false): void {
    this.#push({ at, order: this.#order++, happen, awaited });
  }

  /** Lets time pass until the work is done. */
  async run<T>(work: Promise<T>): Promise<T> {
    let ended = false;
    const end = () => {
      ended = true;
    };
    work.then(end, end);
    await settled();
    while (!ended) {
      const { happen, awaited } = this.#next();
      happen();
      if (awaited) await settled();
    }
    return work;
  }

  /** Lets time pass until nothing more is to happen, where no promises are involved. */
  drain(): void {
    while (this.#heap.length > 0) this.#next().happen();
  }

  #next(): Event {
    const event = this.#pop();
    if (!event) throw new Error(`Nothing more will happen at ${this.#now} ms, but the work is not done`);
    this.#now = event.at;
    return event;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let child = heap.length;
    heap.push(event);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!before(event, heap[parent] as Event)) break;
      heap[child] = heap[parent] as Event;
      child = parent;
    }
    heap[child] = event;
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return first;
    let parent = 0;
    for (let child = 1; child < heap.length; child = 2 * parent + 1) {
      if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!before(heap[child] as Event, last)) break;
      heap[parent] = heap[child] as Event;
      parent = child;
    }
    heap[parent] = last;
    return first;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Until all promises that can settle have: microtasks run before immediates. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
