import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const here = import.meta.dirname;

/** Folder of the runner's sources. */
export const runnerSources = resolve(here, '../../../supervisor/inroot');

export interface CompileOptions {
  /** Sources of the runner to link in. */
  parts?: readonly string[];
  /** Further options for gcc. */
  flags?: readonly string[];
  /** For another machine than this one: statically linked, so that an emulator needs no libraries of it. */
  machine?: 'aarch64';
}

/** Compiles one of this folder's C programs (its parts are named after it) to `directory`; returns its path. */
export function compile(program: string, directory: string, options: CompileOptions = {}): string {
  const { parts = [], flags = [], machine } = options;
  const output = join(directory, program);
  const own = readdirSync(here).filter((name) => name.startsWith(program) && name.endsWith('.c'));
  const sources = [...own.map((name) => join(here, name)), ...parts.map((part) => join(runnerSources, part))];
  const includes = [runnerSources, join(runnerSources, 'arch', machine ?? 'x86_64')].flatMap((path) => [
    '-iquote',
    path,
  ]);
  const all = [
    '-std=gnu11',
    '-O2',
    '-Wall',
    '-Wextra',
    '-Werror',
    ...(machine ? ['-static'] : []),
    ...flags,
    ...includes,
  ];
  execFileSync(machine ? `${machine}-linux-gnu-gcc` : 'gcc', [...all, '-o', output, ...sources]);
  return output;
}
