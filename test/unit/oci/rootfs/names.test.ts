import { describe, expect, it } from 'vitest';
import { clampTarget, cleanName, climbsMidway } from '../../../../src/oci/rootfs/names.js';

const none = new Set<string>();

describe('clampTarget', () => {
  it.each([
    ['x', '', 'x'],
    ['../x', 'a/b', '../x'],
    ['../../x', 'a/b', '../../x'],
    ['../../../x', 'a/b', '../../x'],
    ['../../../../../..', 'a/b', '../..'],
    ['..', '', '.'],
    ['.', 'a', '.'],
    ['./x/./y//z', 'a', 'x/y/z'],
    ['/', '', '.'],
    ['/', 'a/b', '../..'],
    ['/etc/x', '', 'etc/x'],
    ['/etc/x', 'a/b', '../../etc/x'],
    ['/../../etc', 'a', '../etc'],
    ['//etc/../usr', 'a', '../usr'],
    ['gone/../../../x', 'a', '../x'],
    ['gone/../x', '', 'x'],
    ['a/a/a/../../../../x', '', 'x'],
    ['x/', 'a', 'x'],
  ])('%s in "%s" becomes %s', (target, folder, expected) => {
    expect(clampTarget(target, folder, none)).toBe(expected);
  });

  it('keeps absolute targets of host folders, and only those', () => {
    const hosts = new Set(['dev', 'proc']);
    expect(clampTarget('/dev/stdout', 'var/log', hosts)).toBe('/dev/stdout');
    expect(clampTarget('/proc/../etc/passwd', 'a', hosts)).toBe('../etc/passwd');
    expect(clampTarget('/x/../proc/self', 'a', hosts)).toBe('/proc/self');
    expect(clampTarget('../../../dev/stdout', 'a', hosts)).toBe('../dev/stdout');
    expect(clampTarget('/developer', 'a', hosts)).toBe('../developer');
  });
});

describe('climbsMidway', () => {
  it.each(['a/..', 'a/../b', '../a/../b', '/a/./../b', 'a//../b'])('%s does', (target) => {
    expect(climbsMidway(target)).toBe(true);
  });
  it.each(['..', '../..', '../../a', './../a', '/a/b', 'a/..b', '/../a', ''])('"%s" does not', (target) => {
    expect(climbsMidway(target)).toBe(false);
  });
});

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
