import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { blobsAhead } from '../../../src/oci/blobs-ahead.js';
import type { Descriptor, ImageSource } from '../../../src/oci/image-source.js';

const PIECE = 256 * 1024;
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

/** A source whose blobs come in pieces that bear their number; it keeps what was asked, sent and closed. */
class CountingSource implements ImageSource {
  readonly reference = 'counting';
  readonly asked: number[] = [];
  readonly sent: number[] = [];
  readonly streams: Readable[] = [];
  readonly #pieces: number;
  readonly #fail: ((index: number, piece: number) => Error | undefined) | undefined;

  constructor(pieces: number, fail?: (index: number, piece: number) => Error | undefined) {
    this.#pieces = pieces;
    this.#fail = fail;
  }

  manifest(): never {
    throw new Error('not asked');
  }

  async blob({ size: index }: Descriptor, signal?: AbortSignal): Promise<Readable> {
    this.asked.push(index);
    const { sent } = this;
    const fail = (piece: number): Error | undefined => this.#fail?.(index, piece);
    const all = this.#pieces;
    const stream = Readable.from(
      (async function* () {
        for (let piece = 0; piece < all; piece++) {
          signal?.throwIfAborted();
          const error = fail(piece);
          if (error) throw error;
          sent[index] = piece + 1;
          yield Buffer.alloc(PIECE, index);
        }
      })(),
      { objectMode: false, highWaterMark: 1 },
    );
    this.streams[index] = stream;
    return stream;
  }

  async close(): Promise<void> {}
}

const descriptors = (count: number): Descriptor[] =>
  Array.from({ length: count }, (_, size) => ({ mediaType: '', digest: '', size }));

async function read(blob: AsyncIterable<Uint8Array>): Promise<{ bytes: number; values: Set<number> }> {
  const all = { bytes: 0, values: new Set<number>() };
  for await (const piece of blob) {
    all.bytes += piece.length;
    all.values.add(piece[0] ?? -1);
  }
  return all;
}

describe('blobs ahead', () => {
  it('come whole and in order', async () => {
    const source = new CountingSource(12);
    const order: number[] = [];
    for await (const { index, blob } of blobsAhead(source, descriptors(7), undefined)) {
      order.push(index);
      expect(await read(blob)).toEqual({ bytes: 12 * PIECE, values: new Set([index]) });
    }
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(source.asked).toEqual(order);
  });

  it('are five, and each waits when a mebibyte of it is there', async () => {
    const source = new CountingSource(100);
    const blobs = blobsAhead(source, descriptors(9), undefined);
    await blobs.next();
    await expect.poll(() => source.sent.filter((pieces) => pieces >= 4).length).toBe(6);
    await settled();
    expect(source.asked).toEqual([0, 1, 2, 3, 4, 5]);
    for (const pieces of source.sent) expect(pieces).toBeLessThanOrEqual(6);
    await blobs.return(undefined);
  });

  it('that fail are reported when their turn comes, after what came before the failure', async () => {
    const source = new CountingSource(8, (index, piece) => (index === 2 && piece === 3 ? new Error('cut') : undefined));
    const got: number[] = [];
    const attempt = (async () => {
      for await (const { blob } of blobsAhead(source, descriptors(5), undefined)) {
        await settled();
        for await (const piece of blob) got.push(piece[0] ?? -1);
      }
    })();
    await expect(attempt).rejects.toThrow('cut');
    expect(got).toEqual([0, 1, 2].flatMap((index) => new Array<number>(index === 2 ? 3 : 8).fill(index)));
    expect(source.streams.every((stream) => stream.closed)).toBe(true);
  });

  it.each(['break', 'error'])('are all closed after a %s', async (how) => {
    const source = new CountingSource(100);
    const attempt = (async () => {
      for await (const { blob } of blobsAhead(source, descriptors(5), undefined)) {
        for await (const _ of blob) {
          if (how === 'error') throw new Error('sink');
          break;
        }
        break;
      }
    })();
    if (how === 'error') await expect(attempt).rejects.toThrow('sink');
    else await attempt;
    expect(source.asked.length).toBe(5);
    expect(source.streams.every((stream) => stream.closed)).toBe(true);
  });

  it('end with the reason of an abort', async () => {
    const source = new CountingSource(100);
    const controller = new AbortController();
    const attempt = (async () => {
      for await (const { blob } of blobsAhead(source, descriptors(5), controller.signal)) {
        for await (const _ of blob) controller.abort(new Error('enough'));
      }
    })();
    await expect(attempt).rejects.toThrow('enough');
    expect(source.streams.every((stream) => stream.closed)).toBe(true);
  });

  it('whose opening never ends by itself are ended by the signal they were given', async () => {
    const source = new CountingSource(1);
    const open = source.blob.bind(source);
    const signals: AbortSignal[] = [];
    source.blob = async (descriptor, signal) => {
      if (descriptor.size === 0) return open(descriptor, signal);
      if (signal) signals.push(signal);
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    };
    for await (const _ of blobsAhead(source, descriptors(3), undefined)) break;
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });
});
