import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { ObjectStore } from '../../aws/object-store.js';
import { ScarError, ValidationError } from '../../errors.js';
import { linkSignals } from '../../util/linked-signal.js';

/** A text in a bucket, of a line for each object. */
export interface ListFile {
  bucket: string;
  key: string;
  /** What messages call it: `manifest s3://lists/a.csv`. */
  name: string;
  /** What it must have, if that is known. */
  bytes?: number | undefined;
  /** In hex; compared at its end, when all before it has been used. */
  md5?: string | undefined;
}

/** A line without its end, and what messages call it. */
export interface Line {
  text: string;
  where: string;
}

/** A run may take hours: each piece is a request of its own, so that no connection waits for the next one. */
const PIECE_BYTES = 1024 * 1024;

/** A key of 1,024 bytes, all escaped by JSON, and the rest of its line are far below. */
const LONGEST_LINE = 64 * 1024;

/**
 * The lines of a file, but for empty ones, read as they are needed; of a file in gzip if its key ends in `.gz`.
 *
 * @throws ValidationError naming file and line; ScarError `invalid-option` for what is no gzip, or as S3's
 */
export async function* readLines(
  store: ObjectStore,
  file: ListFile,
  signal: AbortSignal,
): AsyncGenerator<Line, undefined> {
  const pieces = (until: AbortSignal) => readPieces(store, file, until);
  let number = 0;
  for await (const line of lines(file.key.endsWith('.gz') ? gunzip(pieces, file.name, signal) : pieces(signal))) {
    number++;
    const where = `Line ${number} of the ${file.name}`;
    const text = decodeLine(line, where, number === 1);
    if (text !== '') yield { text, where };
  }
}

async function* readPieces(store: ObjectStore, file: ListFile, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const { bytes, eTag } = await store.head(file, signal);
  if (file.bytes !== undefined && bytes !== file.bytes) throw altered(file, `${file.bytes} bytes`, bytes);
  const hash = file.md5 === undefined ? undefined : createHash('md5');
  for (let start = 0; start < bytes; start += PIECE_BYTES) {
    const range = { start, end: Math.min(start + PIECE_BYTES, bytes) - 1 };
    const { body } = await store.read(file, { range, ifMatch: eTag, signal });
    const piece = Buffer.concat(await body.toArray());
    hash?.update(piece);
    yield piece;
  }
  const md5 = hash?.digest('hex');
  if (md5 !== file.md5?.toLowerCase()) throw altered(file, `the MD5 ${file.md5}`, md5);
}

function altered({ name }: ListFile, expected: string, received: unknown): ValidationError {
  return new ValidationError(
    `The ${name}`,
    `have ${expected}, as its inventory says`,
    received,
    'Take one that is whole',
  );
}

async function* gunzip(
  pieces: (signal: AbortSignal) => AsyncGenerator<Uint8Array>,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  // A stream reads a piece ahead: whoever has enough does not wait for it.
  const link = linkSignals(signal);
  const unzipped = createGunzip();
  // Its error is also that of the stream that is read here.
  const ended = pipeline(Readable.from(pieces(link.signal), { objectMode: false }), unzipped).catch(() => {});
  try {
    yield* unzipped as AsyncIterable<Uint8Array>;
  } catch (error) {
    if (!String((error as NodeJS.ErrnoException).code).startsWith('Z_')) throw error;
    const message = `The ${name} must be whole and in gzip, as its name says; ${(error as Error).message}`;
    throw new ScarError('invalid-option', message, { cause: error });
  } finally {
    link.abort(new ScarError('aborted', `Nobody asks for more of the ${name}`));
    unzipped.destroy();
    await ended;
    link.release();
  }
}

/** Lines without their end; one that is longer than any may be comes unfinished. */
async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes =
      rest.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      yield bytes.subarray(start, end);
      start = end + 1;
    }
    rest = bytes.subarray(start);
    if (rest.length > LONGEST_LINE) yield rest;
  }
  if (rest.length > 0) yield rest;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeLine(bytes: Buffer, where: string, first: boolean): string {
  if (bytes.length > LONGEST_LINE) {
    throw new ValidationError(where, `have at most ${LONGEST_LINE} bytes`, bytes.toString('utf8', 0, 80));
  }
  try {
    const line = utf8.decode(bytes).trimEnd();
    return first ? line.replace(/^\uFEFF/, '') : line;
  } catch {
    throw new ValidationError(where, 'be UTF-8', bytes.toString('latin1', 0, 80), 'A compressed file ends in .gz');
  }
}

/** The fields of a line of CSV (RFC 4180, section 2); undefined if a quote is out of place. */
export function csvFields(line: string): string[] | undefined {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  for (;;) {
    const found = field.exec(line);
    if (!found) return undefined;
    fields.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? '');
    if (found[3] === '') return fields;
  }
}
