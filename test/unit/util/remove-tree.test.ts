import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeTree, removeTreeSync } from '../../../src/util/remove-tree.js';

let folder: string;
let tree: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scar-remove-'));
  tree = join(folder, 'tree');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.each([
  ['removeTree', removeTree],
  ['removeTreeSync', async (path: string) => removeTreeSync(path)],
])('%s', (_, remove) => {
  it('removes folders whatever their modes and names', async () => {
    mkdirSync(join(tree, 'closed/deep'), { recursive: true });
    writeFileSync(join(tree, 'closed/deep/file'), '');
    writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0x0a])]), '');
    chmodSync(join(tree, 'closed/deep'), 0o500);
    chmodSync(join(tree, 'closed'), 0);
    await remove(tree);
    expect(existsSync(tree)).toBe(false);
  });

  it('never follows a link', async () => {
    mkdirSync(join(folder, 'outside'));
    writeFileSync(join(folder, 'outside/file'), '');
    mkdirSync(tree);
    symlinkSync(join(folder, 'outside'), join(tree, 'link'));
    await remove(tree);
    expect(readdirSync(join(folder, 'outside'))).toEqual(['file']);
    symlinkSync(join(folder, 'outside'), tree);
    await remove(tree);
    expect(existsSync(tree)).toBe(false);
    expect(readdirSync(join(folder, 'outside'))).toEqual(['file']);
  });

  it('removes a file, and nothing where there is nothing', async () => {
    writeFileSync(tree, '');
    await remove(tree);
    expect(existsSync(tree)).toBe(false);
    await remove(tree);
  });
});
