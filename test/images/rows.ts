import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageName } from './images.js';

/** A line of the table: a program of `programs/`, run in an image. */
export interface Row {
  name: string;
  image: ImageName;
  /** `programs/NAME.sh`: a shell script that fails at the first thing that is not as it should be. */
  program: string;
}

const amd64: readonly Row[] = [
  { name: 'Debian 11', image: 'debian-11', program: 'debian' },
  { name: 'Debian 12', image: 'debian-12', program: 'debian' },
  { name: 'Debian 13', image: 'debian-13', program: 'debian' },
  { name: 'Debian sid', image: 'debian-sid', program: 'debian' },
  { name: 'BusyBox, glibc', image: 'minimal', program: 'busybox' },
  { name: 'BusyBox, musl', image: 'musl', program: 'busybox' },
  { name: 'BusyBox, static', image: 'static', program: 'busybox' },
  { name: 'Go, static', image: 'static', program: 'go-static' },
  { name: 'Python, NumPy', image: 'languages', program: 'numpy' },
  { name: 'R', image: 'languages', program: 'r' },
  { name: 'Ruby', image: 'languages', program: 'ruby' },
  { name: 'Perl', image: 'languages', program: 'perl' },
  { name: 'Erlang', image: 'languages', program: 'erlang' },
  { name: 'Elixir', image: 'languages', program: 'elixir' },
  { name: 'Java', image: 'languages', program: 'java' },
  { name: 'Node', image: 'languages', program: 'node' },
  { name: 'bash', image: 'languages', program: 'bash' },
  { name: 'PHP', image: 'interpreters', program: 'php' },
  { name: 'Lua, LuaJIT', image: 'interpreters', program: 'lua' },
  { name: 'OCaml', image: 'interpreters', program: 'ocaml' },
  { name: 'SBCL', image: 'interpreters', program: 'sbcl' },
  { name: 'Guile', image: 'interpreters', program: 'guile' },
  { name: 'Prolog', image: 'interpreters', program: 'prolog' },
  { name: 'PyPy', image: 'interpreters', program: 'pypy' },
  { name: 'Mono', image: 'interpreters', program: 'mono' },
  { name: 'Tcl, zsh', image: 'interpreters', program: 'tcl' },
  { name: 'gcc', image: 'tools', program: 'gcc' },
  { name: 'go build', image: 'tools', program: 'go-build' },
  { name: 'git', image: 'tools', program: 'git' },
  { name: 'make', image: 'tools', program: 'make' },
  { name: 'SQLite', image: 'tools', program: 'sqlite' },
  { name: 'apt, dpkg', image: 'tools', program: 'apt' },
  { name: 'Rust', image: 'compilers', program: 'rust' },
  { name: 'C++, sanitizers', image: 'compilers', program: 'cpp' },
  { name: 'Fortran', image: 'compilers', program: 'fortran' },
  { name: 'ffmpeg', image: 'media', program: 'ffmpeg' },
  { name: 'ImageMagick', image: 'media', program: 'imagemagick' },
  { name: 'Tesseract', image: 'media', program: 'tesseract' },
  { name: 'Chromium', image: 'documents', program: 'chromium' },
  { name: 'LibreOffice', image: 'documents', program: 'libreoffice' },
  { name: 'LaTeX, Pandoc', image: 'documents', program: 'latex' },
  { name: 'Ghostscript, Graphviz', image: 'documents', program: 'ghostscript' },
  { name: 'pandas, scikit-learn', image: 'science', program: 'pandas' },
  { name: 'BLAST, samtools', image: 'science', program: 'bioinformatics' },
  { name: 'GDAL', image: 'science', program: 'gdal' },
  { name: 'PostgreSQL', image: 'servers', program: 'postgresql' },
  { name: 'Redis', image: 'servers', program: 'redis' },
  { name: 'nginx, curl', image: 'servers', program: 'nginx' },
  { name: 'tmux, expect, rsync', image: 'servers', program: 'terminal' },
];

/** Names of the rows that are run on arm64, too, by image. Not Go's compiler: under QEMU, go vet waits for ever. */
const onArm64: Partial<Record<ImageName, readonly string[]>> = {
  'debian-12-arm64': ['Debian 12'],
  'debian-13-arm64': ['Debian 13'],
  'minimal-arm64': ['BusyBox, glibc'],
  'musl-arm64': ['BusyBox, musl'],
  'static-arm64': ['BusyBox, static', 'Go, static'],
  'languages-arm64': ['Python, NumPy', 'R', 'Ruby', 'Perl', 'Node', 'bash'],
  'java-arm64': ['Java'],
  'interpreters-arm64': ['PHP', 'Lua, LuaJIT', 'OCaml', 'Guile', 'Tcl, zsh'],
  'tools-arm64': ['gcc', 'git', 'make', 'SQLite', 'apt, dpkg'],
  'media-arm64': ['ffmpeg', 'ImageMagick', 'Tesseract'],
};

const arm64: readonly Row[] = (Object.entries(onArm64) as [ImageName, readonly string[]][]).flatMap(([image, names]) =>
  amd64.filter(({ name }) => names.includes(name)).map((row) => ({ ...row, image })),
);

export const rows: readonly Row[] = [...amd64, ...arm64];

export const programFile = (name: string) => join(import.meta.dirname, 'programs', `${name}.sh`);

/** What a program checks: its first line. */
export const checkedBy = (name: string) =>
  readFileSync(programFile(name), 'utf8').split('\n')[0]?.replace('# ', '') ?? '';
