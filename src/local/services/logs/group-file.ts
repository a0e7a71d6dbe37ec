import { randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** One event as it is kept. */
export interface StoredEvent {
  /** Where its record begins in the file: unique in its group, and later for later events. */
  readonly offset: number;
  /** Where the next record begins. */
  readonly next: number;
  readonly streamId: number;
  /** Epoch milliseconds, said by the writer. */
  readonly timestamp: number;
  /** Epoch milliseconds, when it arrived. */
  readonly ingestionTime: number;
  readonly message: string;
}

/** A stretch of the file, with what lets a reader skip it. */
interface Block {
  readonly start: number;
  end: number;
  oldest: number;
  newest: number;
  readonly streams: Set<number>;
}

/** What a reader wants. */
export interface EventQuery {
  /** Undefined: every stream. */
  readonly streams?: ReadonlySet<number> | undefined;
  /** Epoch milliseconds, included. */
  readonly from?: number | undefined;
  /** Epoch milliseconds, excluded. */
  readonly before?: number | undefined;
}

/** A record that is no event: a stream appears or disappears. */
export type StreamRecord =
  | { readonly stream: number; readonly name: string; readonly created: number }
  | { readonly deleted: number };

/** The first record. */
interface Header {
  readonly generation: string;
}

const LOAD_BYTES = 1024 * 1024;
const BLOCK_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;

/**
 * The file of one log group: a line of JSON per record, appended and never changed. Events are
 * `[stream,timestamp,ingestion,"message"]`. What is in memory is an index of 64 KiB blocks, so that a reader skips what
 * is of another time or of other streams.
 */
export class GroupFile {
  /** Names this content of the file: positions in another one mean nothing. */
  readonly generation: string;
  readonly #path: string;
  readonly #descriptor: number;
  readonly #blocks: Block[] = [];
  #size: number;

  /**
   * Opens the file, made if it is not there. What a kill left half-written at its end is cut off.
   *
   * @param onRecord - gets the streams' records of an existing file
   * @param onEvent - gets stream, times and size of every event of an existing file
   */
  constructor(path: string, onRecord: (record: StreamRecord) => void, onEvent: (event: StoredEvent) => void) {
    this.#path = path;
    this.#descriptor = openSync(path, 'a+', 0o600);
    this.#size = 0;
    let generation: string | undefined;
    for (const record of this.#load()) {
      if ('generation' in record) generation = record.generation;
      else if ('message' in record) {
        onEvent(record);
        this.#index(record);
      } else onRecord(record);
    }
    ftruncateSync(this.#descriptor, this.#size);
    this.generation = generation ?? this.#begin();
  }

  /** Bytes, and the position at which the next record will begin. */
  get size(): number {
    return this.#size;
  }

  /** Writes a stream's record. */
  appendRecord(record: StreamRecord): void {
    this.#write(`${JSON.stringify(record)}\n`);
  }

  /** Writes events of one stream; they can be read when this returns, and survive a kill of the process. */
  append(streamId: number, ingestionTime: number, events: readonly { timestamp: number; message: string }[]): void {
    const lines = events.map(
      ({ timestamp, message }) => `[${streamId},${timestamp},${ingestionTime},${JSON.stringify(message)}]\n`,
    );
    const start = this.#size;
    this.#write(lines.join(''));
    let offset = start;
    for (const [index, { timestamp }] of events.entries()) {
      const next = offset + Buffer.byteLength(lines[index] ?? '');
      this.#index({ offset, next, streamId, timestamp });
      offset = next;
    }
  }

  /** Events in the order of their arrival, from a position on. */
  async *forward(position: number, query: EventQuery): AsyncGenerator<StoredEvent> {
    yield* this.#read(
      this.#blocks.filter((block) => block.end > position),
      query,
      (events) => events.filter((event) => event.offset >= position),
    );
  }

  /** Events in the reverse order of their arrival, those that end at a position or before. */
  async *backward(position: number, query: EventQuery): AsyncGenerator<StoredEvent> {
    const blocks = this.#blocks.filter((block) => block.start < position).reverse();
    yield* this.#read(blocks, query, (events) => events.filter((event) => event.next <= position).reverse());
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  async *#read(
    blocks: readonly Block[],
    query: EventQuery,
    arrange: (events: StoredEvent[]) => StoredEvent[],
  ): AsyncGenerator<StoredEvent> {
    let file: FileHandle | undefined;
    try {
      for (const block of blocks) {
        if (!mayHold(block, query)) continue;
        file ??= await open(this.#path, 'r');
        yield* arrange(await readBlock(file, block, query));
      }
    } finally {
      await file?.close();
    }
  }

  /** Every whole record of the file, and the size up to the last of them. */
  *#load(): Generator<StoredEvent | StreamRecord | Header> {
    let rest = Buffer.alloc(0);
    const chunk = Buffer.alloc(LOAD_BYTES);
    for (let at = 0; ; ) {
      const length = readSync(this.#descriptor, chunk, 0, chunk.length, at);
      if (length === 0) return;
      at += length;
      const content = Buffer.concat([rest, chunk.subarray(0, length)]);
      const whole = content.lastIndexOf(LINE_FEED) + 1;
      for (const { start, end } of linesOf(content, whole)) yield parse(content, start, end, this.#size);
      this.#size += whole;
      rest = content.subarray(whole);
    }
  }

  #begin(): string {
    const generation = randomBytes(6).toString('hex');
    this.#write(`${JSON.stringify({ generation })}\n`);
    return generation;
  }

  /** Writes all or nothing. @throws the file system's error, e.g. ENOSPC */
  #write(text: string): void {
    const content = Buffer.from(text);
    try {
      for (let written = 0; written < content.length; ) {
        written += writeSync(this.#descriptor, content, written);
      }
    } catch (error) {
      ftruncateSync(this.#descriptor, this.#size);
      throw error;
    }
    this.#size += content.length;
  }

  #index({ offset, next, streamId, timestamp }: Omit<StoredEvent, 'ingestionTime' | 'message'>): void {
    let block = this.#blocks.at(-1);
    if (!block || next - block.start > BLOCK_BYTES) {
      block = { start: offset, end: next, oldest: timestamp, newest: timestamp, streams: new Set() };
      this.#blocks.push(block);
    }
    block.end = next;
    block.oldest = Math.min(block.oldest, timestamp);
    block.newest = Math.max(block.newest, timestamp);
    block.streams.add(streamId);
  }
}

function mayHold(block: Block, { streams, from, before }: EventQuery): boolean {
  if (from !== undefined && block.newest < from) return false;
  if (before !== undefined && block.oldest >= before) return false;
  if (!streams) return true;
  for (const id of block.streams) if (streams.has(id)) return true;
  return false;
}

async function readBlock(file: FileHandle, { start, end }: Block, query: EventQuery): Promise<StoredEvent[]> {
  const content = Buffer.alloc(end - start);
  await file.read(content, 0, content.length, start);
  const events: StoredEvent[] = [];
  for (const line of linesOf(content, content.length)) {
    const record = parse(content, line.start, line.end, start);
    if ('message' in record && matches(record, query)) events.push(record);
  }
  return events;
}

function matches(event: StoredEvent, { streams, from, before }: EventQuery): boolean {
  return (
    (from === undefined || event.timestamp >= from) &&
    (before === undefined || event.timestamp < before) &&
    (streams === undefined || streams.has(event.streamId))
  );
}

/** The lines up to a position, which must be the end of one. */
function* linesOf(content: Buffer, end: number): Generator<{ start: number; end: number }> {
  for (let at = 0; at < end; ) {
    const feed = content.indexOf(LINE_FEED, at);
    yield { start: at, end: feed + 1 };
    at = feed + 1;
  }
}

/** @param base - the position of the content in its file */
function parse(content: Buffer, start: number, end: number, base: number): StoredEvent | StreamRecord | Header {
  const record = JSON.parse(content.toString('utf8', start, end));
  if (Array.isArray(record)) {
    const [streamId, timestamp, ingestionTime, message] = record;
    return { offset: base + start, next: base + end, streamId, timestamp, ingestionTime, message };
  }
  return record;
}
