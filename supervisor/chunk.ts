import { open } from 'node:fs/promises';
import type { ObjectAddress, ObjectStore } from '../src/aws/object-store.js';
import { MAX_DELIMITER_BYTES, type ObjectChunk } from '../src/contract/index.js';

/** A part of an object to stage in, as {@link ObjectChunk} has it. */
export interface Chunk {
  start: number;
  end: number;
  index: number;
  count: number;
  delimiter: Buffer;
  /** Bytes of the whole object. */
  objectBytes: number;
  /** The object's ETag, as HTTP has it. */
  ifMatch: string;
}

/** What the first request asks for behind a chunk's end: most lines end there, and a longer one takes a second request. */
const READ_ON_BYTES = 64 * 1024;

/** Reads a record's chunk; a string says which rule it breaks. */
export function parseChunk(
  chunk: Partial<ObjectChunk> | null,
  object: { size?: number; eTag?: string },
): Chunk | string {
  const { start, end, index, count, delimiter: given } = chunk ?? {};
  const { size, eTag } = object;
  const delimiter = typeof given === 'string' ? Buffer.from(given) : Buffer.from(String(given?.base64 ?? ''), 'base64');
  if (!isCount(size)) return 'have the size of its object';
  if (typeof eTag !== 'string') return 'have the eTag of its object';
  if (!isCount(start) || !isCount(end) || end > size || (start >= end && size > 0)) {
    return `have a start below its end, within the ${size} bytes of its object`;
  }
  if (!isCount(index) || !isCount(count) || index >= count) return 'have an index below its count';
  if (delimiter.length < 1 || delimiter.length > MAX_DELIMITER_BYTES) {
    return `have a delimiter of 1 to ${MAX_DELIMITER_BYTES} bytes: text, or { base64 }`;
  }
  return { start, end, index, count, delimiter, objectBytes: size, ifMatch: `"${eTag}"` };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/**
 * Writes a chunk's lines into a file, which is replaced, piece by piece. Tells where in the object they are; undefined if no line begins in
 * the chunk.
 */
export async function writeChunk(
  store: ObjectStore,
  object: ObjectAddress,
  chunk: Chunk,
  file: string,
  signal: AbortSignal,
): Promise<{ start: number; end: number } | undefined> {
  const lines = new ChunkLines(chunk);
  const handle = await open(file, 'w');
  try {
    for (const range of requests(chunk, lines.from)) {
      const { body } = await store.read(object, { ifMatch: chunk.ifMatch, signal, ...range });
      try {
        for await (const piece of body as AsyncIterable<Buffer>) {
          const bytes = lines.take(piece);
          if (bytes.length > 0) await handle.writeFile(bytes);
          if (lines.complete) return lines.range;
        }
      } finally {
        body.destroy();
      }
    }
    return lines.range;
  } finally {
    await handle.close();
  }
}

/** What to ask for, one after the other, until the lines are complete: not, at once, all that follows the chunk. */
function* requests({ end, objectBytes }: Chunk, from: number): Generator<{ range?: { start: number; end?: number } }> {
  const readOn = end + READ_ON_BYTES;
  // S3 refuses any range of an empty object.
  if (readOn >= objectBytes) yield from === 0 ? {} : { range: { start: from } };
  else {
    yield { range: { start: from, end: readOn - 1 } };
    yield { range: { start: readOn } };
  }
}

/**
 * Takes a chunk's lines out of the object's bytes, which come piece by piece: from the first line that begins at `start` or later to
 * the first one that begins at `end` or later. Each bound depends on the bytes around it alone, so that the next chunk starts where this one ends.
 */
export class ChunkLines {
  /** The first byte that is needed: a delimiter may end where the chunk starts. */
  readonly from: number;
  readonly #chunk: Chunk;
  readonly #first: LineStart;
  readonly #last: LineStart;
  #position: number;

  constructor(chunk: Chunk) {
    const { start, end, delimiter } = chunk;
    this.#chunk = chunk;
    this.#first = new LineStart(start, delimiter);
    this.#last = new LineStart(end, delimiter);
    this.from = Math.max(0, start - delimiter.length);
    this.#position = this.from;
  }

  /** What of the next piece belongs to the lines. */
  take(piece: Buffer): Buffer {
    const position = this.#position;
    this.#position += piece.length;
    this.#first.look(piece, position);
    this.#last.look(piece, position);
    if (this.#start === undefined) return piece.subarray(0, 0);
    return piece.subarray(Math.max(0, this.#start - position), Math.max(0, this.#end - position));
  }

  /** Whether no byte that is still to come belongs to them. */
  get complete(): boolean {
    return this.#position >= (this.#start === undefined ? this.#chunk.end : this.#end);
  }

  /** Where they are in the object, once they are complete or all bytes have come. */
  get range(): { start: number; end: number } | undefined {
    return this.#start === undefined ? undefined : { start: this.#start, end: Math.min(this.#end, this.#position) };
  }

  /** Where they begin; undefined until that is known, and for ever if it is in another chunk. An empty object has an empty line. */
  get #start(): number | undefined {
    const { at } = this.#first;
    return at !== undefined && (at < this.#chunk.end || at === 0) ? at : undefined;
  }

  /** Where they end, as far as is known: each byte until then is theirs. */
  get #end(): number {
    return this.#last.at ?? Number.POSITIVE_INFINITY;
  }
}

/** Looks for the first line that begins at a position or later. */
class LineStart {
  /** Undefined until it is found. */
  at: number | undefined;
  readonly #from: number;
  readonly #delimiter: Buffer;
  /** The end of what was looked at: it may be the beginning of a delimiter. */
  #rest = Buffer.alloc(0);

  constructor(position: number, delimiter: Buffer) {
    this.#delimiter = delimiter;
    this.#from = Math.max(0, position - delimiter.length);
    if (position === 0) this.at = 0;
  }

  look(piece: Buffer, position: number): void {
    if (this.at !== undefined || position + piece.length <= this.#from) return;
    const window = Buffer.concat([this.#rest, piece.subarray(Math.max(0, this.#from - position))]);
    const found = window.indexOf(this.#delimiter);
    if (found >= 0) this.at = position + piece.length - window.length + found + this.#delimiter.length;
    else this.#rest = window.subarray(Math.max(0, window.length - this.#delimiter.length + 1));
  }
}
