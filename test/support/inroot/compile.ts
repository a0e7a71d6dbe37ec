import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const here = import.meta.dirname;

/** Folder of the runner's sources. */
export const runnerSources = resolve(here, '../../../supervisor/inroot');

/** Compiles one of this folder's C programs (its parts are named after it), with parts of the runner linked in, to `directory`; returns its path. */
export function compile(
  program: string,
  directory: string,
  runnerParts: readonly string[] = [],
  moreFlags: readonly string[] = [],
): string {
  const output = join(directory, program);
  const own = readdirSync(here).filter((name) => name.startsWith(program) && name.endsWith('.c'));
  const sources = [...own.map((name) => join(here, name)), ...runnerParts.map((part) => join(runnerSources, part))];
  const flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', ...moreFlags];
  execFileSync('gcc', [...flags, '-o', output, ...sources]);
  return output;
}
