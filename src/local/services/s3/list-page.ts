import { compareKeys, type SortedKeys } from './sorted-keys.js';

export interface PageRequest {
  readonly prefix: string;
  /** Empty for none. */
  readonly delimiter: string;
  /** Only keys and common prefixes that sort after this one; empty for the start. */
  readonly after: string;
  readonly maxKeys: number;
}

/** A page of a listing: keys and common prefixes, each sorted, together at most `maxKeys`. */
export interface Page {
  readonly keys: readonly string[];
  readonly commonPrefixes: readonly string[];
  /** The last key or common prefix of the page if more follow it: where the next page goes on. */
  readonly next: string | undefined;
}

/**
 * One page of the keys that start with a prefix, those that hold the delimiter behind it rolled up.
 *
 * Common prefixes are subject to `after` like keys (ListObjectsV2: "CommonPrefixes is filtered out from results if it is
 * not lexicographically greater than the StartAfter value"), so continuing after a common prefix skips what it stands for.
 */
export function listPage(index: SortedKeys, { prefix, delimiter, after, maxKeys }: PageRequest): Page {
  const keys: string[] = [];
  const commonPrefixes: string[] = [];
  const page = (next?: string): Page => ({ keys, commonPrefixes, next });
  if (maxKeys === 0) return page();

  const rollUp = (key: string): string | undefined => {
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    return end < 0 ? undefined : key.slice(0, end + delimiter.length);
  };
  const rolledUp = after.startsWith(prefix) ? rollUp(after) : undefined;
  let cursor = index.from((key) =>
    rolledUp === undefined
      ? compareKeys(key, prefix) < 0 || (after !== '' && compareKeys(key, after) <= 0)
      : isUpTo(key, rolledUp),
  );
  let last = '';
  for (;;) {
    const { value: key, done } = cursor.next();
    if (done || !key.startsWith(prefix)) return page();
    if (keys.length + commonPrefixes.length === maxKeys) return page(last);
    const group = rollUp(key);
    if (group === undefined) {
      keys.push(key);
      last = key;
    } else {
      commonPrefixes.push(group);
      last = group;
      // A group may hold a million keys: go on behind it.
      cursor = index.from((other) => isUpTo(other, group));
    }
  }
}

/** Whether a key sorts before, or belongs to, the keys that start with a prefix. */
function isUpTo(key: string, prefix: string): boolean {
  return key.startsWith(prefix) || compareKeys(key, prefix) < 0;
}
