import type { ListedObject, ObjectStore } from '../../aws/object-store.js';
import { ValidationError } from '../../errors.js';
import * as check from '../validate.js';
import { type Glob, parseGlob } from './glob.js';
import { isKeptByRun } from './journal/run-prefix.js';
import { checkKeys, givenObjects, type ObjectKeys } from './keys.js';
import { checkManifest, type ManifestAddress, manifestObjects } from './manifest.js';
import type { MapOptions } from './options.js';

/** Which objects of a bucket: those that pass everything that is given. What is read and does not pass counts as skipped. */
export interface ObjectSelection {
  bucket: string;
  /** Only keys that begin with it. Default: all. */
  prefix?: string;
  /** Only keys that end with it. Default: all. */
  suffix?: string;
  /**
   * Only keys that match this pattern from beginning to end, prefix included: `*` and `?` stand for any characters and any one
   * but a slash, `**` for any at all; `[a-z]`, `[!a-z]`, `{a,b}`. A backslash makes what follows literal. S3 lists only keys that
   * begin as the pattern does. Default: all.
   */
  glob?: string;
  /** Only objects of at least `min` and at most `max` bytes. Not with `keys`, nor with a `manifest` but an inventory's. Default: all. */
  size?: { min?: number; max?: number };
  /** Only objects last modified then or later, by S3's clock. As `size`, not with a list. Default: all. */
  modifiedSince?: Date;
  /** Only keys after this one, in S3's order. As `size`, not with a list. */
  startAfter?: string;
  /** At most so many objects. Default: all. */
  limit?: number;
  /** These objects in place of a listing, in this order: keys, or `{ key, versionId }`. Read no further ahead than needed. */
  keys?: ObjectKeys;
  /**
   * An object that lists objects of `bucket`, in place of a listing: the `manifest.json` of an S3 Inventory in CSV, of which current versions
   * pass; CSV with the rows `bucket,key` or `bucket,key,versionId` and URL-encoded keys, as S3 Batch Operations takes it; or lines of JSON
   * `{"key": ..., "versionId": ...}`. UTF-8; in gzip if its key ends with `.gz`. A bad line, or one about another bucket, ends the run with
   * an error that names file and line.
   */
  manifest?: ManifestAddress;
}

/** Where the run, and others like it, keep what is nothing to work on. */
export type RunPlaces = Pick<MapOptions, 'results' | 'journal'>;

/** A record, so that none can be forgotten. */
const OPTIONS: Record<keyof ObjectSelection, true> = {
  bucket: true,
  prefix: true,
  suffix: true,
  glob: true,
  size: true,
  modifiedSince: true,
  startAfter: true,
  limit: true,
  keys: true,
  manifest: true,
};
export const SELECTION_NAMES = Object.keys(OPTIONS) as (keyof ObjectSelection)[];

/** An object to work on. What only a listing or an inventory tells is absent if there was none. */
export interface SelectedObject {
  key: string;
  bytes?: number | undefined;
  eTag?: string | undefined;
  versionId?: string | undefined;
}

/** An object as it was read. */
export interface ReadObject extends SelectedObject {
  lastModified?: Date | undefined;
  /** False for versions that are not the object's latest, and for marks of its deletion. Default true. */
  isCurrent?: boolean;
}

/** An object that was read, and whether it is one to work on. */
export interface Selected {
  object: SelectedObject;
  passes: boolean;
}

/** Of ListObjectsV2. */
const LARGEST_PAGE = 1_000;

/**
 * Reads the objects of a selection as they are asked for; `limit` is the caller's to count. Closing it closes what it reads from. A listing
 * is read as if no run kept anything in the bucket: it would have no end.
 *
 * @throws ValidationError for what is wrong in `keys` or the manifest; ScarError as S3's; what `keys` throws; the signal's reason
 */
export async function* selectObjects(
  store: ObjectStore,
  selection: ObjectSelection & RunPlaces,
  signal: AbortSignal,
): AsyncGenerator<Selected, undefined> {
  const { bucket, keys, manifest, size = {}, modifiedSince, startAfter, prefix = '', suffix = '' } = selection;
  const places = [selection.results, selection.journal];
  const glob = selection.glob === undefined ? undefined : parseGlob('glob', selection.glob);
  const { min = 0, max = Number.POSITIVE_INFINITY } = size;
  const passes = (object: ReadObject): boolean => {
    const { key, bytes, lastModified, isCurrent = true } = object;
    if (!isCurrent || isFolderMarker(object) || !key.startsWith(prefix) || !key.endsWith(suffix)) return false;
    if (bytes !== undefined && (bytes < min || bytes > max)) return false;
    if (modifiedSince && !(lastModified && lastModified >= modifiedSince)) return false;
    // Of a listing, S3 sees to it; an inventory is in no order.
    if (manifest && startAfter !== undefined && !comesAfter(key, startAfter)) return false;
    return glob === undefined || glob.matches(key);
  };
  if (!keys && !manifest) {
    for await (const page of listedObjects(store, selection, glob, signal)) {
      for (const object of page) {
        if (!isKeptByRun(object.key, bucket, places)) yield { object, passes: passes(object) };
      }
      // Whoever waits for a result gets it before another page is asked for.
      await turn();
    }
    return;
  }
  const objects = manifest ? manifestObjects(store, manifest, selection, signal) : givenObjects(keys ?? [], signal);
  let read = 0;
  for await (const object of objects) {
    yield { object, passes: passes(object) };
    // A long list in memory would let nobody have a turn.
    if (++read % LARGEST_PAGE === 0) await turn();
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** The bucket's objects, page by page. */
function listedObjects(
  store: ObjectStore,
  selection: ObjectSelection,
  glob: Glob | undefined,
  signal: AbortSignal,
): AsyncIterable<ListedObject[]> {
  const { bucket, prefix = '', suffix, size, modifiedSince, startAfter, limit = LARGEST_PAGE } = selection;
  const filtered = suffix !== undefined || size !== undefined || modifiedSince !== undefined || glob !== undefined;
  const literal = glob?.literal ?? '';
  const begins = literal.startsWith(prefix) ? literal : prefix;
  return store.list(bucket, {
    // Of a page that is filtered, who knows how much is left.
    pageSize: filtered ? LARGEST_PAGE : Math.min(limit, LARGEST_PAGE),
    signal,
    ...(begins !== '' && { prefix: begins }),
    ...(startAfter !== undefined && { startAfter }),
  });
}

/** S3's order is that of UTF-8's bytes, which is not JavaScript's. */
function comesAfter(key: string, other: string): boolean {
  return Buffer.compare(Buffer.from(key), Buffer.from(other)) > 0;
}

/** Consoles mark a folder by an empty object whose key ends with a slash: nothing to work on. The supervisor skips them too. */
function isFolderMarker({ key, bytes = 0 }: SelectedObject): boolean {
  return bytes === 0 && key.endsWith('/');
}

/** @throws ValidationError */
export function checkSelection(selection: ObjectSelection): void {
  const { bucket, prefix, suffix, glob, size, modifiedSince, startAfter, limit, keys, manifest } = selection;
  check.bucketName('bucket', bucket);
  check.optionalString('prefix', prefix);
  check.optionalString('suffix', suffix);
  check.optionalString('glob', glob);
  check.optionalString('startAfter', startAfter);
  check.integer('limit', limit, { min: 1, max: Number.MAX_SAFE_INTEGER });
  if (glob !== undefined) checkGlob(glob, prefix);
  if (size !== undefined) checkSize(size);
  if (modifiedSince !== undefined && !(modifiedSince instanceof Date && !Number.isNaN(modifiedSince.getTime()))) {
    throw new ValidationError('modifiedSince', 'be a valid Date', modifiedSince);
  }
  checkKeys(keys);
  checkManifest(selection);
  if (keys !== undefined && manifest !== undefined) throw check.together('keys', 'manifest');
  if (keys === undefined) return;
  for (const name of ['size', 'modifiedSince', 'startAfter'] as const) {
    if (selection[name] !== undefined) throw check.together('keys', name, 'Only a listing tells it');
  }
}

function checkGlob(glob: string, prefix = ''): void {
  if (parseGlob('glob', glob).canBegin(prefix)) return;
  const rule = `match keys that begin with the prefix ${JSON.stringify(prefix)}`;
  throw new ValidationError('glob', rule, glob, 'A glob is over the whole key: give the prefix as its beginning');
}

function checkSize(size: unknown): void {
  check.knownOptions(size, ['min', 'max'], 'size');
  const { min, max } = size as { min?: number; max?: number };
  check.integer('size.min', min, { min: 0, max: Number.MAX_SAFE_INTEGER });
  check.integer('size.max', max, { min: min ?? 0, max: Number.MAX_SAFE_INTEGER });
}
