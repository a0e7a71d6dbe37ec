import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { ImageError } from '../../errors.js';
import { unzstdInScript } from '../decompress.js';
import { CHUNK_BYTES } from './index-document.js';

/**
 * Frames of an archive: each is one chunk, compressed on its own, and says at its beginning how long it is, so that several are
 * inflated at once. Together they are what gzip or zstd writes: `gzip -dc` and `zstd -dc` read the archive.
 *
 * gzip: a member with an extra field (RFC 1952, section 2.3.1.1) `SC`, the length of what follows the header. zstd: a skippable
 * frame (RFC 8878, section 3.1.2) with the length of the frame behind it, as pzstd writes.
 */
export type Compression = 'gzip' | 'zstd';

/** By Node's version: zstd from 22.15 and 23.8 on; its types come with @types/node 22. */
const { zstdCompress, zstdDecompress, constants } = zlib as typeof zlib & {
  zstdCompress?: (bytes: Buffer, options: object, callback: (error: Error | null, result: Buffer) => void) => void;
  zstdDecompress?: (bytes: Buffer, options: object, callback: (error: Error | null, result: Buffer) => void) => void;
  constants: { ZSTD_c_compressionLevel: number };
};

/** The best that this Node can write. */
export const bestCompression: Compression = zstdCompress ? 'zstd' : 'gzip';

/** Bytes that tell a frame's format and length. */
export const FRAME_HEADER_BYTES = 20;
const ZSTD_HEADER_BYTES = 12;

/** Magic, deflate, FEXTRA; no time; unknown system; 8 bytes of extra field: SC, 4 bytes. */
const GZIP_HEADER = Buffer.from('1f8b08040000000000ff080053430400', 'hex');
const ZSTD_HEADER = Buffer.from('502a4d1804000000', 'hex');

/** What a compressor adds to bytes that it cannot compress, and more. */
const MAX_FRAME_BYTES = CHUNK_BYTES + 64 * 1024;

const deflate = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.deflateRaw);
const inflate = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.inflateRaw);

/** Levels above these cost more time than an upload gains. */
const GZIP_LEVEL = 6;
const ZSTD_LEVEL = 6;

/** In libuv's pool: several at once use several processors. */
export async function writeFrame(chunk: Buffer, compression: Compression): Promise<Buffer> {
  if (compression === 'zstd' && zstdCompress) {
    const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL };
    const frame = await promisify(zstdCompress)(chunk, { params });
    return Buffer.concat([ZSTD_HEADER, uint32(frame.length), frame]);
  }
  const body = await deflate(chunk, { level: GZIP_LEVEL });
  const trailer = [uint32(zlib.crc32(chunk)), uint32(chunk.length)];
  return Buffer.concat([GZIP_HEADER, uint32(body.length + 8), body, ...trailer]);
}

export interface FrameHeader {
  compression: Compression;
  headerBytes: number;
  /** What follows the header. */
  bodyBytes: number;
}

/** Reads what a frame says of itself. Throws `image-corrupt`. */
export function readFrameHeader(head: Buffer, where: string): FrameHeader {
  const found = head.subarray(0, GZIP_HEADER.length).equals(GZIP_HEADER)
    ? { compression: 'gzip' as const, headerBytes: FRAME_HEADER_BYTES }
    : head.subarray(0, ZSTD_HEADER.length).equals(ZSTD_HEADER)
      ? { compression: 'zstd' as const, headerBytes: ZSTD_HEADER_BYTES }
      : undefined;
  const bodyBytes = found && head.length >= found.headerBytes ? head.readUInt32LE(found.headerBytes - 4) : 0;
  if (found && bodyBytes > 0 && bodyBytes <= MAX_FRAME_BYTES) return { ...found, bodyBytes };
  throw new ImageError('image-corrupt', `${where} has no frame of a rootfs archive where one should begin`);
}

/** In libuv's pool. Throws what the decompressor says, also for more than a chunk. */
export async function readFrame({ compression }: FrameHeader, body: Buffer): Promise<Buffer> {
  // One buffer of the right size, and an error at its end for a bomb.
  const options = { chunkSize: CHUNK_BYTES, maxOutputLength: CHUNK_BYTES };
  if (compression === 'gzip') return await inflate(body.subarray(0, -8), options);
  if (zstdDecompress) return await promisify(zstdDecompress)(body, options);
  return await unzstd(body);
}

/** For Node before 22.15. */
async function unzstd(body: Buffer): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of unzstdInScript(Readable.from([body]), 'a chunk')) {
    bytes += piece.length;
    if (bytes > CHUNK_BYTES) throw new RangeError(`more than ${CHUNK_BYTES} bytes come out of it`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}
