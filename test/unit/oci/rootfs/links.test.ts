import { existsSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { unpackImage } from '../../../../src/oci/index.js';
import { FileView } from '../../../../supervisor/container/file-view.js';
import { MemoryImage } from '../../../support/memory-image.js';
import { file, folder, symlink, type TarItem, tar } from '../../../support/tar.js';
import { temporaryFolder } from '../../../support/temporary.js';

async function unpacked(place: string, ...layers: TarItem[][]): Promise<string> {
  const image = new MemoryImage(layers.map((items) => tar(...items)));
  const rootfs = join(place, 'rootfs');
  await unpackImage(image.resolved, image, rootfs);
  return rootfs;
}

/** What a program in the rootfs finds at a path. */
const found = (rootfs: string, path: string) => new FileView(rootfs, []).resolve(path);

it('keeps what ".." behind a link means in a chroot: it counts from where that link leads', async () => {
  await using place = await temporaryFolder();
  const rootfs = await unpacked(place.path, [
    symlink('usr/which', 'java/../release'),
    symlink('usr/up', 'java/..'),
    folder('opt/java-17/lib'),
    symlink('usr/java', '/opt/java-17/lib'),
  ]);
  expect(found(rootfs, '/usr/which')).toBe(join(rootfs, 'opt/java-17/release'));
  expect(found(rootfs, '/usr/up')).toBe(join(rootfs, 'opt/java-17'));
});

it('resolves such a link for the entries that come later, too', async () => {
  await using place = await temporaryFolder();
  const rootfs = await unpacked(
    place.path,
    [folder('opt/java-17/lib'), symlink('usr/java', '/opt/java-17/lib'), symlink('usr/up', 'java/..')],
    [file('usr/up/release', 'right')],
  );
  expect(readFileSync(join(rootfs, 'opt/java-17/release'), 'utf8')).toBe('right');
});

it('writes through links of the image, as every container tool does, and below the root', async () => {
  await using place = await temporaryFolder();
  const rootfs = await unpacked(place.path, [folder('usr/lib'), symlink('lib', 'usr/lib')], [file('lib/new.so', 'x')]);
  expect(readFileSync(join(rootfs, 'usr/lib/new.so'), 'utf8')).toBe('x');
  expect(readlinkSync(join(rootfs, 'lib'))).toBe('usr/lib');
});

it('refuses a folder that is there, and one that cannot be made', async () => {
  await using place = await temporaryFolder();
  const image = new MemoryImage([tar(file('f'))]);
  mkdirSync(join(place.path, 'taken'));
  await expect(unpackImage(image.resolved, image, join(place.path, 'taken'))).rejects.toMatchObject({
    code: 'invalid-option',
    message: expect.stringContaining('directory must not exist yet'),
  });
  await expect(unpackImage(image.resolved, image, join(place.path, 'no/such'))).rejects.toMatchObject({
    code: 'invalid-option',
  });
  expect(existsSync(join(place.path, 'no'))).toBe(false);
});
