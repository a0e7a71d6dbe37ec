import { ValidationError } from '../../errors.js';
import { isIterable, untilAborted } from '../../util/until-aborted.js';
import * as check from '../validate.js';
import type { SelectedObject } from './selection.js';

/** An object by its key, or one version of it. */
export interface ObjectKey {
  key: string;
  /** Default: the current version. */
  versionId?: string;
}

/** A list of objects, read as it is needed. */
export type ObjectKeys = Iterable<string | ObjectKey> | AsyncIterable<string | ObjectKey>;

/** The objects of an explicit list; an abort does not wait for the list's next entry. */
export async function* givenObjects(keys: ObjectKeys, signal: AbortSignal): AsyncGenerator<SelectedObject, undefined> {
  let position = 0;
  for await (const key of untilAborted(keys, signal)) yield readKey(`keys[${position++}]`, key);
}

export function checkKeys(keys: unknown): void {
  if (keys === undefined || isIterable(keys)) return;
  throw new ValidationError('keys', 'be an array, or another iterable, of keys or of { key, versionId }', keys);
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html */
const MAX_KEY_BYTES = 1_024;

export function checkKey(where: string, key: unknown): asserts key is string {
  check.text(where, key);
  if (Buffer.byteLength(key) > MAX_KEY_BYTES)
    throw new ValidationError(where, `have at most ${MAX_KEY_BYTES} bytes`, key);
}

function readKey(where: string, entry: string | ObjectKey): SelectedObject {
  if (typeof entry === 'string') {
    checkKey(where, entry);
    return { key: entry };
  }
  check.knownOptions(entry, ['key', 'versionId'], where);
  const { key, versionId } = entry;
  checkKey(`${where}.key`, key);
  if (versionId === undefined) return { key };
  check.text(`${where}.versionId`, versionId);
  return { key, versionId };
}
