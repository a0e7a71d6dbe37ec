import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { OutputTail } from '../../src/contract/index.js';

/** How much of the end of each output goes into the response, in bytes. */
export const TAIL_BYTES = 16 * 1024;

/** A line longer than this is cut in the log, so that output without newlines does not pile up in memory. */
const MAX_LINE_BYTES = 64 * 1024;

const NEWLINE = 0x0a;

/**
 * Copies one output of the container to the log as it appears, in whole lines, so that those of standard output and
 * standard error never mix within a line; waits while the log is full. Returns the output's end when the stream has ended.
 * Bytes are passed on as they are.
 */
export async function forwardOutput(output: Readable, log: Writable): Promise<OutputTail> {
  const tail = new TailBuffer(TAIL_BYTES);
  const lines = new LineBuffer(MAX_LINE_BYTES);
  const send = async (bytes: Buffer) => {
    if (bytes.length > 0 && !log.write(bytes)) await once(log, 'drain');
  };
  try {
    for await (const chunk of output as AsyncIterable<Buffer>) {
      tail.push(chunk);
      await send(lines.push(chunk));
    }
  } catch (error) {
    // We close it ourselves when a process that outlived the container keeps the other end open.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
  await send(lines.end());
  return tail.toOutputTail();
}

/** Gives back what it is given in whole lines. */
export class LineBuffer {
  readonly #maxBytes: number;
  #partial: Buffer[] = [];
  #partialBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** All complete lines so far; nothing if there is none. */
  push(chunk: Buffer): Buffer {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    const complete = end > 0 ? Buffer.concat([...this.#partial, chunk.subarray(0, end)]) : Buffer.alloc(0);
    if (end > 0) this.#clear();
    if (end < chunk.length) {
      this.#partial.push(chunk.subarray(end));
      this.#partialBytes += chunk.length - end;
    }
    return this.#partialBytes > this.#maxBytes ? Buffer.concat([complete, this.end()]) : complete;
  }

  /** What is left of a line that was never ended, as a line. */
  end(): Buffer {
    if (this.#partialBytes === 0) return Buffer.alloc(0);
    const line = Buffer.concat([...this.#partial, Buffer.from([NEWLINE])]);
    this.#clear();
    return line;
  }

  #clear(): void {
    this.#partial = [];
    this.#partialBytes = 0;
  }
}

/** Keeps the last bytes of a stream, and counts all. */
export class TailBuffer {
  readonly #keep: number;
  #chunks: Buffer[] = [];
  #kept = 0;
  #bytes = 0;

  constructor(keep: number) {
    this.#keep = keep;
  }

  push(chunk: Buffer): void {
    this.#bytes += chunk.length;
    this.#chunks.push(chunk);
    this.#kept += chunk.length;
    for (let first = this.#chunks[0]; first && this.#kept - first.length >= this.#keep; first = this.#chunks[0]) {
      this.#chunks.shift();
      this.#kept -= first.length;
    }
    // Many small writes: one buffer of them instead of thousands.
    if (this.#chunks.length > 256) this.#chunks = [Buffer.concat(this.#chunks)];
  }

  /** The tail as text: cut at the front at a character, not within one; bytes that are no UTF-8 become U+FFFD. */
  toOutputTail(): OutputTail {
    const all = Buffer.concat(this.#chunks);
    let start = Math.max(0, all.length - this.#keep);
    if (start > 0) while (start < all.length && ((all[start] ?? 0) & 0xc0) === 0x80) start++;
    return { text: all.toString('utf8', start), bytes: this.#bytes };
  }
}
