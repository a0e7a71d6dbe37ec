import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { debianImage } from '../../scripts/quickstart/image.mjs';
import type { Platform } from '../../src/contract/index.js';
import { emulated } from '../support/emulator/emulator.js';
import { MemoryImage } from '../support/memory-image.js';
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

/** Programs as above, but fewer: each package is installed by emulated programs. */
const arm64Packages = {
  languages: ['nodejs', 'perl', 'python3-numpy', 'r-base-core', 'ruby'],
  java: ['default-jdk-headless'],
  interpreters: ['guile-3.0', 'lua5.4', 'luajit', 'ocaml-nox', 'php-cli', 'php-sqlite3', 'tcl', 'zsh'],
  tools: ['apt', 'gcc', 'git', 'golang-go', 'libc6-dev', 'make', 'sqlite3'],
};

const arm64Recipes = {
  'debian-12-arm64': debian('bookworm'),
  'debian-13-arm64': debian('trixie'),
  'minimal-arm64': recipes.minimal,
  'languages-arm64': debian('bookworm', ...arm64Packages.languages),
  'java-arm64': { ...debian('bookworm', ...arm64Packages.java), hooks: [manualFolders] },
  'interpreters-arm64': debian('trixie', ...arm64Packages.interpreters),
  'tools-arm64': debian('trixie', ...arm64Packages.tools),
  'media-arm64': recipes.media,
} satisfies Record<string, Recipe>;

const debianRecipes: Record<keyof typeof recipes | keyof typeof arm64Recipes, Recipe> = {
  ...recipes,
  ...arm64Recipes,
};

type DebianName = keyof typeof debianRecipes;

/** Images that are made of a root of the runner's tests. */
type SmallName = Extract<RootName, 'musl' | 'static' | 'musl-arm64' | 'static-arm64'>;

export type ImageName = DebianName | SmallName;

const isDebian = (name: ImageName): name is DebianName => Object.hasOwn(debianRecipes, name);

export const architectureOf = (name: ImageName): Platform['architecture'] =>
  name.endsWith('-arm64') ? 'arm64' : 'amd64';

/** Those for x86-64, which is also where all of the programs run. */
export const amd64Images: readonly ImageName[] = [
  ...(Object.keys(recipes) as (keyof typeof recipes)[]),
  ...(['musl', 'static'] as const),
];

/** What an image is made of, in a few words. */
export function imageContent(name: ImageName): string {
  if (isDebian(name)) return ['Debian', debianRecipes[name].suite, ...debianRecipes[name].packages].join(' ');
  return name.startsWith('musl')
    ? "BusyBox from Debian's source, linked with musl"
    : 'BusyBox and Go, static; no library';
}

/** The image: a reference to a layout on the disk, made unless it is there, or one in memory. */
export async function makeImage(name: ImageName): Promise<string | MemoryImage> {
  const architecture = architectureOf(name);
  if (isDebian(name)) {
    const recipe = debianRecipes[name];
    if (architecture === 'amd64') return debianImage(join(cache, name), recipe);
    return debianImage(join(cache, name), { ...recipe, architecture }, emulated([]));
  }
  const asRoot = ['--numeric-owner', '--owner=0', '--group=0'];
  const { stdout } = await run('tar', ['-C', await rootFileSystem(name, '.verbatim'), ...asRoot, '-cf', '-', '.'], {
    encoding: 'buffer',
    maxBuffer: 64 << 20,
  });
  return new MemoryImage([stdout], {
    configure: (image) => {
      image.architecture = architecture;
    },
  });
}
