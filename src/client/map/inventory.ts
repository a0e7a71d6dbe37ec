import { type ObjectStore, readText } from '../../aws/object-store.js';
import { decodeEventKey } from '../../contract/index.js';
import { ValidationError } from '../../errors.js';
import * as check from '../validate.js';
import { checkKey } from './keys.js';
import { csvFields, type Line, type ListFile, readLines } from './list-file.js';
import type { ReadObject } from './selection.js';

/**
 * What S3 Inventory knew of a bucket's objects, as its `manifest.json` tells it
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html).
 */
export interface Inventory {
  /** What messages call it: `The inventory s3://lists/photos/all/2026-11-06T21-32Z/manifest.json`. */
  name: string;
  columns: string[];
  files: ListFile[];
}

/** Hundreds of thousands of files, each with a million objects. */
const LARGEST_MANIFEST = 64 * 1024 * 1024;

/** Whether a manifest with this key may be that of an inventory: S3 calls it nothing else. */
export function mayBeInventory(key: string): boolean {
  return key.endsWith('manifest.json');
}

/**
 * Reads an inventory's manifest; undefined if it is something else, for example a list with that name.
 *
 * @param bucket - the one that the inventory must be of
 * @throws ValidationError; ScarError as S3's
 */
export async function readInventory(
  store: ObjectStore,
  manifest: { bucket: string; key: string },
  bucket: string,
  signal: AbortSignal,
): Promise<Inventory | undefined> {
  const { bytes } = await store.head(manifest, signal);
  if (bytes > LARGEST_MANIFEST) return undefined;
  const read = parseObject(await readText(store, manifest, signal));
  if (!read || !('fileFormat' in read || 'fileSchema' in read)) return undefined;
  const name = `The inventory s3://${manifest.bucket}/${manifest.key}`;
  const { sourceBucket, destinationBucket, fileFormat, fileSchema, files } = read;
  if (sourceBucket !== bucket) {
    throw new ValidationError(name, `be of the bucket ${bucket}`, sourceBucket, 'One map runs over one bucket');
  }
  if (fileFormat !== 'CSV') {
    const hint =
      'Configure the inventory with the format CSV; or make of this one, with Amazon Athena, a CSV of bucket,key and give that as the manifest';
    throw new ValidationError(name, 'be in the format CSV', fileFormat, hint);
  }
  check.text(`${name}: fileSchema`, fileSchema);
  check.text(`${name}: destinationBucket`, destinationBucket);
  if (!Array.isArray(files)) throw new ValidationError(`${name}: files`, 'be a list', files);
  const columns = fileSchema.split(',').map((column) => column.trim());
  if (!columns.includes('Key')) throw new ValidationError(`${name}: fileSchema`, 'have the column Key', fileSchema);
  // An ARN, whose last part is the bucket's name.
  const place = destinationBucket.slice(destinationBucket.lastIndexOf(':') + 1);
  return { name, columns, files: files.map((file, n) => readFile(file, place, `${name}: files[${n}]`)) };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function readFile(file: unknown, bucket: string, where: string): ListFile {
  const { key, size, MD5checksum } = (file ?? {}) as Record<string, unknown>;
  checkKey(`${where}.key`, key);
  check.integer(`${where}.size`, size as number | undefined, { min: 0, max: Number.MAX_SAFE_INTEGER });
  if (MD5checksum !== undefined && !/^[0-9a-f]{32}$/i.test(String(MD5checksum))) {
    throw new ValidationError(`${where}.MD5checksum`, 'be an MD5 in hex', MD5checksum);
  }
  const name = `inventory file s3://${bucket}/${key}`;
  return { bucket, key, name, bytes: size as number | undefined, md5: MD5checksum as string | undefined };
}

/**
 * Refuses an option that the inventory does not tell enough for.
 *
 * @throws ValidationError
 */
export function requireColumn(inventory: Inventory, column: string, option: string): void {
  if (inventory.columns.includes(column)) return;
  const hint = `Add it to the inventory's configuration, or leave ${option} out`;
  const received = inventory.columns.join(', ');
  throw new ValidationError(inventory.name, `have the column ${column}, which ${option} needs`, received, hint);
}

/**
 * The objects of an inventory, read as they are needed, file by file. Where it has all versions, the current one of each object, as it was
 * then, is to be worked on; others, and marks of deletion, say that they are not.
 *
 * @throws ValidationError naming file and line; ScarError `invalid-option` for a file that is not the one that was listed, or as S3's
 */
export async function* inventoryObjects(
  store: ObjectStore,
  { files, columns }: Inventory,
  bucket: string,
  signal: AbortSignal,
): AsyncGenerator<ReadObject, undefined> {
  for (const file of files) {
    for await (const line of readLines(store, file, signal)) yield readRow(line, columns, bucket);
  }
}

function readRow({ text, where }: Line, columns: readonly string[], bucket: string): ReadObject {
  const fields = csvFields(text);
  if (fields?.length !== columns.length) {
    throw new ValidationError(where, `have the ${columns.length} columns ${columns.join(', ')}`, text);
  }
  const row = Object.fromEntries(columns.map((column, n) => [column, fields[n]])) as Record<string, string | undefined>;
  const { Bucket = bucket, Key, VersionId, IsLatest = 'true', IsDeleteMarker = 'false' } = row;
  if (Bucket !== bucket) throw new ValidationError(where, `be about the bucket ${bucket}`, Bucket);
  const object: ReadObject = { key: decodeKey(Key, where) };
  if (VersionId) object.versionId = VersionId;
  if (!isTrue(IsLatest, 'IsLatest', where) || isTrue(IsDeleteMarker, 'IsDeleteMarker', where)) object.isCurrent = false;
  if (row.ETag) object.eTag = row.ETag;
  // Marks of deletion have none.
  if (row.Size) object.bytes = readSize(row.Size, where);
  if (row.LastModifiedDate) object.lastModified = readDate(row.LastModifiedDate, where);
  return object;
}

function decodeKey(encoded: string | undefined, where: string): string {
  let key: string;
  try {
    key = decodeEventKey(encoded ?? '');
  } catch {
    throw new ValidationError(where, 'have its key URL-encoded', encoded, 'A percent sign in a key is %25');
  }
  checkKey(`${where}: the key`, key);
  return key;
}

function isTrue(text: string, column: string, where: string): boolean {
  if (/^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  throw new ValidationError(`${where}: ${column}`, 'be true or false', text);
}

function readSize(text: string, where: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new ValidationError(`${where}: Size`, 'be a number of bytes', text);
}

function readDate(text: string, where: string): Date {
  const date = new Date(text);
  if (!Number.isNaN(date.getTime())) return date;
  throw new ValidationError(`${where}: LastModifiedDate`, 'be a date in ISO 8601', text);
}
