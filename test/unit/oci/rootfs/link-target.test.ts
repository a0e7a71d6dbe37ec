import { describe, expect, it } from 'vitest';
import { runnersLinks } from '../../../../src/oci/rootfs/link-target.js';

const links = runnersLinks(['/proc', '/dev', '/tmp', '/etc/hosts']);
const unfollowable = /^={256}\//;

describe('a target that the kernel can follow', () => {
  it.each([
    ['x', '', 'x'],
    ['../x', 'a/b', '../x'],
    ['../../x', 'a/b', '../../x'],
    ['.', 'a', '.'],
    ['./x/./y//z', 'a', './x/./y//z'],
    ['x/', 'a', 'x/'],
    ['/usr/lib', '', './/usr/lib'],
    ['/usr/lib', 'a', '..//usr/lib'],
    ['//usr/./lib/', 'a/b', '../..///usr/./lib/'],
    ['../etc/hostname', 'a', '../etc/hostname'],
    ['a/x', 'tmp', 'a/x'],
    ['../x', 'tmp/a', '../x'],
  ])('%s in "%s" is stored as %s', (target, folder, stored) => {
    expect(links.stored(target, folder)).toBe(stored);
    expect(links.original(stored)).toBe(target);
  });
});

describe('a target that only the runner can follow', () => {
  it.each([
    // Above the root, or from wherever a name leads.
    ['..', ''],
    ['../../../x', 'a/b'],
    ['a/..', ''],
    ['../a/../b', 'a/b'],
    ['/usr/../x', 'a'],
    ['/../x', 'a'],
    // To a mount, from one, or to a folder that one lies in.
    ['/proc/self', 'a'],
    ['../proc', 'a'],
    ['/etc/hosts', ''],
    ['/etc', 'a'],
    ['..', 'a'],
    ['/', 'a'],
    ['../x', 'tmp'],
    ['/usr', 'tmp'],
    ['/tmp/x', 'tmp'],
    // What looks like a stored form.
    ['..//usr', 'a'],
    ['.//usr', 'a'],
    [`${'='.repeat(256)}/x`, 'a'],
  ])('%s in "%s" keeps its text', (target, folder) => {
    const stored = links.stored(target, folder);
    expect(stored).toMatch(unfollowable);
    expect(links.original(stored)).toBe(target);
  });
});

it('knows mounts only if it is told of them', () => {
  expect(runnersLinks([]).stored('/proc/self', 'a')).toBe('..//proc/self');
  expect(runnersLinks([]).stored('/', 'a')).toBe('..//');
  expect(links.stored('/developer', 'a')).toBe('..//developer');
});
