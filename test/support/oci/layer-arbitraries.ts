import fc from 'fast-check';
import type { TarItem } from '../tar.js';

/** Few names, so that entries meet; and some that need PAX or GNU headers, or quoting. */
export const name = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('a', 'b', 'c') },
  { weight: 1, arbitrary: fc.constantFrom('ä ö', 'n'.repeat(120), '.h', '-x', 'a\\b', '$(x)') },
);
export const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
export const content = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 500, max: 2000 }).map((length) => Buffer.alloc(length, 'x')),
);
export const whiteout = fc.constantFrom('.wh.a', '.wh.b', '.wh.c', '.wh..wh..opq');

/** Where links lead, also to what lies beside the root. */
const target = fc.oneof(
  path,
  fc.constantFrom('..', '../..', '../../../outside', '/', '/outside', 'a/../..', 'a/../../b', '.'),
);

/** An entry of any type. */
export const item: fc.Arbitrary<TarItem> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ name: path, content }) },
  { weight: 3, arbitrary: fc.record({ name: path, type: fc.constant('5'), mode: fc.integer({ min: 0, max: 0o777 }) }) },
  { weight: 4, arbitrary: fc.record({ name: path, type: fc.constant('2'), linkName: target }) },
  { weight: 2, arbitrary: fc.record({ name: path, type: fc.constant('1'), linkName: path }) },
  { weight: 1, arbitrary: fc.record({ name: path, type: fc.constantFrom('3', '4', '6') }) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.array(name, { maxLength: 2 }), whiteout).map(([parts, base]) => ({
      name: [...parts, base].join('/'),
    })),
  },
);
export const layer = fc.array(item, { maxLength: 15 });
