import type { Readable } from 'node:stream';
import { linkSignals } from '../util/linked-signal.js';
import type { Descriptor, ImageSource } from './image-source.js';

/** Blobs on their way before their turn: a registry answers after a redirect or a login, which takes longer than many a layer. */
const BLOBS_AHEAD = 5;
/** Bytes of a blob that wait. */
const BYTES_AHEAD = 1024 * 1024;

/** A blob whose turn has come. */
export interface BlobInTurn {
  index: number;
  descriptor: Descriptor;
  blob: AsyncIterable<Uint8Array>;
}

/**
 * An image's blobs in their order, each read to its end before the next is asked for; the ones behind it are fetched
 * meanwhile. One that fails ahead of its turn is reported when that comes. A break or an error ends all that is open.
 */
export async function* blobsAhead(
  source: ImageSource,
  descriptors: readonly Descriptor[],
  signal: AbortSignal | undefined,
): AsyncGenerator<BlobInTurn> {
  const link = linkSignals(signal);
  const open = new Map<number, BlobAhead>();
  try {
    for (const [index, descriptor] of descriptors.entries()) {
      signal?.throwIfAborted();
      for (const [other, coming] of descriptors.entries()) {
        if (other < index || other > index + BLOBS_AHEAD || open.has(other)) continue;
        open.set(other, new BlobAhead(source, coming, link.signal));
      }
      yield { index, descriptor, blob: open.get(index) as BlobAhead };
      open.delete(index);
    }
  } finally {
    if (open.size > 0) link.abort(new Error('The blob is not wanted any more.'));
    await Promise.all([...open.values()].map((blob) => blob.close()));
    link.release();
  }
}

/** Reads a blob as far ahead of its reader as it may. */
class BlobAhead implements AsyncIterable<Uint8Array> {
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #state: 'open' | 'ended' | 'closed' = 'open';
  #failure: { error: unknown } | undefined;
  #stream: Readable | undefined;
  #changed: (() => void)[] = [];
  readonly #reading: Promise<void>;

  constructor(source: ImageSource, descriptor: Descriptor, signal: AbortSignal) {
    this.#reading = this.#read(source, descriptor, signal);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece) {
        this.#bytes -= piece.length;
        this.#wake();
        yield piece;
      } else if (this.#failure) {
        throw this.#failure.error;
      } else if (this.#state === 'open') {
        await this.#change();
      } else {
        return;
      }
    }
  }

  /** Comes back when nothing of it is open any more. */
  async close(): Promise<void> {
    this.#state = 'closed';
    this.#wake();
    this.#stream?.destroy();
    await this.#reading;
    const stream = this.#stream;
    if (stream && !stream.closed) await new Promise((resolve) => stream.once('close', resolve).destroy());
  }

  async #read(source: ImageSource, descriptor: Descriptor, signal: AbortSignal): Promise<void> {
    try {
      this.#stream = await source.blob(descriptor, signal);
      if (this.#state === 'closed') this.#stream.destroy();
      for await (const piece of this.#stream as AsyncIterable<Uint8Array>) {
        this.#pieces.push(piece);
        this.#bytes += piece.length;
        this.#wake();
        while (this.#bytes >= BYTES_AHEAD && this.#state === 'open') await this.#change();
        // Leaving the loop destroys the stream.
        if (this.#state === 'closed') break;
      }
    } catch (error) {
      this.#failure = { error };
    }
    if (this.#state === 'open') this.#state = 'ended';
    this.#wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#changed.splice(0)) resolve();
  }
}
