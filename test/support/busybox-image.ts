import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { ImageConfig } from '../../src/oci/image-source.js';
import { MemoryImage } from './memory-image.js';
import { file, folder, symlink, type TarItem, tar } from './tar.js';

const BUSYBOX = '/bin/busybox';

/** Why there can be no such image here, in one line; undefined when there can. */
export const busyboxMissing = existsSync(BUSYBOX) ? undefined : 'needs the Debian package busybox-static';

let programs: TarItem[] | undefined;

/** A small image that can do something: one static program under all its names. */
export function busyboxImage(config: NonNullable<ImageConfig['config']> = {}, ...more: TarItem[]): MemoryImage {
  programs ??= [
    file('bin/busybox', readFileSync(BUSYBOX), { mode: 0o755 }),
    ...execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .filter((name) => name !== 'busybox')
      .map((name) => symlink(`bin/${name}`, 'busybox')),
  ];
  const folders = ['bin', 'etc', 'root', 'proc', 'dev', 'sys', 'tmp', 'var'].map((name) => folder(name));
  const passwd = file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:www:/var/www:/bin/sh\n');
  return new MemoryImage([tar(...folders, passwd, ...programs, ...more)], {
    configure: (image) => {
      image.config = { Env: ['PATH=/bin'], ...config };
    },
  });
}
