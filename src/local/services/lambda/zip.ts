import { promisify } from 'node:util';
import { constants, crc32, inflateRaw } from 'node:zlib';

/** A zip that is no zip, or that no function may be made of. The message is for the caller. */
export class ZipError extends Error {
  override readonly name = 'ZipError';
}

/** One member of a zip, checked: its path is relative, without `..`, and its size is that of its content. */
export interface ZipEntry {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink';
  /** Permission bits; undefined when the zip was not made on Unix. */
  readonly mode: number | undefined;
  readonly size: number;
  /** Inflates and verifies. @throws ZipError when size or CRC-32 do not match. */
  read(): Promise<Buffer>;
}

const inflate = promisify(inflateRaw);

/** PKWARE's APPNOTE.TXT, sections 4.3.16, 4.3.12 and 4.3.7. */
const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_HEADER = 0x04034b50;
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const MAX_COMMENT = 0xffff;
const ZIP64 = 0xffffffff;

/** Far above any function's package; keeps a hostile zip from filling the file system with names. */
const MAX_ENTRIES = 65_534;

const MADE_ON_UNIX = 3;
const TYPE_BITS = 0o170000;
const SYMLINK_BITS = 0o120000;
const DIRECTORY_BITS = 0o040000;

/**
 * The members of a zip, from its central directory. A path that occurs twice counts once, with its last content.
 *
 * @param maxBytes - the limit for all contents together
 * @throws ZipError
 */
export function readZip(zip: Buffer, maxBytes: number): ZipEntry[] {
  const { offset, count } = findDirectory(zip);
  const entries = new Map<string, ZipEntry>();
  let total = 0;
  for (let at = offset, n = 0; n < count; n++) {
    if (at + ENTRY_BYTES > zip.length || zip.readUInt32LE(at) !== DIRECTORY_ENTRY) throw new ZipError('bad directory');
    const { entry, next } = readEntry(zip, at);
    total += entry.size;
    if (total > maxBytes) throw new ZipError(`Unzipped size must be smaller than ${maxBytes} bytes`);
    if (entry.path !== '') entries.set(entry.path, entry);
    at = next;
  }
  return [...entries.values()];
}

function findDirectory(zip: Buffer): { offset: number; count: number } {
  const first = Math.max(0, zip.length - END_BYTES - MAX_COMMENT);
  for (let at = zip.length - END_BYTES; at >= first; at--) {
    if (zip.readUInt32LE(at) !== END_OF_DIRECTORY) continue;
    const count = zip.readUInt16LE(at + 10);
    const offset = zip.readUInt32LE(at + 16);
    if (count > MAX_ENTRIES || offset === ZIP64) throw new ZipError(`more than ${MAX_ENTRIES} entries, or Zip64`);
    return { offset, count };
  }
  throw new ZipError('no central directory');
}

function readEntry(zip: Buffer, at: number): { entry: ZipEntry; next: number } {
  const method = zip.readUInt16LE(at + 10);
  const checksum = zip.readUInt32LE(at + 16);
  const packed = zip.readUInt32LE(at + 20);
  const size = zip.readUInt32LE(at + 24);
  const nameBytes = zip.readUInt16LE(at + 28);
  const next = at + ENTRY_BYTES + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  const name = zip.toString('utf8', at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes);
  const bits = zip.readUInt8(at + 5) === MADE_ON_UNIX ? zip.readUInt16LE(at + 40) : 0;
  const start = contentStart(zip, zip.readUInt32LE(at + 42));
  if (start + packed > zip.length) throw new ZipError(`${name} is cut off`);
  const content = zip.subarray(start, start + packed);
  const entry: ZipEntry = {
    path: safePath(name),
    type: typeOf(name, bits),
    mode: bits === 0 ? undefined : bits & 0o777,
    size,
    read: () => unpack(content, method, size, checksum, name),
  };
  return { entry, next };
}

function contentStart(zip: Buffer, header: number): number {
  if (header + LOCAL_BYTES > zip.length || zip.readUInt32LE(header) !== LOCAL_HEADER) throw new ZipError('bad header');
  return header + LOCAL_BYTES + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
}

function typeOf(name: string, bits: number): ZipEntry['type'] {
  if ((bits & TYPE_BITS) === SYMLINK_BITS) return 'symlink';
  return name.endsWith('/') || (bits & TYPE_BITS) === DIRECTORY_BITS ? 'directory' : 'file';
}

/** The path below the function's folder. @throws ZipError for one that leads out of it ("zip slip"). */
function safePath(name: string): string {
  const segments = name.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (name.startsWith('/') || name.includes('\0') || segments.includes('..')) {
    throw new ZipError(`the path ${JSON.stringify(name)} leads out of the package`);
  }
  return segments.join('/');
}

async function unpack(content: Buffer, method: number, size: number, checksum: number, name: string): Promise<Buffer> {
  const data = method === 0 ? content : await inflateEntry(content, method, size, name);
  if (data.length !== size || crc32(data) !== checksum) throw new ZipError(`${name} is corrupt`);
  return data;
}

async function inflateEntry(content: Buffer, method: number, size: number, name: string): Promise<Buffer> {
  if (method !== 8) throw new ZipError(`${name} is compressed by method ${method}; only 0 and 8 (deflate) are known`);
  try {
    return await inflate(content, { maxOutputLength: Math.max(1, size), finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    throw new ZipError(`${name} is corrupt`);
  }
}
