import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const here = import.meta.dirname;

/** Folder of the runner's sources. */
export const runnerSources = resolve(here, '../../../supervisor/inroot');

export interface CompileOptions {
  /** Sources of the runner to link in. */
  parts?: readonly string[];
  /** For another machine than this one: statically linked, so that an emulator needs no libraries of it. */
  machine?: 'aarch64';
}

/** Compiles one of this folder's C programs to `directory`; returns its path. */
export function compile(program: string, directory: string, { parts = [], machine }: CompileOptions = {}): string {
  const output = join(directory, program);
  const sources = [join(here, `${program}.c`), ...parts.map((part) => join(runnerSources, part))];
  const flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', ...(machine ? ['-static'] : [])];
  flags.push(`-I${runnerSources}`, `-I${join(runnerSources, 'arch', machine ?? 'x86_64')}`);
  execFileSync(machine ? `${machine}-linux-gnu-gcc` : 'gcc', [...flags, '-o', output, ...sources]);
  return output;
}
