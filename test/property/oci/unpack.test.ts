import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { ScarError } from '../../../src/errors.js';
import { unpackImage } from '../../../src/oci/index.js';
import { digestOf, MemoryImage } from '../../support/memory-image.js';
import { content, item, layer, path, whiteout } from '../../support/oci/layer-arbitraries.js';
import { type TarItem, tar } from '../../support/tar.js';
import { temporaryFolder } from '../../support/temporary.js';
import { readTree } from '../../support/tree.js';

// Hundreds of unpacked images, on a machine that may do other things besides.
vi.setConfig({ testTimeout: 180_000 });

const mtime = fc.integer({ min: 0, max: 2_000_000_000 });

describe('a tree that GNU tar packed', () => {
  const files = fc.dictionary(path, fc.record({ content, mode: fc.integer({ min: 0o600, max: 0o777 }), mtime }), {
    maxKeys: 12,
  });
  const format = fc.constantFrom('gnu', 'posix', 'pax');
  const pieceBytes = fc.integer({ min: 1, max: 3000 });

  it('comes back as it was, in whatever pieces it arrives', async () => {
    await fc.assert(
      fc.asyncProperty(files, format, pieceBytes, async (tree, tarFormat, piece) => {
        await using place = await temporaryFolder();
        const original = join(place.path, 'original');
        makeTree(original, tree);
        const archive = execFileSync('tar', ['-C', original, `--format=${tarFormat}`, '-cf', '-', '.']);
        const image = new MemoryImage([archive], { pieceBytes: piece });
        await unpackImage(image.resolved, image, join(place.path, 'rootfs'));
        expect(readTree(join(place.path, 'rootfs'))).toEqual(readTree(original));
      }),
      { numRuns: 40 },
    );
  });
});

/** Writes the files that no other stands in the way of. */
function makeTree(root: string, tree: Record<string, { content: Buffer; mode: number; mtime: number }>): void {
  mkdirSync(root);
  for (const [file, entry] of Object.entries(tree)) {
    const target = join(root, file);
    try {
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, entry.content, { flag: 'wx' });
    } catch (error) {
      if (['EEXIST', 'ENOTDIR', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) continue;
      throw error;
    }
    chmodSync(target, entry.mode);
    utimesSync(target, entry.mtime, entry.mtime);
  }
}

describe('layers of any entries in any order', () => {
  it('never touch what is outside, never lead there, and are whole or not there at all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(layer, { minLength: 1, maxLength: 3 }), async (layers) => {
        await using place = await temporaryFolder();
        const outside = join(place.path, 'outside');
        mkdirSync(outside);
        writeFileSync(join(outside, 'a'), 'untouched');
        symlinkSync('a', join(outside, 'b'));
        const before = readTree(outside);
        const image = new MemoryImage(layers.map((items) => tar(...items)));
        const rootfs = join(place.path, 'rootfs');
        const error = await unpackImage(image.resolved, image, rootfs).then(
          () => undefined,
          (e: unknown) => e,
        );
        expect(readTree(outside)).toEqual(before);
        if (error !== undefined) {
          expect(error).toBeInstanceOf(ScarError);
          expect((error as ScarError).code).toMatch(/^image-(corrupt|unsafe|unsupported)$/);
          expect(await readdir(place.path)).toEqual(['outside']);
          return;
        }
        for (const [file, { type }] of readTree(rootfs)) {
          if (type !== 'link') continue;
          const real = await realpath(join(rootfs, file)).catch(() => rootfs);
          expect(`${real}/`.startsWith(`${rootfs}/`), `${file} leads to ${real}`).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('layers of files, folders and whiteouts', () => {
  const short = fc
    .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
    .map((parts) => parts.join('/'));
  const simple: fc.Arbitrary<TarItem> = fc.oneof(
    fc.record({ name: short, content: fc.string({ unit: 'grapheme-ascii', maxLength: 3 }) }),
    fc.record({ name: short, type: fc.constant('5') }),
    fc.tuple(fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 2 }), whiteout).map(([parts, base]) => ({
      name: [...parts, base].join('/'),
    })),
  );

  it('give what the specification says: whiteouts first, then the entries, in every order they may have', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(simple, { maxLength: 8 }), { minLength: 2, maxLength: 4 }), async (layers) => {
        await using place = await temporaryFolder();
        const image = new MemoryImage(layers.map((items) => tar(...items)));
        await unpackImage(image.resolved, image, join(place.path, 'rootfs'));
        const actual = [...readTree(join(place.path, 'rootfs'))].map(([file, entry]) => [
          file,
          entry.type === 'file' ? entry.digest : entry.type,
        ]);
        expect(Object.fromEntries(actual)).toEqual(bySpecification(layers));
      }),
      { numRuns: 200 },
    );
  });
});

/** The image specification's words as a program over a map of paths, which knows no file system. */
function bySpecification(layers: TarItem[][]): Record<string, string> {
  const tree = new Map<string, string>();
  const removeBelow = (folder: string): void => {
    for (const file of tree.keys()) if (folder === '' || file.startsWith(`${folder}/`)) tree.delete(file);
  };
  for (const [index, items] of layers.entries()) {
    for (const { name: file } of items) {
      const slash = file.lastIndexOf('/');
      const folder = file.slice(0, Math.max(slash, 0));
      const base = file.slice(slash + 1);
      if (index === 0 || !base.startsWith('.wh.')) continue;
      if (base === '.wh..wh..opq') {
        removeBelow(folder);
      } else {
        const hidden = `${folder === '' ? '' : `${folder}/`}${base.slice('.wh.'.length)}`;
        tree.delete(hidden);
        removeBelow(hidden);
      }
    }
    for (const { name: file, type, content: text } of items) {
      if (file.includes('.wh.')) continue;
      const parts = file.split('/');
      for (let i = 1; i < parts.length; i++) tree.set(parts.slice(0, i).join('/'), 'folder');
      if (type !== '5') removeBelow(file);
      tree.set(file, type === '5' ? 'folder' : digestOf(Buffer.from(text ?? '')).slice('sha256:'.length));
    }
  }
  return Object.fromEntries(tree);
}

describe('bytes that are no archive', () => {
  const archive = tar(
    { name: 'd', type: '5' },
    { name: 'n'.repeat(150), content: 'long' },
    { name: 'd/f', content: Buffer.alloc(1500, 'x'), pax: [['mtime', '1.5']] },
    { name: 'd/l', type: '2', linkName: 'f' },
  );
  const change = fc.record({ at: fc.nat(archive.length - 1), byte: fc.nat(255) });

  it('are refused with an error of ours, or read; never anything else', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.nat(archive.length),
        async (changes, cut) => {
          const bytes = Buffer.from(archive.subarray(0, changes.length === 1 ? cut : archive.length));
          for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte;
          await using place = await temporaryFolder();
          const image = new MemoryImage([bytes]);
          const error = await unpackImage(image.resolved, image, join(place.path, 'rootfs')).catch((e: unknown) => e);
          if (error instanceof Error) expect(error).toBeInstanceOf(ScarError);
          expect((await readdir(place.path)).length).toBe(error instanceof Error ? 0 : 1);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('are refused too when their checksums are right', async () => {
    const patch = fc.record({ at: fc.nat(511), bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }) });
    const entries = fc.array(fc.tuple(item, fc.array(patch, { maxLength: 2 })), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(entries, async (patched) => {
        const items = patched.map(([it, patches]) => ({
          ...it,
          patch: (header: Buffer) => {
            for (const { at, bytes } of patches) header.set(bytes.subarray(0, 512 - at), at);
          },
        }));
        await using place = await temporaryFolder();
        const image = new MemoryImage([tar(...items)]);
        const error = await unpackImage(image.resolved, image, join(place.path, 'rootfs')).catch((e: unknown) => e);
        if (error instanceof Error) expect(error).toBeInstanceOf(ScarError);
        expect((await readdir(place.path)).length).toBe(error instanceof Error ? 0 : 1);
      }),
      { numRuns: 200 },
    );
  });
});
