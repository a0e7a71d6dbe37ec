import { ValidationError } from '../../errors.js';
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
  const iterator = Symbol.asyncIterator in keys ? keys[Symbol.asyncIterator]() : keys[Symbol.iterator]();
  let state: 'between' | 'asking' | 'ended' = 'between';
  try {
    for (let position = 0; ; position++) {
      signal.throwIfAborted();
      state = 'asking';
      const next = await unlessAborted(ask(iterator), signal);
      state = next.done ? 'ended' : 'between';
      if (next.done) return;
      yield readKey(`keys[${position}]`, next.value);
    }
  } finally {
    if (state === 'between') await iterator.return?.();
    // A generator that is asked for more closes only after it has answered, which may be never. A list that failed is closed.
    else if (state === 'asking' && signal.aborted) ask(iterator, 'return').catch(() => {});
  }
}

type KeyIterator = Iterator<string | ObjectKey> | AsyncIterator<string | ObjectKey>;

/** Async, so that what a synchronous iterator throws is a rejection too. */
async function ask(
  iterator: KeyIterator,
  what: 'next' | 'return' = 'next',
): Promise<IteratorResult<string | ObjectKey>> {
  return (await iterator[what]?.()) ?? { done: true, value: undefined };
}

/** Whether it is sure to give the same again: iterators do not, nor do streams and most else that is asynchronous. */
export function isRepeatable(keys: ObjectKeys): boolean {
  return Symbol.iterator in keys && !('next' in keys);
}

export function checkKeys(keys: unknown): void {
  if (keys === undefined) return;
  const iterable =
    typeof keys === 'object' && keys !== null && (Symbol.iterator in keys || Symbol.asyncIterator in keys);
  if (iterable) return;
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

async function unlessAborted<T>(value: T | Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([value, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
