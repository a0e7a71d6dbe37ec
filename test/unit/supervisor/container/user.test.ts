import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FileView } from '../../../../supervisor/container/file-view.js';
import { imageUser } from '../../../../supervisor/container/user.js';

let root: string;
let view: FileView;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'scar-user-'));
  mkdirSync(join(root, 'etc'));
  view = new FileView(root, []);
});
afterEach(() => rmSync(root, { recursive: true }));

function writeTables(): void {
  const passwd = ['root:x:0:0:root:/superuser:/bin/sh', 'www:x:33:34::/var/www:/bin/sh', '1000:x:5:6::/five:', 'bad'];
  const group = ['root:x:0:root', 'tape:x:26:www,root', 'video:x:44:nobody,www', 'www:x:34:', '7:x:8:', 'bad:x:x:www'];
  writeFileSync(join(root, 'etc/passwd'), passwd.join('\n'));
  writeFileSync(join(root, 'etc/group'), group.join('\n'));
}

it.each([
  [undefined, { uid: 0, gid: 0, groups: [0, 26], home: '/superuser' }],
  ['', { uid: 0, gid: 0, groups: [0, 26], home: '/superuser' }],
  ['root', { uid: 0, gid: 0, groups: [0, 26], home: '/superuser' }],
  ['www', { uid: 33, gid: 34, groups: [26, 44], home: '/var/www' }],
  ['33', { uid: 33, gid: 34, groups: [26, 44], home: '/var/www' }],
  ['www:video', { uid: 33, gid: 44, groups: [], home: '/var/www' }],
  ['www:123', { uid: 33, gid: 123, groups: [], home: '/var/www' }],
  [':tape', { uid: 0, gid: 26, groups: [], home: '/superuser' }],
  // Digits are an ID, even if a user or a group has them for a name.
  ['1000', { uid: 1000, gid: 0, groups: [], home: '/' }],
  ['5:7', { uid: 5, gid: 7, groups: [], home: '/five' }],
])('knows who USER %j is', (spec, user) => {
  writeTables();
  expect(imageUser(spec, view)).toEqual(user);
});

it('does without the tables', () => {
  expect(imageUser(undefined, view)).toEqual({ uid: 0, gid: 0, groups: [], home: '/root' });
  expect(imageUser('root', view)).toEqual({ uid: 0, gid: 0, groups: [], home: '/root' });
  expect(imageUser('1000:1000', view)).toEqual({ uid: 1000, gid: 1000, groups: [], home: '/' });
});

it.each([
  ['nobody-knows', '/etc/passwd'],
  ['www:nobody-knows', '/etc/group'],
  ['2147483648', '/etc/passwd'],
  ['-1', '/etc/passwd'],
  ['bad', '/etc/passwd'],
])('refuses USER %s, which Docker cannot start either', (spec, file) => {
  writeTables();
  const message = `The image's USER ${spec} must be numbers, or names that are in its ${file}`;
  expect(() => imageUser(spec, view)).toThrow(expect.objectContaining({ reason: 'not-started', message }));
});
