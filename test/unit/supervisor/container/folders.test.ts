import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { clearFolders } from '../../../../supervisor/container/folders.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scar-folders-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const page = (...bits: number[]) => Buffer.alloc(4096).fill(Buffer.from(bits), 0, bits.length);

it.each([
  ['keeps the page of a table in which nothing is', page(), page()],
  ['empties a table with a part', page(1), Buffer.alloc(0)],
  ['empties one with a bit anywhere, which a container may have set', page(...Array(4095).fill(0), 4), Buffer.alloc(0)],
  ['empties one that has grown', Buffer.alloc(8192), Buffer.alloc(0)],
  ['empties one that is cut', Buffer.alloc(100), Buffer.alloc(0)],
])('%s', (_, left, kept) => {
  const owners = join(folder, 'owners');
  writeFileSync(owners, left);
  clearFolders(folder, 'request');
  expect(readFileSync(owners)).toEqual(kept);
});
