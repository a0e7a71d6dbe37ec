import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { ImageConfig } from '../../src/oci/image-source.js';
import { MemoryImage, writeLayout } from './memory-image.js';
import { file, folder, symlink, type TarItem, tar } from './tar.js';

const BUSYBOX = '/bin/busybox';

/** Why there can be no such image here, in one line; undefined when there can. */
export const busyboxMissing = existsSync(BUSYBOX) ? undefined : 'needs the Debian package busybox-static';

/** The layer of a small real system: one static program under all its names, and `more`. */
export function busyboxLayer(...more: TarItem[]): Buffer {
  const folders = ['bin', 'etc', 'root', 'proc', 'dev', 'sys', 'tmp', 'var'].map((name) => folder(name));
  const passwd = file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:www:/var/www:/bin/sh\n');
  const program = file('bin/busybox', readFileSync(BUSYBOX), { mode: 0o755 });
  const names = execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  const links = names.filter((name) => name !== 'busybox').map((name) => symlink(`bin/${name}`, 'busybox'));
  return tar(...folders, passwd, program, ...links, ...more);
}

/** An image of that layer, which runs in tens of milliseconds; it has no command unless `config` gives it one. */
export function busyboxImage(config: NonNullable<ImageConfig['config']> = {}, ...more: TarItem[]): MemoryImage {
  return new MemoryImage([busyboxLayer(...more)], {
    configure: (image) => {
      image.config = { Env: ['PATH=/bin'], ...config };
    },
  });
}

/** Writes an image as an OCI layout, by default the one above, and returns `oci:DIRECTORY`. */
export async function busyboxLayout(directory: string, image = busyboxImage()): Promise<string> {
  await writeLayout(image, directory, 'latest');
  return `oci:${directory}`;
}
