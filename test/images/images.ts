import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { debianImage } from '../../scripts/quickstart/image.mjs';
import { openImage, resolveImage, runnersLinks, unpackImage } from '../../src/oci/index.js';
import { removeTree } from '../../src/util/remove-tree.js';
import { JAIL_USER } from '../support/jail/jail.js';
import { type RootName, rootFileSystem } from '../support/roots/roots.js';

const run = promisify(execFile);

/** Keeps the images, compressed. */
const cache = resolve(import.meta.dirname, '../../.cache/images');

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

/** Programs by kind, spread over Debian's releases: other C libraries, other generations of the same program. */
const packages = {
  languages: [
    'default-jdk-headless',
    'elixir',
    'erlang-base',
    'nodejs',
    'perl',
    'python3-numpy',
    'r-base-core',
    'ruby',
  ],
  interpreters: [
    ...['guile-3.0', 'lua5.4', 'luajit', 'mono-mcs', 'ocaml-nox', 'php-cli', 'php-sqlite3', 'pypy3', 'sbcl'],
    ...['swi-prolog-nox', 'tcl', 'zsh'],
  ],
  tools: ['apt', 'gcc', 'git', 'golang-go', 'libc6-dev', 'make', 'sqlite3'],
  compilers: ['cargo', 'g++', 'gfortran', 'libc6-dev', 'rustc', 'upx-ucl', 'valgrind'],
  media: ['ffmpeg', 'fonts-dejavu-core', 'imagemagick', 'tesseract-ocr'],
  documents: [
    ...['chromium', 'fonts-dejavu-core', 'ghostscript', 'graphviz', 'libreoffice-writer-nogui', 'pandoc'],
    ...['poppler-utils', 'texlive-latex-base'],
  ],
  science: ['gdal-bin', 'ncbi-blast+', 'python3-pandas', 'python3-sklearn', 'samtools'],
  servers: ['curl', 'expect', 'nginx-light', 'openssl', 'postgresql', 'procps', 'redis-server', 'rsync', 'tmux'],
};

/** Java's and PostgreSQL's packages register their manual pages, which are left out, as alternatives. */
const manualFolders = '--essential-hook=mkdir -p "$1/usr/share/man/man1" "$1/usr/share/man/man7"';

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
  languages: { ...debian('bookworm', ...packages.languages), hooks: [manualFolders] },
  interpreters: debian('trixie', ...packages.interpreters),
  tools: debian('trixie', ...packages.tools),
  compilers: debian('trixie', ...packages.compilers),
  media: debian('trixie', ...packages.media),
  documents: debian('bookworm', ...packages.documents),
  science: debian('trixie', ...packages.science),
  servers: { ...debian('bookworm', ...packages.servers), hooks: [manualFolders] },
} satisfies Record<string, Recipe>;

export type ImageName = keyof typeof recipes | Extract<RootName, 'musl' | 'static'>;

/** What an image is made of, in a few words. */
export function imageContent(name: ImageName): string {
  if (name === 'musl') return "BusyBox from Debian's source, linked with musl";
  if (name === 'static') return 'BusyBox and Go, static; no library';
  return ['Debian', recipes[name].suite, ...recipes[name].packages].join(' ');
}

/** An image's root file system, as a function would have unpacked it, owned by the jail's user; removed with its scope. */
export async function imageRoot(name: ImageName): Promise<{ path: string } & AsyncDisposable> {
  if (name === 'musl' || name === 'static') {
    return { path: await rootFileSystem(name), [Symbol.asyncDispose]: async () => {} };
  }
  const folder = join(cache, name);
  const reference = await debianImage(folder, recipes[name]);
  const path = join(folder, 'root');
  await removeTree(path); // of a run that was killed
  const source = openImage(reference);
  const image = await resolveImage(source, { os: 'linux', architecture: 'amd64' });
  await unpackImage(image, source, path, { links: runnersLinks(['/proc', '/dev', '/sys']) });
  await source.close();
  await run('chown', ['-R', '-h', `${JAIL_USER.uid}:${JAIL_USER.gid}`, path]);
  return { path, [Symbol.asyncDispose]: () => removeTree(path) };
}
