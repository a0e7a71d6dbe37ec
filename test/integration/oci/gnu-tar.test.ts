import {
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unpackImage } from '../../../src/oci/index.js';
import { MemoryImage } from '../../support/memory-image.js';
import { run } from '../../support/registry.js';
import { temporaryFolder } from '../../support/temporary.js';
import { readTree } from '../../support/tree.js';

/** What GNU tar can write. */
const formats: [name: string, options: string[]][] = [
  ['gnu', ['--format=gnu']],
  ['gnu, sparse', ['--format=gnu', '--sparse']],
  ['pax', ['--format=posix']],
  ['pax, sparse 0.0', ['--format=posix', '--sparse', '--sparse-version=0.0']],
  ['pax, sparse 0.1', ['--format=posix', '--sparse', '--sparse-version=0.1']],
  ['pax, sparse 1.0', ['--format=posix', '--sparse', '--sparse-version=1.0']],
];

describe('an archive that GNU tar wrote', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let original: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    original = join(folder.path, 'original');
    const deep = join(original, 'deep-folder-name/'.repeat(12));
    mkdirSync(deep, { recursive: true });
    writeFileSync(join(deep, 'n'.repeat(200)), 'long');
    symlinkSync(`x/${'t'.repeat(180)}`, join(deep, 'long-link'));
    linkSync(join(deep, 'n'.repeat(200)), join(original, 'second name'));
    writeFileSync(Buffer.concat([Buffer.from(`${original}/`), Buffer.from([0x66, 0xe9, 0xff])]), 'not UTF-8');
    writeFileSync(join(original, 'größe'), 'UTF-8');
    sparse(join(original, 'hole at the end'), 3_000_000, [[0, 5000]]);
    sparse(join(original, 'hole at the front'), 3_000_000, [[2_999_000, 1000]]);
    sparse(join(original, 'all hole'), 1_000_000, []);
    // More segments than one header and one extension block of the old format have (4 and 21).
    const many = Array.from({ length: 60 }, (_, i): [number, number] => [i * 40_960, 4096]);
    sparse(join(original, 'many holes'), 60 * 40_960, many);
  });
  afterAll(async () => folder?.[Symbol.asyncDispose]());

  it.each(formats)('in the format %s comes back as it was', async (name, options) => {
    const archive = join(folder.path, 'archive.tar');
    run('tar', ['-C', original, ...options, '-cf', archive, '.']);
    for (const pieceBytes of [100, 512, 100_000]) {
      const rootfs = join(folder.path, `${name}-${pieceBytes}`.replaceAll(/[^a-z0-9]/g, '-'));
      const image = new MemoryImage([readFileSync(archive)], { pieceBytes });
      await unpackImage(image.resolved, image, rootfs);
      expect(readTree(rootfs)).toEqual(readTree(original));
      if (options.includes('--sparse')) {
        const blocks = (path: string): number => lstatSync(path).blocks;
        expect(blocks(join(rootfs, 'hole at the front'))).toBe(blocks(join(original, 'hole at the front')));
      }
    }
  });
});

function sparse(path: string, size: number, segments: [offset: number, length: number][]): void {
  const fd = openSync(path, 'w');
  for (const [offset, length] of segments) writeSync(fd, Buffer.alloc(length, 'data'), 0, length, offset);
  ftruncateSync(fd, size);
  closeSync(fd);
}
