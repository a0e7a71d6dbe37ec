import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verbatimLinks } from '../../../src/oci/rootfs/link-target.js';
import { unpackArchive, unpackImage } from '../../../src/oci/rootfs.js';
import { isInstalled } from '../../support/installed.js';
import { MemoryImage } from '../../support/memory-image.js';
import { rootfsArchive } from '../../support/oci/rootfs-archive.js';
import { file, folder, hardLink, symlink, tar } from '../../support/tar.js';
import { temporaryFolder } from '../../support/temporary.js';
import { mountMissing, mountTmpfs } from '../../support/tmpfs.js';
import { readTree, type TreeEntry } from '../../support/tree.js';

const MIB = 1024 * 1024;

let place: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  place = await temporaryFolder();
});
afterEach(() => place[Symbol.asyncDispose]());

const long = `${'d'.repeat(90)}/${'n'.repeat(90)}`;
const image = new MemoryImage([
  tar(
    folder('etc', 0o750, { mtime: 1_500_000_000 }),
    file('etc/a', 'lower', { mtime: 1_400_000_000 }),
    file('kept', randomBytes(9 * MIB), { mode: 0o640, pax: [['mtime', '1500000000.25']] }),
    file('gone', 'x'.repeat(5000)),
    file('name', 'content of two names'),
  ),
  tar(
    file('etc/a', 'upper'),
    file('.wh.gone'),
    hardLink('other-name', 'name'),
    file('.wh.name'),
    file(long, 'long'),
    symlink('link', '/etc/a'),
    { name: 'caf\u00c3\u00a9', content: 'bytes' },
  ),
]);

/** GNU tar sets them before it writes what comes later in the archive. */
function withoutFolderTimes(root: string): Map<string, TreeEntry> {
  const tree = readTree(root);
  for (const entry of tree.values()) if (entry.type === 'folder') entry.mtime = 0;
  return tree;
}

const open = (bytes: Buffer) => async () => ({
  body: Readable.from([bytes], { objectMode: false }),
  bytes: bytes.length,
});

describe('a rootfs archive', () => {
  it('is read by gzip and GNU tar, and has what is left of the layers', async () => {
    const { bytes, index } = await rootfsArchive(image.resolved, image);
    expect(index.chunks.length).toBe(3);
    const theirs = join(place.path, 'theirs');
    mkdirSync(theirs);
    writeFileSync(join(place.path, 'it.tar.gz'), bytes);
    execFileSync('tar', ['-xzf', join(place.path, 'it.tar.gz'), '-C', theirs]);
    const ours = join(place.path, 'ours');
    await unpackArchive(index, open(bytes), 'it', ours, { links: verbatimLinks });
    expect(withoutFolderTimes(ours)).toEqual(withoutFolderTimes(theirs));
    expect([...readTree(ours).keys()]).not.toContain('gone');
    expect(readFileSync(join(ours, 'other-name'), 'utf8')).toBe('content of two names');
  });

  it('is the same whoever makes it', async () => {
    const make = () => rootfsArchive(image.resolved, image);
    const [first, second] = await Promise.all([make(), make()]);
    expect(first.bytes.equals(second.bytes)).toBe(true);
    expect(first.index).toEqual(second.index);
  });

  it.skipIf(!isInstalled('zstd'))('may be zstd, as pzstd writes it', async () => {
    const { bytes, index } = await rootfsArchive(image.resolved, image);
    const whole = gunzipSync(bytes);
    const frames: Buffer[] = [];
    for (let at = 0; at < whole.length; at += 4 * MIB) {
      const frame = execFileSync('zstd', ['-q', '-c'], { input: whole.subarray(at, at + 4 * MIB), maxBuffer: 8 * MIB });
      const header = Buffer.from('502a4d180400000000000000', 'hex');
      header.writeUInt32LE(frame.length, 8);
      frames.push(header, frame);
    }
    const zstd = Buffer.concat(frames);
    const rootfs = join(place.path, 'rootfs');
    await unpackArchive(index, open(zstd), 'it', rootfs);
    expect(statSync(join(rootfs, 'kept')).size).toBe(9 * MIB);
    const other = { ...index, chunks: index.chunks.toReversed() };
    await expect(unpackArchive(other, open(zstd), 'it', join(place.path, 'other'))).rejects.toMatchObject({
      code: 'image-corrupt',
      message: expect.stringMatching(
        /^chunk \d of 3 of the rootfs archive of it is damaged: it should have the digest/,
      ),
    });
  });

  it('keeps the holes of a sparse file', async () => {
    const source = join(place.path, 'source');
    mkdirSync(source);
    execFileSync(
      'sh',
      ['-c', 'truncate -s 50M sparse && printf end >> sparse && printf x | dd of=sparse bs=1 seek=20M conv=notrunc'],
      {
        cwd: source,
        stdio: 'ignore',
      },
    );
    const layer = execFileSync('tar', ['-C', source, '--sparse', '--format=pax', '-cf', '-', '.'], {
      maxBuffer: 100 * MIB,
    });
    const sparse = new MemoryImage([layer]);
    const { bytes, index } = await rootfsArchive(sparse.resolved, sparse);
    expect(index.disk.bytes).toBe(2 * 4096);
    const rootfs = join(place.path, 'rootfs');
    await unpackArchive(index, open(bytes), 'it', rootfs);
    expect(readTree(rootfs)).toEqual(readTree(source));
    expect(statSync(join(rootfs, 'sparse')).blocks).toBeLessThan(100);
  });

  it.each(['cut', 'longer', 'none of it'])('that is %s is refused, and leaves nothing', async (what) => {
    const { bytes, index } = await rootfsArchive(image.resolved, image);
    const damaged = {
      cut: bytes.subarray(0, -1),
      longer: Buffer.concat([bytes, bytes]),
      'none of it': Buffer.alloc(0),
    }[what];
    const rootfs = join(place.path, 'rootfs');
    await expect(unpackArchive(index, open(damaged ?? bytes), 'it', rootfs)).rejects.toMatchObject({
      code: 'image-corrupt',
    });
    expect([...readTree(place.path).keys()]).toEqual([]);
  });
});

describe.skipIf(mountMissing)('a disk of 64 MiB', () => {
  const ofSize = (percent: number) =>
    new MemoryImage([
      tar(folder('big'), file('big/file', Buffer.alloc(Math.floor((64 * MIB * percent) / 100), percent))),
    ]);

  it('takes an image of 95 % of it, from the archive and in layers', async () => {
    const large = ofSize(95);
    const { bytes, index } = await rootfsArchive(large.resolved, large);
    for (const way of ['archive', 'layers']) {
      using disk = mountTmpfs(64);
      const rootfs = join(disk.path, 'rootfs');
      if (way === 'archive') await unpackArchive(index, open(bytes), 'it', rootfs);
      else await unpackImage(large.resolved, large, rootfs);
      expect(statSync(join(rootfs, 'big/file')).size, way).toBe(Math.floor(64 * MIB * 0.95));
    }
  });

  it('refuses a larger one before a byte of it is fetched, with the size that it needs', async () => {
    using disk = mountTmpfs(64);
    const large = ofSize(101);
    const { index } = await rootfsArchive(large.resolved, large);
    let opened = 0;
    const failed = unpackArchive(
      index,
      async () => {
        opened++;
        return open(Buffer.alloc(0))();
      },
      'it',
      join(disk.path, 'rootfs'),
    );
    await expect(failed).rejects.toMatchObject({
      code: 'no-space',
      message: expect.stringMatching(/has 6\d\.\d MiB left, and the image needs 64\.6 MiB\. .*ephemeralStorageMiB/),
    });
    expect(opened).toBe(0);
    expect([...readTree(disk.path).keys()]).toEqual([]);
  });
});
