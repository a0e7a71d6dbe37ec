import type { ObjectStore } from '../../aws/object-store.js';
import { decodeEventKey } from '../../contract/index.js';
import { ValidationError } from '../../errors.js';
import * as check from '../validate.js';
import { type Inventory, inventoryObjects, mayBeInventory, readInventory, requireColumn } from './inventory.js';
import { checkKey } from './keys.js';
import { csvFields, type Line, readLines } from './list-file.js';
import type { ObjectSelection, ReadObject, SelectedObject } from './selection.js';

/** Where a list of objects lies. */
export interface ManifestAddress {
  bucket: string;
  key: string;
}

/** What only an inventory tells of its objects, and by which column. */
const COLUMNS = { size: 'Size', modifiedSince: 'LastModifiedDate', startAfter: 'Key' } as const;
const INVENTORY_ONLY = Object.keys(COLUMNS) as (keyof typeof COLUMNS)[];

/** @throws ValidationError */
export function checkManifest(selection: ObjectSelection): void {
  const { manifest } = selection;
  if (manifest === undefined) return;
  check.knownOptions(manifest, ['bucket', 'key'], 'manifest');
  const { bucket, key } = manifest as Partial<ManifestAddress>;
  check.bucketName('manifest.bucket', bucket);
  checkKey('manifest.key', key);
  if (!mayBeInventory(key)) refuseForList(selection);
}

/** A list of keys tells nothing else. */
function refuseForList(selection: ObjectSelection): void {
  for (const option of INVENTORY_ONLY) {
    if (selection[option] === undefined) continue;
    throw check.together('manifest', option, 'Only a listing tells it, and the manifest.json of an S3 Inventory');
  }
}

/**
 * The objects that a manifest lists, read as they are needed: an S3 Inventory's `manifest.json`, or a list in CSV or lines of JSON.
 *
 * @throws ValidationError naming file and line; ScarError `object-not-found`, `permission-denied`, `service`
 */
export async function* manifestObjects(
  store: ObjectStore,
  manifest: ManifestAddress,
  selection: ObjectSelection,
  signal: AbortSignal,
): AsyncGenerator<ReadObject, undefined> {
  const { bucket } = selection;
  let inventory: Inventory | undefined;
  if (mayBeInventory(manifest.key)) inventory = await readInventory(store, manifest, bucket, signal);
  if (inventory) {
    for (const option of INVENTORY_ONLY) {
      if (selection[option] !== undefined) requireColumn(inventory, COLUMNS[option], option);
    }
    yield* inventoryObjects(store, inventory, bucket, signal);
    return;
  }
  refuseForList(selection);
  const file = { ...manifest, name: `manifest s3://${manifest.bucket}/${manifest.key}` };
  for await (const line of readLines(store, file, signal)) yield readObject(line, bucket);
}

function readObject({ text, where }: Line, bucket: string): SelectedObject {
  // No bucket's name begins with a brace.
  const { bucket: named, key, versionId } = text.startsWith('{') ? jsonRow(text, where) : csvRow(text, where);
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
    const hint = "An S3 Inventory is known by its manifest's name, manifest.json, and by its fileFormat and fileSchema";
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
