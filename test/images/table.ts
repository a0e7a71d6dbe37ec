import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { architectureOf, type ImageName, imageContent } from './images.js';
import { checkedBy, type Row } from './rows.js';

export interface RowResult {
  row: Row;
  /** In the jail. */
  runs: boolean;
  /** Paths that were given to the kernel; undefined: it was not seen to its end. */
  paths: number | undefined;
  /** Those that led elsewhere than they may, with the call. */
  outside: string[];
}

/** An image on the disk. */
export interface ImageResult {
  image: ImageName;
  libc: string;
  megabytes: number;
  files: number;
}

/** What the runner makes of the code of an image's files, as far as they are in no image before it. */
export interface CodeResult {
  image: ImageName;
  files: number;
  instructions: number;
  candidates: number;
  redirected: number;
  otherLengths: number;
  wrong: string[];
  missed: string[];
}

/** The document; `npx biome format` may change its columns, but not what it says. */
export function table(rows: readonly RowResult[], images: readonly ImageResult[], code: readonly CodeResult[]): string {
  const [amd64, arm64] = (['amd64', 'arm64'] as const).map((wanted) =>
    rows.filter(({ row }) => architectureOf(row.image) === wanted),
  ) as [RowResult[], RowResult[]];
  const tried = new Set(arm64.map(({ row }) => row.name));
  const untried = amd64.flatMap(({ row }) => (tried.has(row.name) ? [] : [row.name]));
  return `# Images that run

${madeBy()} It takes some hours, and is no part of \`npm test\`.

Each row is a program of an image, as the script of an invocation of the built supervisor: the runner gets the options that the supervisor gives
it (the fake root, the undo log, the code cache, ...), and the program the user, the folders and the variables of any container. All rows of an image run in one
execution environment, one after the other, and all of that happens twice: in the jail with Lambda's restrictions (\`test/support/jail\`), where each
program must find everything that it checks as it should be, and where the image's files must afterwards be what they were; and outside of it
under strace, where every path that reaches the kernel from a container, of the program's and of the runner's, must lie in what the runner's command line
names: the root and the binds with what is in them, the table of owners, the files of the undo log and of the code cache by their names, or
else in /proc, /dev or /sys, once links have been followed. \`test/images/programs\` has the programs.

## x86-64

${summary(amd64)}

${rowTable(amd64)}
## arm64, emulated

${summary(arm64)}

The supervisor is the same as above and runs natively; the runner and all programs of the image are for arm64, and QEMU's user mode executes them,
as the kernel's binfmt_misc tells it to (\`test/support/emulator\`). The jail is around QEMU: what it refuses, it refuses to QEMU, on the
program's behalf. What strace sees, and is judged as above, are QEMU's system calls: those that the program's become, and its own. QEMU
keeps no instruction cache apart from memory and knows no timing; on a real processor none of this has run. A process of the container is QEMU to
the host, so the supervisor cannot find those that leave the container's session, and the environment's end ends them.

Not tried: ${untried.join('; ')}.

${rowTable(arm64)}
## The images

From Debian's packages, unpacked by the supervisor.

${columns(['image', 'made of', 'libc', 'MB', 'files'], images.map(imageOf))}
## Their code

Every executable and library for x86-64, against objdump's reading of those that have a candidate: two bytes that may be a system call. Of the
candidates the runner redirects some; "wrong" are those that are none, or that cannot be redirected as it would; "missed" are system calls that it leaves
alone without knowing that it may. "Other length" counts instructions that its decoder takes for longer or shorter; it is only asked around
candidates, and tables of numbers in code are among them. A file that is in an image above is not counted again. For arm64, where all instructions have
the same length, \`test/integration/runner/instructions-arm64.test.ts\` does this with a few files.

${columns(['image', 'files', 'instructions', 'other length', 'candidates', 'redirected', 'wrong', 'missed'], code.map(codeOf))}${problems(code)}`;
}

const passes = ({ runs, paths, outside }: RowResult) => runs && paths !== undefined && outside.length === 0;

function summary(rows: readonly RowResult[]): string {
  const paths = sum(rows.map((row) => row.paths ?? 0));
  const outside = sum(rows.map((row) => row.outside.length));
  return `**${rows.filter(passes).length} of ${rows.length} rows pass; ${count(paths)} paths, ${count(outside)} of them outside.**`;
}

const rowTable = (rows: readonly RowResult[]) =>
  columns(['program', 'image', 'runs', 'paths', 'outside', 'checked'], rows.map(rowOf));

function rowOf({ row, runs, paths, outside }: RowResult): string[] {
  const traced = paths === undefined ? ['?', '?'] : [count(paths), count(outside.length)];
  return [row.name, row.image, runs ? 'yes' : '**no**', ...traced, checkedBy(row.program)];
}

const imageOf = ({ image, libc, megabytes, files }: ImageResult) => [
  image,
  imageContent(image),
  libc,
  count(megabytes),
  count(files),
];

function codeOf({ image, files, instructions, otherLengths, candidates, redirected, wrong, missed }: CodeResult) {
  return [
    image,
    ...[files, instructions, otherLengths, candidates, redirected, wrong.length, missed.length].map(count),
  ];
}

/** The wrong and the missed ones, by file. */
function problems(code: readonly CodeResult[]): string {
  const lines = code.flatMap(({ image, wrong, missed }) => [
    ...wrong.map((problem) => `- ${image}, wrong: \`${problem}\`\n`),
    ...missed.map((problem) => `- ${image}, missed: \`${problem}\`\n`),
  ]);
  return lines.length === 0 ? '' : `\n${lines.join('')}`;
}

/** A table of Markdown. */
export function columns(head: readonly string[], body: readonly string[][]): string {
  const lines = [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |\n`);
  return lines.join('');
}

export const count = (value: number) => value.toLocaleString('en-US');

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** How the document came to be, a sentence. */
export const madeBy = (): string =>
  `Made by \`npm run images\` on ${new Date().toISOString().slice(0, 10)}, Linux ${release()}, ${system()}.`;

function system(): string {
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
}

/** Of a root: what it takes on the disk, and its C library. */
export function imageFacts(root: string): Pick<ImageResult, 'megabytes' | 'libc'> {
  const megabytes = Number(execFileSync('du', ['-sm', root], { encoding: 'utf8' }).split('\t')[0]);
  return { megabytes, libc: libcOf(root) };
}

function libcOf(root: string): string {
  for (const machine of ['x86_64', 'aarch64']) {
    if (existsSync(join(root, `lib/ld-musl-${machine}.so.1`))) return 'musl';
    const file = join(root, `lib/${machine}-linux-gnu/libc.so.6`);
    if (existsSync(file)) return `glibc ${/release version (\d+\.\d+)/.exec(readFileSync(file, 'latin1'))?.[1] ?? ''}`;
  }
  return 'none';
}
