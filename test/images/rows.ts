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

export const rows: readonly Row[] = [
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
  { name: 'gcc', image: 'tools', program: 'gcc' },
  { name: 'go build', image: 'tools', program: 'go-build' },
  { name: 'git', image: 'tools', program: 'git' },
  { name: 'make', image: 'tools', program: 'make' },
  { name: 'SQLite', image: 'tools', program: 'sqlite' },
  { name: 'apt, dpkg', image: 'tools', program: 'apt' },
  { name: 'ffmpeg', image: 'media', program: 'ffmpeg' },
  { name: 'ImageMagick', image: 'media', program: 'imagemagick' },
  { name: 'Tesseract', image: 'media', program: 'tesseract' },
];

export const programFile = (name: string) => join(import.meta.dirname, 'programs', `${name}.sh`);

/** What a program checks: its first line. */
export const checkedBy = (name: string) =>
  readFileSync(programFile(name), 'utf8').split('\n')[0]?.replace('# ', '') ?? '';
