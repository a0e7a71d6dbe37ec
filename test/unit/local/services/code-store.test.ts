import { existsSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Zippable, zipSync } from 'fflate';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CodeStore } from '../../../../src/local/services/lambda/code-store.js';
import { ZipError } from '../../../../src/local/services/lambda/zip.js';
import { removeTree } from '../../../../src/util/remove-tree.js';

let folder: string;
let store: CodeStore;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'code-'));
  store = await CodeStore.open(join(folder, 'code'));
});
afterEach(() => removeTree(folder));

const FILE = 0o100000;
const LINK = 0o120000;
type Member = [text: string, mode?: number];

function zip(members: Record<string, Member>): Buffer {
  const entries: Zippable = {};
  for (const [name, [text, mode]] of Object.entries(members)) {
    entries[name] = [Buffer.from(text), mode === undefined ? {} : { os: 3, attrs: (mode << 16) >>> 0 }];
  }
  return Buffer.from(zipSync(entries));
}
async function unpack(members: Record<string, Member>): Promise<string> {
  return store.unpack((await store.put(zip(members))).sha256);
}

describe('unpacked code', () => {
  it('has the zip’s files and modes, and nobody writes to it', async () => {
    const task = await unpack({
      'index.mjs': ['x', FILE | 0o644],
      'bin/run': ['#!', FILE | 0o755],
      'bin/secret': ['s', FILE | 0o600],
      'dos.txt': ['d'],
    });
    const mode = (path: string) => statSync(join(task, path)).mode & 0o777;
    expect(readFileSync(join(task, 'index.mjs'), 'utf8')).toBe('x');
    expect([mode('index.mjs'), mode('bin/run'), mode('bin/secret'), mode('dos.txt')]).toEqual([
      0o444, 0o555, 0o400, 0o444,
    ]);
    expect([mode('.'), mode('bin')]).toEqual([0o555, 0o555]);
  });

  it('is unpacked once and stored once', async () => {
    const first = await unpack({ a: ['1'] });
    expect(await unpack({ a: ['1'] })).toBe(first);
    const [one, two] = await Promise.all([unpack({ b: ['2'] }), unpack({ b: ['2'] })]);
    expect(one).toBe(two);
  });

  it('keeps links that stay inside', async () => {
    const task = await unpack({
      'lib/real.txt': ['text'],
      'link.txt': ['lib/real.txt', LINK | 0o777],
      'lib/up': ['../link.txt', LINK | 0o777],
    });
    expect(readlinkSync(join(task, 'link.txt'))).toBe('lib/real.txt');
    expect(readFileSync(join(task, 'lib/up'), 'utf8')).toBe('text');
  });
});

describe('a zip that must not become a function', () => {
  it.each<[string, Record<string, Member>]>([
    ['leaves by ..', { '../evil': ['x'] }],
    ['leaves by .. inside', { 'a/../../evil': ['x'] }],
    ['is absolute', { '/evil': ['x'] }],
    ['links out', { out: ['../..', LINK | 0o777] }],
    ['links out absolutely', { out: ['/etc/passwd', LINK | 0o777] }],
    [
      'links out in two steps',
      { 'a/b/c/file': ['x'], here: ['a/b/c', LINK | 0o777], out: ['here/../../../../..', LINK | 0o777] },
    ],
    ['writes through a link', { 'dir/file': ['x'], dir: ['.', LINK | 0o777] }],
    ['has a file where it has a folder', { a: ['x', FILE | 0o644], 'a/b': ['y'] }],
  ])('%s', async (_, members) => {
    await expect(unpack(members)).rejects.toThrow(ZipError);
    expect(existsSync(join(folder, 'evil'))).toBe(false);
    expect(existsSync(join(folder, 'code/evil'))).toBe(false);
  });

  it('is larger than Lambda allows, although it is small when packed', async () => {
    const bomb = zip({ a: ['x'], b: ['y'] });
    const last = bomb.lastIndexOf(Buffer.from('PK\x01\x02', 'latin1'));
    bomb.writeUInt32LE(262_144_000, last + 24);
    await expect(store.put(bomb)).rejects.toThrow('Unzipped size must be smaller than 262144000 bytes');
  });

  it('lies about its sizes', async () => {
    const honest = zip({ 'index.mjs': ['x'.repeat(10_000)] });
    const lie = Buffer.from(honest);
    const directory = lie.lastIndexOf(Buffer.from('PK\x01\x02', 'latin1'));
    lie.writeUInt32LE(10, directory + 24);
    await expect(store.unpack((await store.put(lie)).sha256)).rejects.toThrow('corrupt');
  });

  it('is corrupt', async () => {
    const broken = zip({ 'index.mjs': ['export const handler = async () => 1'] });
    broken.writeUInt8(broken.readUInt8(45) ^ 0xff, 45);
    await expect(store.unpack((await store.put(broken)).sha256)).rejects.toThrow(ZipError);
    await expect(store.put(broken.subarray(0, 60))).rejects.toThrow(ZipError);
    await expect(store.put(Buffer.alloc(0))).rejects.toThrow(ZipError);
  });
});

it('what a kill left half-made is gone with the next start', async () => {
  const { sha256 } = await store.put(zip({ a: ['1'] }));
  const hex = Buffer.from(sha256, 'base64').toString('hex');
  mkdirSync(join(folder, 'code', `${hex}.new-1234`));
  mkdirSync(join(folder, 'code', hex, 'task.new-1234'));
  writeFileSync(join(folder, 'code', hex, 'task.new-1234', 'half'), '');
  const again = await CodeStore.open(join(folder, 'code'));
  expect(existsSync(join(folder, 'code', `${hex}.new-1234`))).toBe(false);
  expect(existsSync(join(folder, 'code', hex, 'task.new-1234'))).toBe(false);
  expect(readFileSync(join(await again.unpack(sha256), 'a'), 'utf8')).toBe('1');
});
