import { closeSync, createReadStream, ftruncateSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';

/** A line of a journal: a JSON array whose first element says what happened. */
export type Entry = readonly [kind: string, ...rest: unknown[]];

const READ_CHUNK_BYTES = 4 * 1024 * 1024;
const WRITE_CHUNK_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * An append-only file of entries, one a line. An entry counts from the moment that its line, newline included, is in the
 * file: a last line without one is what a killed process left, and is cut off. Writes are synchronous: they go to the page
 * cache, which outlives the process, and so the order of the file is the order of the changes in memory.
 */
export class Journal {
  /** Lines in the file. */
  entries = 0;
  /** What was appended since a rewrite began. */
  private meanwhile: Entry[] | undefined;

  private constructor(
    private readonly path: string,
    private descriptor: number,
    private bytes: number,
  ) {}

  /** Opens or creates a journal, after replaying what it holds. */
  static async open(path: string, replay: (entry: Entry) => void): Promise<Journal> {
    const descriptor = openSync(path, 'a+');
    try {
      const { bytes, entries } = await read(path, replay);
      ftruncateSync(descriptor, bytes);
      const journal = new Journal(path, descriptor, bytes);
      journal.entries = entries;
      return journal;
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  /** Appends all of the entries or, if it throws, none: a full disk leaves the file as it was. */
  append(entries: readonly Entry[]): void {
    const lines = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    try {
      writeFully(this.descriptor, lines);
    } catch (error) {
      ftruncateSync(this.descriptor, this.bytes);
      throw error;
    }
    this.bytes += lines.length;
    this.entries += entries.length;
    this.meanwhile?.push(...entries);
  }

  /**
   * Replaces the file by one that holds the given entries only. They are drawn slowly, so that requests are served
   * meanwhile; what is appended in that time goes to both files, and replaying it again must do no harm.
   */
  async rewrite(entries: Iterable<Entry>): Promise<void> {
    const temporary = `${this.path}.new`;
    rmSync(temporary, { force: true });
    const descriptor = openSync(temporary, 'a');
    const next = new Journal(this.path, descriptor, 0);
    this.meanwhile = [];
    try {
      for (const batch of batches(entries)) {
        next.append(batch);
        await new Promise(setImmediate);
      }
      next.append(this.meanwhile);
      renameSync(temporary, this.path);
    } catch (error) {
      closeSync(descriptor);
      rmSync(temporary, { force: true });
      throw error;
    } finally {
      this.meanwhile = undefined;
    }
    closeSync(this.descriptor);
    this.descriptor = descriptor;
    this.bytes = next.bytes;
    this.entries = next.entries;
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

function* batches(entries: Iterable<Entry>): Generator<Entry[]> {
  let batch: Entry[] = [];
  for (const entry of entries) {
    batch.push(entry);
    if (batch.length === 1000) {
      yield batch;
      batch = [];
    }
  }
  yield batch;
}

function writeFully(descriptor: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) {
    at += writeSync(descriptor, bytes, at, Math.min(WRITE_CHUNK_BYTES, bytes.length - at));
  }
}

async function read(path: string, replay: (entry: Entry) => void): Promise<{ bytes: number; entries: number }> {
  let rest: Buffer = Buffer.alloc(0);
  let bytes = 0;
  let entries = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: READ_CHUNK_BYTES })) {
    const data = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    let at = 0;
    for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, at)) {
      replay(parse(data.toString('utf8', at, end), path, entries + 1));
      entries++;
      bytes += end + 1 - at;
      at = end + 1;
    }
    rest = data.subarray(at);
  }
  return { bytes, entries };
}

function parse(line: string, path: string, number: number): Entry {
  try {
    const entry: unknown = JSON.parse(line);
    if (Array.isArray(entry) && typeof entry[0] === 'string') return entry as unknown as Entry;
  } catch {
    // Said below.
  }
  throw new Error(`${path} is damaged: line ${number} is not an entry`);
}
