import { existsSync, readFileSync } from 'node:fs';
import { MemoryImage, type MemoryImageOptions, writeLayout } from './memory-image.js';
import { file, folder, symlink, type TarItem, tar } from './tar.js';

const program = '/bin/busybox';

/** Why there can be no such image, in one line; undefined if there can. */
export const busyboxMissing: string | undefined = existsSync(program)
  ? undefined
  : 'needs the Debian package busybox-static';

/** What scripts of tests use. */
const APPLETS = [
  'basename',
  'sh',
  'cat',
  'cp',
  'dd',
  'echo',
  'env',
  'head',
  'kill',
  'ls',
  'printf',
  'setsid',
  'sleep',
  'tail',
  'touch',
  'true',
  'wc',
];

/** The layer of a small real system: one static program under many names. */
export function busyboxLayer(...more: TarItem[]): Buffer {
  const links = APPLETS.map((name) => symlink(`bin/${name}`, 'busybox'));
  const folders = ['bin', 'etc', 'root', 'tmp'].map((name) => folder(name));
  return tar(...folders, file('bin/busybox', readFileSync(program), { mode: 0o755 }), ...links, ...more);
}

/** Writes an image with a shell as an OCI layout, which runs in tens of milliseconds. Returns `oci:DIRECTORY`. */
export async function busyboxLayout(
  directory: string,
  { layers = [busyboxLayer()], ...options }: MemoryImageOptions & { layers?: Buffer[] } = {},
): Promise<string> {
  await writeLayout(new MemoryImage(layers, options), directory, 'latest');
  return `oci:${directory}`;
}
