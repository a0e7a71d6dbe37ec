import { describe, expect, it } from 'vitest';
import { cleanName } from '../../../../src/oci/rootfs/names.js';

describe('cleanName', () => {
  it.each([
    ['a/b', 'a/b'],
    ['./a/b/', 'a/b'],
    ['/a', 'a'],
    ['a//b', 'a/b'],
    ['a/./b', 'a/b'],
    ['./', ''],
    ['.', ''],
    ['/', ''],
    ['', ''],
    ['.hidden/..x/y..', '.hidden/..x/y..'],
    ['...', '...'],
  ])('"%s" is "%s"', (name, expected) => expect(cleanName(name)).toBe(expected));
});
