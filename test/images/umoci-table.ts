import { run } from '../support/registry.js';
import type { Differences } from '../support/umoci/comparison.js';
import { rules } from '../support/umoci/rules.js';
import { columns, count, madeBy } from './table.js';

export interface ComparedResult extends Differences {
  name: string;
  content: string;
  layers: number;
  /** Of file content, in all layers. */
  bytes: number;
}

/** The document; `npx biome format` may change its columns, but not what it says. */
export function umociTable(results: readonly ComparedResult[]): string {
  const files = results.reduce((total, result) => total + result.files, 0);
  const unexplained = results.reduce((total, result) => total + result.unexplained.length, 0);
  return `# File by file what umoci unpacks

${madeBy()} \`npm run images -- umoci\` makes only this document. umoci is Debian's, ${run('umoci', ['--version']).trim()}, run as root.

**${results.length} images, ${count(files)} files: ${count(unexplained)} differ from what \`umoci unpack --rootless\` makes of the same
layout, other than by the rules below.**

Compared are the names in byte strings, the root itself included, and of each: type, mode, owner, time of change in nanoseconds,
the names of extended attributes, which names are hard links to the same file, a link's target, a file's size, its SHA-256, and whether it has holes.
We unpack with \`verbatimLinks\`. A file counts for each rule that it needs. The images that no distribution makes are compared
by \`npm test\`, too, where the numbers of each rule have to be the same (\`test/integration/oci/umoci.test.ts\`).

${columns(['image', 'what is in it', 'layers', 'files', 'MB', 'differences by rule', 'unexplained'], results.map(rowOf))}
## The rules

A difference that none of them explains makes the run fail.

${columns(
  ['rule', 'files', 'why'],
  rules.map((rule) => [rule.name, count(total(results, rule.name)), rule.reason]),
)}
Not compared, as umoci cannot unpack them: sparse files in GNU's old format, which \`test/integration/oci/gnu-tar.test.ts\` compares with what
GNU tar was given; layers in zstd, which it is given in gzip; a hard link to its own name; an entry below what is a file.
${problems(results)}`;
}

const rowOf = ({ name, content, layers, files, bytes, explained, unexplained }: ComparedResult): string[] => [
  name,
  content,
  ...[layers, files, Math.round(bytes / 1e6)].map(count),
  rules.flatMap((rule) => (explained[rule.name] ? `${rule.name} ${count(explained[rule.name] ?? 0)}` : [])).join(', '),
  count(unexplained.length),
];

const total = (results: readonly ComparedResult[], rule: string): number =>
  results.reduce((sum, { explained }) => sum + (explained[rule] ?? 0), 0);

function problems(results: readonly ComparedResult[]): string {
  const lines = results.flatMap(({ name, unexplained }) => unexplained.map((line) => `- ${name}: \`${line}\`\n`));
  return lines.length === 0 ? '' : `\n## Unexplained\n\n${lines.join('')}`;
}
