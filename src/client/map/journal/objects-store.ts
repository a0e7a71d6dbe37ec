import { type ObjectStore, readText } from '../../../aws/object-store.js';
import { ScarError } from '../../../errors.js';
import type { JournalStore } from './store.js';

/** Enough digits for a part every second for three hundred years. */
const DIGITS = 10;

/**
 * A journal as objects of a bucket: parts with numbers for names, each written once and only if there is none. Two processes that go on with the
 * same run meet at the first part that both write.
 */
export class ObjectsStore implements JournalStore {
  /** A part a second is 3,600 requests an hour, which cost two US cents. */
  readonly gatherMs = 1_000;
  readonly name: string;
  readonly #store: ObjectStore;
  readonly #bucket: string;
  readonly #prefix: string;
  #next = 1;

  /** @param prefix - of the parts, up to their numbers */
  constructor(store: ObjectStore, bucket: string, prefix: string) {
    this.#store = store;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.name = `s3://${bucket}/${prefix}`;
  }

  /** The lines of all parts that there are; where it stopped, a later call goes on if it is told to. */
  async *lines(signal: AbortSignal, { after = 0 } = {}): AsyncGenerator<string, undefined> {
    const startAfter = this.#key(after);
    for await (const page of this.#store.list(this.#bucket, { prefix: this.#prefix, startAfter, signal })) {
      for (const { key } of page) {
        const text = await readText(this.#store, { bucket: this.#bucket, key }, signal);
        this.#next = Number(key.slice(this.#prefix.length)) + 1;
        for (const line of text.split('\n')) if (line !== '') yield line;
      }
    }
  }

  /** Number of the last part that was read or written. */
  get last(): number {
    return this.#next - 1;
  }

  async append(lines: string): Promise<void> {
    const address = { bucket: this.#bucket, key: this.#key(this.#next) };
    const contentType = 'application/jsonl';
    if (!(await this.#store.write(address, lines, { ifNoneMatch: '*', contentType }))) {
      // The reply to our own first attempt may have been lost.
      if ((await readText(this.#store, address)) !== lines) throw this.#inUse();
    }
    this.#next++;
  }

  async close(): Promise<void> {}

  #key(number: number): string {
    return this.#prefix + String(number).padStart(DIGITS, '0');
  }

  #inUse(): ScarError {
    return new ScarError(
      'run-in-use',
      `The run must not go on twice at a time, and another process writes to its journal ${this.name}. Wait for it, or end it`,
      { context: { journal: this.name } },
    );
  }
}
