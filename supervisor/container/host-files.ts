import { lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { LinkForm } from '../../src/oci/rootfs/link-target.js';
import { FileView } from './file-view.js';

/** Files that Docker, too, gives every container from its host. Without /etc/hosts, getaddrinfo(3) does not know localhost. */
const HOST_FILES: Readonly<Record<string, Buffer | undefined>> = {
  '/etc/resolv.conf': undefined,
  '/etc/hosts': Buffer.from('127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n'),
  '/etc/hostname': undefined,
};

/** Puts the host's network files into a rootfs, in place of what the image has under their names. */
export function installHostFiles(rootfs: string, links: LinkForm): void {
  const view = new FileView(rootfs, [], links);
  for (const [file, otherwise] of Object.entries(HOST_FILES)) {
    const content = readIfThere(file) ?? otherwise;
    const folder = view.resolve(dirname(file));
    if (content === undefined || folder === undefined) continue;
    const place = join(folder, basename(file));
    if (holds(place, content)) continue;
    mkdirSync(folder, { recursive: true });
    rmSync(place, { recursive: true, force: true });
    writeFileSync(place, content);
  }
}

function holds(place: string, content: Buffer): boolean {
  return lstatSync(place, { throwIfNoEntry: false })?.isFile() === true && readIfThere(place)?.equals(content) === true;
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
