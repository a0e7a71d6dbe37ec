import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { ScarError } from '../../../src/errors.js';
import { unpackArchive, unpackImage } from '../../../src/oci/rootfs.js';
import { MemoryImage } from '../../support/memory-image.js';
import { layer } from '../../support/oci/layer-arbitraries.js';
import { rootfsArchive } from '../../support/oci/rootfs-archive.js';
import { tar } from '../../support/tar.js';
import { temporaryFolder } from '../../support/temporary.js';
import { readTree, type TreeEntry } from '../../support/tree.js';

vi.setConfig({ testTimeout: 180_000 });

/** A folder that no entry names is as old as the test, or has no time. */
function withoutNow(root: string): Map<string, TreeEntry> {
  const tree = readTree(root);
  for (const entry of tree.values()) {
    if (entry.type === 'folder' && entry.mtime > Date.now() / 1000 - 3600) entry.mtime = 0;
  }
  return tree;
}

const failure = (error: unknown) => {
  expect(error).toBeInstanceOf(ScarError);
  return (error as ScarError).code;
};

describe('a rootfs archive of layers of any entries in any order', () => {
  it('gives what the layers give, one after the other', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(layer, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 5000 }),
        async (layers, pieceBytes) => {
          await using place = await temporaryFolder();
          const image = new MemoryImage(
            layers.map((items) => tar(...items)),
            { pieceBytes },
          );
          const direct = join(place.path, 'direct');
          const stats = await unpackImage(image.resolved, image, direct).catch(failure);
          const made = await rootfsArchive(image.resolved, image).catch(failure);
          if (typeof stats === 'string' || typeof made === 'string') {
            expect(made).toBe(stats);
            return;
          }
          const pieces = () => Readable.from(image.pieces(made.bytes), { objectMode: false });
          const merged = join(place.path, 'merged');
          await unpackArchive(made.index, async () => ({ body: pieces(), bytes: made.bytes.length }), 'it', merged);
          expect(withoutNow(merged)).toEqual(withoutNow(direct));
          const { files, disk } = made.index;
          const tree = [...readTree(direct)];
          expect(files).toBe(tree.filter(([path, node]) => node.type === 'file' && node.twin === path).length);
          expect(disk.inodes).toBe(
            1 + tree.filter(([path, node]) => node.type !== 'file' || node.twin === path).length,
          );
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('a damaged rootfs archive', () => {
  it('is refused as a whole, or means the same', async () => {
    const image = new MemoryImage([tar({ name: 'a', content: 'x'.repeat(3000) }, { name: 'b/c', content: 'y' })]);
    const { bytes, index } = await rootfsArchive(image.resolved, image);
    await using whole = await temporaryFolder();
    await unpackImage(image.resolved, image, join(whole.path, 'rootfs'));
    const intact = withoutNow(join(whole.path, 'rootfs'));
    const change = fc.record({ at: fc.nat(bytes.length - 1), bit: fc.integer({ min: 0, max: 7 }) });
    await fc.assert(
      fc.asyncProperty(change, fc.option(fc.nat(bytes.length - 1)), async ({ at, bit }, cut) => {
        await using place = await temporaryFolder();
        const damaged = cut === null ? Buffer.from(bytes) : bytes.subarray(0, cut);
        if (cut === null) damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
        const rootfs = join(place.path, 'rootfs');
        const open = async () => ({ body: Readable.from([damaged], { objectMode: false }), bytes: damaged.length });
        const ended = await unpackArchive(index, open, 'it', rootfs).catch(failure);
        expect(existsSync(rootfs)).toBe(ended !== 'image-corrupt');
        // Some bits have no meaning: gzip's own checksum, which the digest stands in for, and what pads its last byte.
        if (ended !== 'image-corrupt') expect(withoutNow(rootfs)).toEqual(intact);
      }),
      { numRuns: 200 },
    );
  });
});
