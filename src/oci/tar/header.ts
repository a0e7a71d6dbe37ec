import { ImageError } from '../../errors.js';

/** Tar comes in blocks of this many bytes (POSIX.1-2017 pax, "ustar Interchange Format"). */
export const BLOCK = 512;

/** What an entry is, as far as a layer may hold it. */
export type EntryType = 'file' | 'directory' | 'symlink' | 'link' | 'character-device' | 'block-device' | 'fifo';

/** A file with holes: `size` is the file's, `segments` are where its stored bytes belong, in order. */
export interface SparseMap {
  size: number;
  segments: { offset: number; length: number }[];
}

/**
 * One entry of a tar archive. Names are *byte strings*: one character (U+0000 to U+00FF) per byte, because tar knows no
 * encoding and an image's names need not be UTF-8.
 */
export interface TarEntry {
  type: EntryType;
  name: string;
  /** Target of a symbolic or hard link; empty otherwise. */
  linkName: string;
  /** Bytes of content that follow in the archive. */
  size: number;
  mode: number;
  /** Seconds since the epoch. */
  mtime: number;
  sparse?: SparseMap;
}

/** A header block as it stands, before PAX and GNU extensions change it. */
export interface RawHeader extends Omit<TarEntry, 'type' | 'sparse'> {
  typeflag: string;
  gnu: boolean;
}

const typeflags: Readonly<Record<string, EntryType>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
};

/** The type that a flag stands for; undefined for one that no layer may have. */
export function entryType(header: RawHeader): EntryType | undefined {
  // Before POSIX a directory was a file whose name ends with a slash.
  if (header.typeflag === '\0' && header.name.endsWith('/')) return 'directory';
  return typeflags[header.typeflag];
}

/** Reads one header block; undefined for a block of zeros. Throws `image-corrupt` if the checksum is wrong. */
export function readHeader(block: Buffer): RawHeader | undefined {
  if (!hasChecksum(block)) {
    if (isZero(block)) return undefined;
    throw corrupt('a header block has a wrong checksum');
  }
  const magic = block.toString('latin1', 257, 265);
  const posix = magic === 'ustar\x0000';
  const star = posix && block.toString('latin1', 508, 512) === 'tar\0';
  const prefix = posix ? text(block, 345, star ? 131 : 155) : '';
  const name = text(block, 0, 100);
  return {
    typeflag: String.fromCharCode(block[156] ?? 0),
    gnu: magic === 'ustar  \0',
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkName: text(block, 157, 100),
    mode: number(block, 100, 8, 'mode') & 0o7777,
    size: number(block, 124, 12, 'size'),
    mtime: signedNumber(block, 136, 12),
  };
}

/**
 * A number of a header: octal digits, or (GNU) base 256 when the first bit is set.
 * Throws `image-corrupt` for what is neither, negative, or above 2^53.
 */
export function number(block: Buffer, offset: number, length: number, field: string): number {
  const value = signedNumber(block, offset, length);
  if (!Number.isSafeInteger(value) || value < 0) throw corrupt(`the ${field} of an entry is not a number of bytes`);
  return value;
}

function signedNumber(block: Buffer, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  if ((first & 0x80) !== 0) return base256(block, offset, length, first);
  let value = 0;
  for (let i = offset; i < offset + length; i++) {
    const digit = (block[i] ?? 0) - 0x30;
    if (digit >= 0 && digit <= 7) value = value * 8 + digit;
    else if (block[i] !== 0x20 && block[i] !== 0) return Number.NaN;
    else if (value > 0) break;
  }
  return value;
}

/** Two's complement, big-endian, with the marker bit taken off. */
function base256(block: Buffer, offset: number, length: number, first: number): number {
  const negative = (first & 0x40) !== 0;
  let value = negative ? (first & 0x7f) - 0x80 : first & 0x7f;
  for (let i = offset + 1; i < offset + length; i++) value = value * 256 + (block[i] ?? 0);
  return value;
}

/** The sum of the block's bytes with the checksum's own field as spaces; some old tars added signed bytes. */
function hasChecksum(block: Buffer): boolean {
  const expected = signedNumber(block, 148, 8);
  let unsigned = 8 * 0x20;
  let high = 0;
  for (let i = 0; i < BLOCK; i++) {
    if (i === 148) i = 156;
    const byte = block[i] ?? 0;
    unsigned += byte;
    if (byte > 127) high++;
  }
  return expected === unsigned || expected === unsigned - 256 * high;
}

export function isZero(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/** Bytes up to the first NUL. */
export function text(block: Buffer, offset: number, length: number): string {
  const end = block.indexOf(0, offset);
  return block.toString('latin1', offset, end < 0 || end > offset + length ? offset + length : end);
}

export function corrupt(what: string): ImageError {
  return new ImageError('image-corrupt', `The layer is not a sound tar archive: ${what}.`, { context: { what } });
}

/** Says of which archive `corrupt` spoke, and what to do; any other error is returned as it is. */
export function corruptIn(error: unknown, where: string, hint: string): unknown {
  if (!(error instanceof ImageError) || error.context.what === undefined) return error;
  const { what } = error.context;
  return new ImageError('image-corrupt', `${where} is not a sound tar archive: ${what}. ${hint}`, {
    context: { where, what },
    cause: error,
  });
}

/** A byte string as people read it. */
export function display(name: string): string {
  const shown = JSON.stringify(Buffer.from(name, 'latin1').toString('utf8'));
  return shown.length > 200 ? `${shown.slice(0, 196)}..."` : shown;
}
