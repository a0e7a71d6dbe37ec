import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { FileView } from './file-view.js';

/** Files that Docker, too, gives every container from its host. Without /etc/hosts, getaddrinfo(3) does not know localhost. */
const HOST_FILES: Readonly<Record<string, string | undefined>> = {
  '/etc/resolv.conf': undefined,
  '/etc/hosts': '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n',
  '/etc/hostname': undefined,
};

/** Puts the host's network files into a rootfs, in place of what the image has under their names. */
export function installHostFiles(rootfs: string): void {
  const view = new FileView(rootfs, []);
  for (const [file, otherwise] of Object.entries(HOST_FILES)) {
    const content = readIfThere(file) ?? otherwise;
    const folder = view.resolve(dirname(file));
    if (content === undefined || folder === undefined) continue;
    const place = join(folder, basename(file));
    mkdirSync(folder, { recursive: true });
    rmSync(place, { recursive: true, force: true });
    writeFileSync(place, content);
  }
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
