import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFolder } from '../../../src/util/make-folder.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scar-folder-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const modeOf = (path: string) => statSync(path).mode & 0o777;

describe('makeFolder', () => {
  it('makes what is missing, and leaves what is there as it is', () => {
    mkdirSync(join(folder, 'there'), { mode: 0o755 });
    makeFolder(join(folder, 'there/new/newer'), 0o700);
    expect(['there', 'there/new', 'there/new/newer'].map((path) => modeOf(join(folder, path)))).toEqual([
      0o755, 0o700, 0o700,
    ]);
    makeFolder(join(folder, 'there'), 0o700);
    expect(modeOf(join(folder, 'there'))).toBe(0o755);
  });

  it('follows a link to a folder, and refuses one to nothing', () => {
    mkdirSync(join(folder, 'there'));
    symlinkSync('there', join(folder, 'link'));
    makeFolder(join(folder, 'link/new'), 0o700);
    expect(modeOf(join(folder, 'there/new'))).toBe(0o700);
    symlinkSync('nowhere', join(folder, 'dangling'));
    expect(() => makeFolder(join(folder, 'dangling/new'), 0o700)).toThrow(/EEXIST/);
  });

  it('refuses a file in the way', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => makeFolder(join(folder, 'file'), 0o700)).toThrow(/EEXIST/);
    expect(() => makeFolder(join(folder, 'file/new'), 0o700)).toThrow(/ENOTDIR/);
  });
});
