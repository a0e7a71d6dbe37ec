import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const here = import.meta.dirname;

/** Folder of the runner's sources. */
export const runnerSources = resolve(here, '../../../supervisor/inroot');

/**
 * Compiles one of this folder's C programs, with parts of the runner linked in, to `directory`; returns its path.
 *
 * @param options - further ones for gcc
 */
export function compile(
  program: string,
  directory: string,
  runnerParts: readonly string[] = [],
  options: readonly string[] = [],
): string {
  const output = join(directory, program);
  const parts = runnerParts.map((part) => join(runnerSources, part));
  const flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror'];
  flags.push(`-I${runnerSources}`, `-I${join(runnerSources, 'arch/x86_64')}`, ...options);
  execFileSync('gcc', [...flags, '-o', output, join(here, `${program}.c`), ...parts]);
  return output;
}
