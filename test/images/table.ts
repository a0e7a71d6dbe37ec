import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { type ImageName, imageContent } from './images.js';
import type { PathCheck } from './leaks.js';
import { checkedBy, type Row } from './rows.js';

export interface RowResult extends PathCheck {
  row: Row;
  /** In the jail, and again under strace. */
  passed: boolean;
}

/** What the runner makes of the code of an image's files, as far as they are in no image before it. */
export interface CodeResult {
  image: ImageName;
  libc: string;
  megabytes: number;
  files: number;
  instructions: number;
  candidates: number;
  redirected: number;
  otherLengths: number;
  wrong: string[];
  missed: string[];
}

/** The document; `npx biome format` may change its columns, but not what it says. */
export function table(rows: readonly RowResult[], code: readonly CodeResult[]): string {
  const passed = rows.filter((row) => row.passed).length;
  return `# Images that run

Made by \`npm run images\` on ${new Date().toISOString().slice(0, 10)}, Linux ${release()}, ${system()}. It takes an hour or so, and is no part of \`npm test\`.

Each row is a program of an image, started by \`inroot\` as the user that Lambda runs functions as. It runs twice: in the jail with Lambda's
restrictions (\`test/support/jail\`), where it must find everything that it checks as it should be; and outside of it under strace, where every path
that reaches the kernel, of the program's and of the runner's, must lie in the root, its binds, /proc, /dev or /sys once links have been followed.
\`test/images/programs\` has the programs. What wants to be root (installing packages, su) is not among them.

**${passed} of ${rows.length} rows pass; ${count(sum(rows.map(({ paths }) => paths)))} paths, ${count(sum(rows.map(({ outside }) => outside.length)))} of them outside.**

${columns(['program', 'image', 'runs', 'paths', 'outside', 'checked'], rows.map(rowOf))}
## The images

From Debian's packages, unpacked as a function unpacks them.

${columns(['image', 'made of', 'libc', 'MB'], code.map(imageOf))}
## Their code

Every executable and library, against objdump's reading of those that have a candidate: two bytes that may be a system call. Of the candidates the
runner redirects some; "wrong" are those that are none, or that cannot be redirected as it would; "missed" are system calls that it leaves alone
without knowing that it may. "Other length" counts instructions that its decoder takes for longer or shorter; it is only asked around candidates, and
tables of numbers in code are among them. A file that is in an image above is not counted again.

${columns(['image', 'files', 'instructions', 'other length', 'candidates', 'redirected', 'wrong', 'missed'], code.map(codeOf))}${problems(code)}`;
}

/** The wrong and the missed ones, by file. */
function problems(code: readonly CodeResult[]): string {
  const lines = code.flatMap(({ image, wrong, missed }) => [
    ...wrong.map((problem) => `- ${image}, wrong: \`${problem}\`\n`),
    ...missed.map((problem) => `- ${image}, missed: \`${problem}\`\n`),
  ]);
  return lines.length === 0 ? '' : `\n${lines.join('')}`;
}

const imageOf = ({ image, libc, megabytes }: CodeResult) => [image, imageContent(image), libc, count(megabytes)];

function rowOf({ row, passed, paths, outside }: RowResult): string[] {
  return [row.name, row.image, passed ? 'yes' : '**no**', count(paths), count(outside.length), checkedBy(row.program)];
}

function codeOf({ image, files, instructions, otherLengths, candidates, redirected, wrong, missed }: CodeResult) {
  return [
    image,
    ...[files, instructions, otherLengths, candidates, redirected, wrong.length, missed.length].map(count),
  ];
}

function columns(head: readonly string[], body: readonly string[][]): string {
  const lines = [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |\n`);
  return lines.join('');
}

const count = (value: number) => value.toLocaleString('en-US');

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

function system(): string {
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
}

/** Of a root: what it takes on the disk, and its C library. */
export function rootFacts(root: string): Pick<CodeResult, 'megabytes' | 'libc'> {
  const megabytes = Number(execFileSync('du', ['-sm', root], { encoding: 'utf8' }).split('\t')[0]);
  return { megabytes, libc: libcOf(root) };
}

function libcOf(root: string): string {
  if (existsSync(join(root, 'lib/ld-musl-x86_64.so.1'))) return 'musl';
  const file = join(root, 'lib/x86_64-linux-gnu/libc.so.6');
  if (!existsSync(file)) return 'none';
  return `glibc ${/release version (\d+\.\d+)/.exec(readFileSync(file, 'latin1'))?.[1] ?? ''}`;
}
