import { ScarError } from '../../../errors.js';
import { sleep } from '../../../util/sleep.js';
import type { InvocationResult } from '../../invocation-result.js';
import type { MapItem } from '../item.js';
import { restoreItem, storeItem } from '../stored-item.js';
import { type JournalHead, notAJournal, parseHead } from './head.js';
import { type EndLine, type JournalLine, type PlannedLine, parseLine, type ResultLine } from './line.js';
import type { JournalStore } from './store.js';

/** A result of an earlier sitting. */
export interface EarlierResult {
  id: string;
  item: MapItem;
  execution: number;
}

/** Lines that may wait to be written before those who bring them wait too. */
const MOST_WAITING = 1_024;

/** What came of a run, so that another process can go on: its head, and then one line for each result and nothing else. */
export class MapJournal {
  readonly head: JournalHead;
  readonly #store: JournalStore;
  readonly #onFailure: (error: ScarError) => void;
  /** Ends the gathering of lines. */
  readonly #hurry = new AbortController();
  #waiting: string[] = [];
  /** The end of the write that is to come, for what waits; and of the one that goes on. */
  #next: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();
  #failure: ScarError | undefined;

  private constructor(store: JournalStore, head: JournalHead, onFailure: (error: ScarError) => void) {
    this.#store = store;
    this.head = head;
    this.#onFailure = onFailure;
  }

  /** @param onFailure - told once, when a line cannot be written */
  static async begin(
    store: JournalStore,
    head: JournalHead,
    onFailure: (error: ScarError) => void,
  ): Promise<MapJournal> {
    const journal = new MapJournal(store, head, onFailure);
    try {
      await store.append(`${JSON.stringify(head)}\n`);
      return journal;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** @throws ScarError `run-not-found` if it is none of this version's; `journal` if it is damaged */
  static async open(
    store: JournalStore,
    onFailure: (error: ScarError) => void,
    signal: AbortSignal,
  ): Promise<MapJournal> {
    try {
      for await (const line of store.lines(signal)) {
        return new MapJournal(store, parseHead(line, store.name), onFailure);
      }
      throw notAJournal(store.name, 'there is nothing: give the ID of a run, and the place of its journal');
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Results of earlier sittings, the last one of each ID. */
  async *results(signal: AbortSignal): AsyncGenerator<EarlierResult, undefined> {
    const last = new Map<string, number>();
    let number = 0;
    for await (const line of this.lines(signal)) if ('item' in line) last.set(line.id, number++);
    number = 0;
    for await (const line of this.lines(signal)) {
      if (!('item' in line) || last.get(line.id) !== number++) continue;
      yield { id: line.id, item: restoreItem(line.item), execution: line.execution ?? 1 };
    }
  }

  /** All lines of earlier sittings but the head, as they are. */
  async *lines(signal: AbortSignal): AsyncGenerator<JournalLine, undefined> {
    let number = 0;
    for await (const line of this.#store.lines(signal)) {
      if (number++ > 0) yield parseLine(line, `Line ${number} of ${this.#store.name}`);
    }
  }

  /**
   * Adds a result. Returns a promise if that is to be waited for: until the line is written, so that nothing is given which a killed process would
   * not remember; or, where lines are gathered for long, only if there are too many.
   */
  record(id: string, item: InvocationResult, execution: number): Promise<void> | undefined {
    const line = { id, ...(execution > 1 && { execution }), item: storeItem(item) } satisfies ResultLine;
    const written = this.#add(line);
    return this.#store.gatherMs === 0 || this.#waiting.length > MOST_WAITING ? written : undefined;
  }

  /** Adds what is about to be sent, and waits until it is written: what was sent and is not known would be sent twice. */
  async plan(lines: readonly PlannedLine[]): Promise<void> {
    await this.#write(lines.map((line) => `${JSON.stringify(line)}\n`));
  }

  async end(line: EndLine): Promise<void> {
    await this.#write([`${JSON.stringify(line)}\n`]);
  }

  /** @throws the error of a line that could not be written */
  async close(): Promise<void> {
    this.#hurry.abort();
    await this.#next?.catch(() => {});
    await this.#writing;
    await this.#store.close();
    if (this.#failure) throw this.#failure;
  }

  /** What comes during one write goes out with the next. */
  #add(line: JournalLine): Promise<void> {
    this.#waiting.push(`${JSON.stringify(line)}\n`);
    if (!this.#next) {
      this.#next = this.#writing.then(() => this.#flush());
      this.#next.catch(() => {}); // a failure is told besides, and not all who add wait
    }
    return this.#next;
  }

  async #flush(): Promise<void> {
    if (this.#store.gatherMs > 0) await sleep(this.#store.gatherMs, this.#hurry.signal).catch(() => {});
    this.#next = undefined;
    const lines = this.#waiting.splice(0);
    if (this.#failure) throw this.#failure;
    const written = this.#write(lines);
    this.#writing = written.catch(() => {});
    await written;
  }

  async #write(lines: readonly string[]): Promise<void> {
    try {
      await this.#store.append(lines.join(''));
    } catch (error) {
      this.#failure ??= cannotWrite(this.#store.name, error);
      this.#onFailure(this.#failure);
      throw this.#failure;
    }
  }
}

function cannotWrite(name: string, error: unknown): ScarError {
  if (error instanceof ScarError) return error;
  return new ScarError(
    'journal',
    `The journal ${name} cannot be written to (${(error as Error).message}): results would be lost to resumeMap`,
    { cause: error },
  );
}
