import { ImageError } from '../../errors.js';
import { FRAME_HEADER_BYTES, type FrameHeader, readFrame, readFrameHeader } from './frame.js';
import { CHUNK_BYTES, type RootfsIndex } from './index-document.js';

/** Chunks that are inflated at once, and wait while the ones before are written. */
const CHUNKS_AHEAD = 3;

/**
 * The tar archive in a rootfs archive, chunk by chunk. Each is checked against the index before it is passed on; several are
 * inflated and checked at once, in libuv's pool.
 *
 * @param stream - the archive's bytes as they come
 * @param where - how messages call it
 * @param onBytes - is told of bytes as they are used
 * @throws ImageError `image-corrupt`; what the stream throws
 */
export async function* archiveTar(
  stream: AsyncIterable<Uint8Array>,
  { chunks }: Pick<RootfsIndex, 'chunks'>,
  where: string,
  onBytes?: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  const ahead: Promise<Buffer>[] = [];
  let opened = 0;
  try {
    for await (const { header, body } of frames(stream, where)) {
      onBytes?.(header.headerBytes + body.length);
      const digest = chunks[opened++];
      if (digest === undefined) throw corrupt(where, `more than its ${chunks.length} chunks came`);
      const chunk = openFrame(header, body, digest, `chunk ${opened} of ${chunks.length} of ${where}`);
      chunk.catch(() => {});
      ahead.push(chunk);
      const oldest = ahead.length === CHUNKS_AHEAD ? ahead.shift() : undefined;
      if (oldest) yield await oldest;
    }
    for (const chunk of ahead.splice(0)) yield await chunk;
  } finally {
    await Promise.allSettled(ahead);
  }
  if (opened < chunks.length) throw corrupt(where, `it ended after ${opened} of ${chunks.length} chunks`);
}

async function openFrame(header: FrameHeader, body: Buffer, digest: string, where: string): Promise<Buffer> {
  let chunk: Buffer;
  try {
    chunk = await readFrame(header, body);
  } catch (error) {
    throw corrupt(where, `it cannot be decompressed: ${error instanceof Error ? error.message : error}`, error);
  }
  const actual = Buffer.from(await crypto.subtle.digest('SHA-256', chunk)).toString('hex');
  if (actual === digest && chunk.length <= CHUNK_BYTES) return chunk;
  throw corrupt(where, `it should have the digest sha256:${digest}, and has sha256:${actual}`);
}

async function* frames(
  stream: AsyncIterable<Uint8Array>,
  where: string,
): AsyncGenerator<{ header: FrameHeader; body: Buffer }> {
  const reader = new ExactReader(stream);
  try {
    for (;;) {
      const head = await reader.peek(FRAME_HEADER_BYTES);
      if (head.length === 0) return;
      const header = readFrameHeader(head, where);
      await reader.take(header.headerBytes);
      const body = await reader.take(header.bodyBytes);
      if (body.length < header.bodyBytes) throw corrupt(where, 'it ended in the middle of a chunk');
      yield { header, body };
    }
  } finally {
    await reader.close();
  }
}

/** Takes so many bytes at a time from a stream of pieces of any size. */
class ExactReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#iterator = stream[Symbol.asyncIterator]();
  }

  /** So many bytes, or what is left, which stay to be taken. */
  async peek(bytes: number): Promise<Buffer> {
    while (this.#bytes < bytes) {
      const next = await this.#iterator.next();
      if (next.done) break;
      this.#pieces.push(next.value);
      this.#bytes += next.value.length;
    }
    // One piece may have many small frames, and is not copied for each.
    const [first = Buffer.alloc(0), ...others] = this.#pieces;
    if (others.length > 0) this.#pieces = [Buffer.concat(this.#pieces)];
    const { buffer, byteOffset, length } = this.#pieces[0] ?? first;
    return Buffer.from(buffer, byteOffset, Math.min(length, bytes));
  }

  async take(bytes: number): Promise<Buffer> {
    const taken = await this.peek(bytes);
    const [all] = this.#pieces;
    this.#pieces = all && all.length > taken.length ? [all.subarray(taken.length)] : [];
    this.#bytes -= taken.length;
    return taken;
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}

function corrupt(where: string, what: string, cause?: unknown): ImageError {
  return new ImageError('image-corrupt', `${where} is damaged: ${what}. Create or update the function anew.`, {
    cause,
  });
}
