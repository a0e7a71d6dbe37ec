import { existsSync, mkdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { unpackImage } from '../../../../src/oci/index.js';
import { MemoryImage } from '../../../support/memory-image.js';
import { file, folder, symlink, type TarItem, tar } from '../../../support/tar.js';
import { temporaryFolder } from '../../../support/temporary.js';

async function unpacked(place: string, ...layers: TarItem[][]): Promise<string> {
  const image = new MemoryImage(layers.map((items) => tar(...items)));
  const rootfs = join(place, 'rootfs');
  await unpackImage(image.resolved, image, rootfs);
  return rootfs;
}

it('resolves ".." behind a link from where that link leads, as a chroot would', async () => {
  await using place = await temporaryFolder();
  const rootfs = await unpacked(place.path, [
    folder('opt/java-17/lib'),
    file('opt/java-17/release', 'the right one'),
    file('usr/release', 'the wrong one'),
    symlink('usr/java', '/opt/java-17/lib'),
    symlink('usr/which', 'java/../release'),
    symlink('usr/up', 'java/..'),
  ]);
  expect(readFileSync(join(rootfs, 'usr/which'), 'utf8')).toBe('the right one');
  expect(realpathSync(join(rootfs, 'usr/up'))).toBe(join(rootfs, 'opt/java-17'));
});

it('resolves it even when the link comes later', async () => {
  await using place = await temporaryFolder();
  const rootfs = await unpacked(
    place.path,
    [symlink('usr/which', 'java/../release'), file('opt/java-17/release', 'right')],
    [folder('opt/java-17/lib'), symlink('usr/java', '/opt/java-17/lib')],
  );
  expect(readFileSync(join(rootfs, 'usr/which'), 'utf8')).toBe('right');
});

it('leaves such a link as its names say when nothing is there', async () => {
  await using place = await temporaryFolder();
  const rootfs = await unpacked(place.path, [folder('a'), symlink('a/x', 'gone/../y')]);
  expect(readlinkSync(join(rootfs, 'a/x'))).toBe('y');
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
