import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { ObjectStore } from '../../aws/object-store.js';
import { decodeEventKey } from '../../contract/index.js';
import { ScarError, ValidationError } from '../../errors.js';
import { linkSignals } from '../../util/linked-signal.js';
import * as check from '../validate.js';
import { checkKey } from './keys.js';
import type { SelectedObject } from './selection.js';

/** Where a list of objects lies. */
export interface ManifestAddress {
  bucket: string;
  key: string;
}

/** A run may take hours: each piece is a request of its own, so that no connection waits for the next one. */
const PIECE_BYTES = 1024 * 1024;

/** A key of 1,024 bytes, all escaped by JSON, and the rest of its line are far below. */
const LONGEST_LINE = 64 * 1024;

export function checkManifest(manifest: unknown): void {
  if (manifest === undefined) return;
  check.knownOptions(manifest, ['bucket', 'key'], 'manifest');
  const { bucket, key } = manifest as Partial<ManifestAddress>;
  check.bucketName('manifest.bucket', bucket);
  checkKey('manifest.key', key);
}

/**
 * The objects that a manifest lists, read as they are needed.
 *
 * @param bucket - the one that all of them must be in
 * @throws ValidationError naming the line; ScarError `object-not-found`, `permission-denied`, `service`
 */
export async function* manifestObjects(
  store: ObjectStore,
  manifest: ManifestAddress,
  bucket: string,
  signal: AbortSignal,
): AsyncGenerator<SelectedObject, undefined> {
  const name = `s3://${manifest.bucket}/${manifest.key}`;
  const pieces = (until: AbortSignal) => readPieces(store, manifest, until);
  let number = 0;
  for await (const line of lines(manifest.key.endsWith('.gz') ? gunzip(pieces, name, signal) : pieces(signal))) {
    number++;
    const object = readLine(line, bucket, `Line ${number} of the manifest ${name}`, number === 1);
    if (object) yield object;
  }
}

async function* readPieces(
  store: ObjectStore,
  manifest: ManifestAddress,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { bytes, eTag } = await store.head(manifest, signal);
  for (let start = 0; start < bytes; start += PIECE_BYTES) {
    const range = { start, end: Math.min(start + PIECE_BYTES, bytes) - 1 };
    const { body } = await store.read(manifest, { range, ifMatch: eTag, signal });
    yield Buffer.concat(await body.toArray());
  }
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
    const message = `The manifest ${name} must be whole and in gzip, as its name says; ${(error as Error).message}`;
    throw new ScarError('invalid-option', message, { cause: error });
  } finally {
    link.abort(new ScarError('aborted', 'Nobody asks for more of the manifest'));
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

/** Undefined for an empty line. */
function readLine(bytes: Buffer, bucket: string, where: string, first: boolean): SelectedObject | undefined {
  if (bytes.length > LONGEST_LINE) {
    throw new ValidationError(where, `have at most ${LONGEST_LINE} bytes`, bytes.toString('utf8', 0, 80));
  }
  let line: string;
  try {
    line = utf8.decode(bytes).trimEnd();
  } catch {
    throw new ValidationError(where, 'be UTF-8', bytes.toString('latin1', 0, 80), 'A compressed manifest ends in .gz');
  }
  if (first) line = line.replace(/^\uFEFF/, '');
  if (line === '') return undefined;
  // No bucket's name begins with a brace.
  const { bucket: named, key, versionId } = line.startsWith('{') ? jsonRow(line, where) : csvRow(line, where);
  if (named !== undefined && named !== bucket) {
    throw new ValidationError(where, `be about the bucket ${bucket}`, named, 'One map runs over one bucket');
  }
  checkKey(`${where}: the key`, key);
  if (versionId === undefined || versionId === null || versionId === '') return { key };
  check.text(`${where}: the versionId`, versionId);
  return { key, versionId };
}

interface Row {
  bucket?: unknown;
  key?: unknown;
  versionId?: unknown;
}

function jsonRow(line: string, where: string): Row {
  try {
    return JSON.parse(line) as Row;
  } catch {
    const hint = "The manifest.json of an S3 Inventory is not such a list: write one from the inventory's files";
    throw new ValidationError(where, 'be a JSON object with a key, on one line', line, hint);
  }
}

/** As S3 Batch Operations has it (https://docs.aws.amazon.com/AmazonS3/latest/userguide/specify-batchjob-manifest.html). */
function csvRow(line: string, where: string): Row {
  const fields = csvFields(line);
  const [bucket, encoded, versionId] = fields ?? [];
  if (!fields || encoded === undefined || fields.length > 3) {
    throw new ValidationError(where, 'be bucket,key or bucket,key,versionId, or a JSON object with a key', line);
  }
  try {
    return { bucket, key: decodeEventKey(encoded), versionId };
  } catch {
    throw new ValidationError(where, 'have its key URL-encoded', encoded, 'A percent sign in a key is %25');
  }
}

/** RFC 4180, section 2; undefined if a quote is out of place. */
function csvFields(line: string): string[] | undefined {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  for (;;) {
    const found = field.exec(line);
    if (!found) return undefined;
    fields.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? '');
    if (found[3] === '') return fields;
  }
}
