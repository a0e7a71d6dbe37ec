import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { verbatimLinks } from '../../../src/oci/index.js';
import { temporaryFolder } from '../../support/temporary.js';
import { differences, umociMissing, unpack, unpackWithUmoci } from '../../support/umoci/comparison.js';
import { readFacts } from '../../support/umoci/facts.js';
import { oddImages, oddLayout } from '../../support/umoci/odd-images.js';

const missing = umociMissing ?? (process.getuid?.() === 0 ? undefined : 'needs root, as umoci keeps more then');

/** For each image how many files it has, and by which rules of test/support/umoci/rules.ts how many of them differ. */
const expected: Record<keyof typeof oddImages, { files: number; explained: Record<string, number> }> = {
  special: {
    files: 45,
    explained: {
      'before 1970': 1,
      device: 4,
      'folder’s time': 6,
      'link’s twin': 2,
      microsecond: 1,
      owner: 8,
      pipe: 2,
      setuid: 13,
      'sticky file': 2,
      xattr: 3,
    },
  },
  types: { files: 207, explained: { 'folder’s time': 3, owner: 24, pipe: 12 } },
  'types and back': { files: 207, explained: { 'folder’s time': 1, owner: 30, pipe: 15 } },
  whiteouts: { files: 16, explained: { 'folder’s time': 4 } },
  'whiteout of all': { files: 4, explained: {} },
  'hard links': { files: 11, explained: { 'folder’s time': 1 } },
  'hard links gone': { files: 11, explained: { 'folder’s time': 1 } },
  'many layers': { files: 162, explained: { 'folder’s time': 1 } },
  names: { files: 180, explained: {} },
  sparse: { files: 19, explained: { hole: 14 } },
};

describe.skipIf(missing)(`file by file what umoci unpacks${missing ? ` (${missing})` : ''}`, () => {
  it.each(Object.entries(oddImages))('%s', async (name, layers) => {
    await using folder = await temporaryFolder();
    const layout = join(folder.path, 'layout');
    await oddLayout(layout, layers(folder.path));
    const theirs = await unpackWithUmoci(`${layout}:latest`, join(folder.path, 'bundle'));
    const rootfs = join(folder.path, 'rootfs');
    await unpack(`oci:${layout}:latest`, rootfs, { links: verbatimLinks });
    const found = differences(readFacts(rootfs), theirs);
    expect(found).toEqual({ ...expected[name as keyof typeof oddImages], unexplained: [] });
  });
});
