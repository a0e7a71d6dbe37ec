import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { Decompress as ZstdDecompress } from 'fzstd';
import { ImageError, UnsupportedImageError } from '../errors.js';

/**
 * How a layer is compressed is told by its first bytes, as Docker and containerd do it: media types are often wrong, and
 * a docker-archive has none.
 */
const magics: readonly { name: Compression; bytes: readonly number[] }[] = [
  { name: 'gzip', bytes: [0x1f, 0x8b] },
  { name: 'zstd', bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: 'bzip2', bytes: [0x42, 0x5a, 0x68] },
  { name: 'xz', bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
];

/** How a blob is compressed. */
export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

/** Reads the compression from a blob's first bytes (6 are enough). */
export function compressionOf(head: Buffer): Compression {
  return magics.find(({ bytes }) => bytes.every((byte, i) => head[i] === byte))?.name ?? 'none';
}

/** Inflated pieces: large enough that a big file costs few writes, small enough to be few in memory. */
const CHUNK_BYTES = 256 * 1024;
/** Pieces that wait while the ones before are written: zlib's thread inflates the next meanwhile. */
const CHUNKS_AHEAD = 4;

/**
 * Passes a layer on decompressed. Throws `image-corrupt` for a stream that is damaged or cut, `image-unsupported` for a
 * compression that no image format has, and what the source throws.
 */
export async function* decompressed(source: AsyncIterable<Buffer>, where: string): AsyncGenerator<Buffer> {
  const { head, whole } = await peek(source, 6);
  const compression = compressionOf(head);
  switch (compression) {
    case 'none':
      return yield* whole;
    case 'gzip':
      return yield* inflate(whole, zlib.createGunzip(inflateOptions), where);
    case 'zstd':
      return yield* unzstd(whole, where);
    default:
      throw new UnsupportedImageError(
        `${where} is compressed with ${compression}; layers may be plain, gzip or zstd. Build or convert the image with ` +
          'a current tool, for example: skopeo copy --dest-compress-format gzip',
      );
  }
}

/** In object mode pieces are read as they are, not several joined to one by copying. */
const inflateOptions = { chunkSize: CHUNK_BYTES, readableObjectMode: true, readableHighWaterMark: CHUNKS_AHEAD };

/** Node's own from 22.15 and 23.8 on; its types come with @types/node 22. */
const nativeZstd = (zlib as { createZstdDecompress?: (options: typeof inflateOptions) => Transform })
  .createZstdDecompress;

function unzstd(source: AsyncIterable<Buffer>, where: string): AsyncGenerator<Buffer> {
  return nativeZstd ? inflate(source, nativeZstd(inflateOptions), where) : unzstdInScript(source, where);
}

/** Drives one of zlib's streams by hand, because it stops taking input where its format ends, and a digest does not. */
async function* inflate(source: AsyncIterable<Buffer>, inflater: Transform, where: string): AsyncGenerator<Buffer> {
  const feeding = feed(source, inflater);
  feeding.catch((error: Error) => inflater.destroy(error));
  try {
    yield* inflater;
  } catch (error) {
    throw isZlibError(error) ? damaged(where, error) : error;
  } finally {
    inflater.destroy();
  }
  await feeding;
}

async function feed(source: AsyncIterable<Buffer>, inflater: Transform): Promise<void> {
  for await (const chunk of source) {
    // Bytes behind the compressed stream belong to the blob's digest, and to nothing else.
    if (inflater.readableEnded) continue;
    if (inflater.destroyed) return;
    if (!inflater.write(chunk)) await wantsMore(inflater);
  }
  inflater.end();
}

/** Waits until the stream takes more, or never will. */
function wantsMore(stream: Transform): Promise<void> {
  const events = ['drain', 'end', 'close'] as const;
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of events) stream.off(event, done);
      resolve();
    };
    for (const event of events) stream.on(event, done);
  });
}

/** zstd in plain JavaScript, for Node before 22.15: some three times slower. */
export async function* unzstdInScript(source: AsyncIterable<Buffer>, where: string): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  const stream = new ZstdDecompress((piece) => {
    pieces.push(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
  });
  const push = (chunk: Buffer, last: boolean): Buffer[] => {
    pieces = [];
    try {
      stream.push(chunk, last);
    } catch (error) {
      throw damaged(where, error);
    }
    return pieces;
  };
  for await (const chunk of source) yield* push(chunk, false);
  yield* push(Buffer.alloc(0), true);
}

function isZlibError(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  return code.startsWith('Z_') || code.startsWith('ZSTD_');
}

function damaged(where: string, cause: unknown): ImageError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ImageError(
    'image-corrupt',
    `${where} cannot be decompressed: ${reason}. Try again, or push the image anew.`,
    { cause },
  );
}

/** The first bytes (fewer if there are no more), and the whole from its beginning. */
async function peek(
  source: AsyncIterable<Buffer>,
  bytes: number,
): Promise<{ head: Buffer; whole: AsyncIterable<Buffer> }> {
  const iterator = source[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  while (head.length < bytes) {
    const next = await iterator.next();
    if (next.done) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  return {
    head,
    whole: (async function* () {
      try {
        if (head.length > 0) yield head;
        yield* { [Symbol.asyncIterator]: () => iterator };
      } finally {
        await iterator.return?.();
      }
    })(),
  };
}
