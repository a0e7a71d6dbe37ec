import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { debianImage } from '../../scripts/quickstart/image.mjs';
import { openImage, resolveImage, unpackImage } from '../../src/oci/index.js';
import { removeTree } from '../../src/util/remove-tree.js';
import { JAIL_USER } from '../support/jail/jail.js';
import { type RootName, rootFileSystem } from '../support/roots/roots.js';

const run = promisify(execFile);

/** What the table's images are kept in: about 2 GB. */
export const cache = resolve(import.meta.dirname, '../../.cache/images');

type Recipe = Exclude<Parameters<typeof debianImage>[1], undefined>;

/** Debian's essential packages and some more, without what only people read. */
function debian(suite: string, ...packages: string[]): Recipe {
  return {
    suite,
    variant: 'essential',
    packages,
    excluded: ['doc', 'info', 'locale', 'man'].map((folder) => `/usr/share/${folder}/*`),
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], WorkingDir: '/' },
  };
}

const languages = [
  'default-jdk-headless',
  'elixir',
  'erlang-base',
  'nodejs',
  'perl',
  'python3-numpy',
  'r-base-core',
  'ruby',
];
const tools = ['apt', 'gcc', 'git', 'golang-go', 'libc6-dev', 'make', 'sqlite3'];
const media = ['ffmpeg', 'fonts-dejavu-core', 'imagemagick', 'tesseract-ocr'];

/** Images of Debian's packages. The languages are of Debian 12, the tools of Debian 13: two C libraries, two generations of programs. */
const recipes = {
  'debian-11': debian('bullseye'),
  'debian-12': debian('bookworm'),
  'debian-13': debian('trixie'),
  // A mirror may lag behind what its signature promises, and sid is not meant to be kept for weeks.
  'debian-sid': { ...debian('sid'), hooks: ['--aptopt=Acquire::Check-Valid-Until "false"'] },
  // mmdebstrap(1), --hook-dir: "sub-essential", with BusyBox for coreutils and the shell.
  minimal: {
    ...debian('bookworm', 'base-files', 'base-passwd', 'busybox', 'debianutils', 'dpkg', 'libc-bin'),
    variant: 'custom',
    hooks: ['--hook-dir=/usr/share/mmdebstrap/hooks/busybox'],
  },
  // Java's packages register their manual pages, which are left out, as alternatives.
  languages: { ...debian('bookworm', ...languages), hooks: ['--essential-hook=mkdir -p "$1/usr/share/man/man1"'] },
  tools: debian('trixie', ...tools),
  media: debian('trixie', ...media),
} satisfies Record<string, Recipe>;

export type ImageName = keyof typeof recipes | Extract<RootName, 'musl' | 'static'>;

/** What an image is made of, in a few words. */
export function imageContent(name: ImageName): string {
  if (name === 'musl') return "BusyBox from Debian's source, linked with musl";
  if (name === 'static') return 'BusyBox and Go, static; no library';
  return ['Debian', recipes[name].suite, ...recipes[name].packages].join(' ');
}

/** Whether an image is one of mmdebstrap's; the others are roots that the runner's tests have, too. */
const isDebian = (name: ImageName): name is keyof typeof recipes => name in recipes;

/** The image's root file system as a function would have unpacked it, owned by the jail's user; made once, and kept. */
export async function imageRoot(name: ImageName): Promise<string> {
  if (!isDebian(name)) return rootFileSystem(name);
  const folder = join(cache, name);
  const reference = await debianImage(folder, recipes[name]);
  const [, layout = ''] = reference.split(':');
  const root = join(folder, basename(layout).replace('image-', 'root-'));
  if (existsSync(root)) return root;
  for (const other of readdirSync(folder)) {
    if (!other.startsWith('image-')) await removeTree(join(folder, other));
  }
  const unpacked = `${root}.unpacked`;
  const source = openImage(reference);
  const image = await resolveImage(source, { os: 'linux', architecture: 'amd64' });
  await unpackImage(image, source, unpacked, { hostFolders: ['/proc', '/dev', '/sys'] });
  await source.close();
  await run('chown', ['-R', '-h', `${JAIL_USER.uid}:${JAIL_USER.gid}`, unpacked]);
  await run('mv', [unpacked, root]);
  return root;
}
