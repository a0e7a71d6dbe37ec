import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Descriptor, ImageSource, ResolvedImage } from '../../../src/oci/index.js';
import { type LinkForm, runnersLinks, unpackImage, verbatimLinks } from '../../../src/oci/index.js';
import { withFileLock } from '../../../src/util/file-lock.js';
import { removeTree } from '../../../src/util/remove-tree.js';
import { emulatorMissing } from '../emulator/emulator.js';
import { isInstalled } from '../installed.js';
import { JAIL_USER } from '../jail/jail.js';

const run = promisify(execFile);
const recipe = import.meta.dirname;
const cache = resolve(recipe, '../../../.cache/roots');

/** The root file systems that the runner is tested on, and the ID in their /etc/os-release. */
export const ROOTS = {
  bullseye: 'debian',
  bookworm: 'debian',
  trixie: 'debian',
  musl: 'musl',
  static: 'static',
} as const;

/** The same for arm64. */
export const ARM64_ROOTS = {
  'bookworm-arm64': 'debian',
  'musl-arm64': 'musl',
  'static-arm64': 'static',
} as const;

export type RootName = keyof typeof ROOTS | keyof typeof ARM64_ROOTS;

/** Why roots cannot be made here, in one line; undefined when they can. */
export const rootsMissing: string | undefined =
  process.getuid?.() !== 0
    ? 'making roots needs root'
    : ['mmdebstrap', 'musl-gcc', 'go', 'busybox', 'gcc', 'make'].every(isInstalled)
      ? undefined
      : 'making roots needs the Debian packages mmdebstrap, musl-tools, golang-go, busybox-static, gcc and make';

/** The same for arm64: they are made, and run, under emulation. */
export const arm64RootsMissing: string | undefined =
  rootsMissing ??
  emulatorMissing ??
  (isInstalled('aarch64-linux-gnu-gcc') && existsSync('/usr/aarch64-linux-gnu/include/stdio.h')
    ? undefined
    : 'making roots needs the Debian packages gcc-aarch64-linux-gnu and libc6-dev-arm64-cross');

/** How its symbolic links are written: for the runner, or as they are, for the kernel and for others. */
const LINKS = {
  '': runnersLinks(['/proc', '/dev', '/sys', '/tmp/REQ1']),
  '.verbatim': verbatimLinks,
} as const satisfies Record<string, LinkForm>;

/**
 * A root file system, as the supervisor would have unpacked it: made once for each version of its recipe (this folder),
 * and kept. It belongs to the jail's user. Tests leave it as they found it, or work on a copy.
 */
export async function rootFileSystem(name: RootName, links: keyof typeof LINKS = ''): Promise<string> {
  const made = `${name}-${recipeKey()}`;
  const root = join(cache, made + links);
  mkdirSync(cache, { recursive: true });
  await withFileLock(join(cache, `${name}.lock`), async () => {
    if (existsSync(root)) return;
    await removeOlder(name, made);
    const tar = `${root}.tar`;
    try {
      await run(join(recipe, 'build.sh'), [name, tar], { maxBuffer: 64 << 20 });
      await unpack(tar, `${root}.new`, LINKS[links]);
      await run('chown', ['-R', '-h', `${JAIL_USER.uid}:${JAIL_USER.gid}`, `${root}.new`]);
      await run('mv', [`${root}.new`, root]);
    } finally {
      await rm(tar, { force: true });
    }
  });
  return root;
}

/** The recipe and what unpacks it. */
function recipeKey(): string {
  const hash = createHash('sha256');
  const files = readdirSync(recipe, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of files) hash.update(file.slice(recipe.length)).update('\0').update(readFileSync(file));
  return hash.digest('hex').slice(0, 12);
}

async function removeOlder(name: RootName, made: string): Promise<void> {
  for (const entry of readdirSync(cache)) {
    const isOne = entry.startsWith(`${name}-`) && /^[0-9a-f]{12}(\.|$)/.test(entry.slice(name.length + 1));
    if (isOne && !entry.startsWith(made)) await removeTree(join(cache, entry));
  }
}

/** Through the real unpacker: what it does to links, modes and devices is part of what the runner finds. */
async function unpack(tar: string, directory: string, links: LinkForm): Promise<void> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(tar)) hash.update(chunk);
  const digest = `sha256:${hash.digest('hex')}`;
  const size = statSync(tar).size;
  const layer: Descriptor = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size };
  const nothing: Descriptor = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 0 };
  const source: ImageSource = {
    reference: `file:${tar}`,
    manifest: () => Promise.reject(new Error('this image is resolved already')),
    blob: async () => createReadStream(tar),
    close: async () => {},
  };
  const image: ResolvedImage = {
    reference: source.reference,
    digest,
    manifest: { schemaVersion: 2, config: nothing, layers: [layer] },
    manifestBytes: Buffer.alloc(0),
    config: { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [digest] } },
    compressedBytes: size,
  };
  await unpackImage(image, source, directory, { links });
}
