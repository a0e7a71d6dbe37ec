import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { listPage } from '../../../src/local/services/s3/list-page.js';
import { compareKeys, SortedKeys } from '../../../src/local/services/s3/sorted-keys.js';

const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Few characters, so that prefixes are shared; and the ones where UTF-16 and UTF-8 sort differently. */
const key = fc.string({
  unit: fc.constantFrom('a', 'b', '/', '-', 'é', '\ud7ff', '\ue000', '\uffff', '😀'),
  maxLength: 7,
});
const delimiter = fc.constantFrom('', '/', '-', 'a', '/a', '😀');

/** What the documentation says, without any cleverness. */
function naive(keys: readonly string[], prefix: string, delimited: string, after: string): string[] {
  const items = new Set<string>();
  for (const candidate of keys) {
    if (!candidate.startsWith(prefix)) continue;
    const end = delimited === '' ? -1 : candidate.indexOf(delimited, prefix.length);
    items.add(end < 0 ? candidate : candidate.slice(0, end + delimited.length));
  }
  return [...items].filter((item) => byBytes(item, after) > 0).sort(byBytes);
}

describe('listing', () => {
  it('sorts like the bytes of UTF-8', () => {
    const agree = (a: string, b: string) => {
      expect(Math.sign(compareKeys(a, b))).toBe(byBytes(a, b));
    };
    const text = fc.string({ unit: 'grapheme' });
    fc.assert(fc.property(text, text, agree));
    fc.assert(fc.property(key, key, agree));
  });

  it('page by page gives what a naive listing gives at once', () => {
    const nonEmpty = key.filter((text) => text !== '');
    const input = fc.record({
      keys: fc.uniqueArray(nonEmpty, { maxLength: 60 }),
      prefix: fc.oneof(fc.constant(''), key),
      delimiter,
      after: fc.oneof(fc.constant(''), key),
      maxKeys: fc.integer({ min: 1, max: 10 }),
    });
    fc.assert(
      fc.property(input, ({ keys, prefix, delimiter: delimited, after, maxKeys }) => {
        const index = new SortedKeys(keys);
        const items: string[] = [];
        let next: string | undefined = after;
        while (next !== undefined) {
          const page = listPage(index, { prefix, delimiter: delimited, after: next, maxKeys });
          const found = [...page.keys, ...page.commonPrefixes];
          expect(found.length).toBeLessThanOrEqual(maxKeys);
          if (page.next !== undefined) expect(found).toHaveLength(maxKeys);
          items.push(...found.sort(byBytes));
          next = page.next;
        }
        expect(items).toEqual(naive(keys, prefix, delimited, after));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('sorted keys', () => {
  it('stay a sorted set through any changes', () => {
    const change = fc.record({ remove: fc.boolean(), key: fc.integer({ min: 0, max: 5000 }).map((n) => `k${n}`) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 3000, size: 'max' }), (changes) => {
        const model = new Set(Array.from({ length: 2000 }, (_, index) => `k${index * 2}`));
        const index = new SortedKeys(model);
        for (const { remove, key: changed } of changes) {
          if (remove) {
            index.delete(changed);
            model.delete(changed);
          } else if (!model.has(changed)) {
            index.add(changed);
            model.add(changed);
          }
        }
        expect([...index.from(() => false)]).toEqual([...model].sort(byBytes));
        expect(index.size).toBe(model.size);
      }),
      { numRuns: 50 },
    );
  });

  it('of a single block are emptied and filled again', () => {
    const index = new SortedKeys();
    for (const round of [1, 2]) {
      for (let n = 0; n < 3000; n++) index.add(`${round}-${n}`);
      for (let n = 0; n < 3000; n++) index.delete(`${round}-${n}`);
      expect([...index.from(() => false)]).toEqual([]);
    }
  });
});
