import { ScarError } from '../../../errors.js';
import type { InvocationResult } from '../../invocation-result.js';
import type { MapItem } from '../item.js';
import { restoreItem, type StoredItem, storeItem } from '../stored-item.js';
import type { JournalHead } from './head.js';
import type { JournalStore } from './store.js';

/** Every other line. Of several results with the same ID the last one counts. */
interface ResultLine {
  id: string;
  item: StoredItem;
}

/** Lines that may wait for the disk before those who bring them wait too. */
const MOST_WAITING = 1_024;

/** What came of a run's objects, so that another process can go on: one line for each result, and nothing else but the head. */
export class MapJournal {
  readonly head: JournalHead;
  readonly #store: JournalStore;
  readonly #onFailure: (error: ScarError) => void;
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
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
    journal.#add(head);
    await journal.flush();
    return journal;
  }

  /** @throws ScarError `run-not-found` if it is none of this version's */
  static async open(
    store: JournalStore,
    onFailure: (error: ScarError) => void,
    signal: AbortSignal,
  ): Promise<MapJournal> {
    try {
      for await (const line of store.lines(signal))
        return new MapJournal(store, parseHead(line, store.name), onFailure);
      throw notAJournal(store.name, 'it is empty: the run was ended before it began');
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Results of earlier sittings, the last one of each ID. */
  async *results(signal: AbortSignal): AsyncGenerator<{ id: string; item: MapItem }, undefined> {
    const last = new Map<string, number>();
    let number = 0;
    for await (const { id } of this.#resultLines(signal)) last.set(id, number++);
    number = 0;
    for await (const { id, item } of this.#resultLines(signal)) {
      if (last.get(id) === number++) yield { id, item: restoreItem(item) };
    }
  }

  /** Adds a result; a promise if too many are waiting to be written. */
  record(id: string, item: InvocationResult): Promise<void> | undefined {
    this.#add({ id, item: storeItem(item) } satisfies ResultLine);
    return this.#waiting.length > MOST_WAITING ? this.#writing : undefined;
  }

  /** @throws the error of a line that could not be written */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#failure) throw this.#failure;
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#store.close();
    if (this.#failure) throw this.#failure;
  }

  async *#resultLines(signal: AbortSignal): AsyncGenerator<ResultLine, undefined> {
    let number = 0;
    for await (const line of this.#store.lines(signal)) {
      if (number++ > 0) yield parseLine(line, `Line ${number} of ${this.#store.name}`);
    }
  }

  #add(record: object): void {
    this.#waiting.push(`${JSON.stringify(record)}\n`);
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** What gathers during one write goes out with the next. */
  async #write(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#failure) {
      const lines = this.#waiting.join('');
      this.#waiting = [];
      try {
        await this.#store.append(lines);
      } catch (error) {
        this.#failure = new ScarError(
          'journal',
          `The journal ${this.#store.name} cannot be written to (${(error as Error).message}): results would be lost to resumeMap`,
          { cause: error },
        );
        this.#onFailure(this.#failure);
      }
    }
  }
}

function parseHead(line: string, name: string): JournalHead {
  const head = parseLine(line, `Line 1 of ${name}`) as unknown as Partial<JournalHead>;
  if (head.scarMap !== 1 || typeof head.functionName !== 'string' || typeof head.options !== 'object') {
    throw notAJournal(name, 'its first line is not that of a map');
  }
  return head as JournalHead;
}

function parseLine(line: string, where: string): ResultLine {
  try {
    return JSON.parse(line) as ResultLine;
  } catch (error) {
    throw new ScarError('journal', `${where} must be JSON: the journal is damaged`, { cause: error });
  }
}

function notAJournal(name: string, why: string): ScarError {
  return new ScarError('run-not-found', `${name} must be the journal of a map; ${why}`, { context: { journal: name } });
}
