import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isInstalled } from '../installed.js';

const source = join(import.meta.dirname, 'jail.c');
const cache = resolve(import.meta.dirname, '../../../.cache/jail');

/** Why the jail cannot be had here, in one line; undefined when it can. */
export const jailMissing: string | undefined =
  process.getuid?.() !== 0
    ? 'the jail needs root'
    : isInstalled('gcc') && existsSync('/usr/include/seccomp.h')
      ? undefined
      : 'the jail needs the Debian packages gcc and libseccomp-dev';

/** The user and group that the jail, like Lambda, runs programs as: what they write to must be theirs. */
export const JAIL_USER = { uid: 993, gid: 990 } as const;

export interface JailOptions {
  /** Host folder that is /tmp inside. */
  tmp: string;
  /** Host folders that appear as `/tmp/NAME`. */
  mounts?: { source: string; name: string }[];
}

/** Command and arguments that run a program under Lambda's restrictions; see jail.c. */
export function jailed(options: JailOptions, command: readonly string[]): [string, ...string[]] {
  const mounts = (options.mounts ?? []).flatMap(({ source, name }) => ['--mount', source, name]);
  return [jailProgram(), '--tmp', options.tmp, ...mounts, '--', ...command];
}

/** The built jail; built when its source changed. */
export function jailProgram(): string {
  const key = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
  const program = join(cache, `jail-${key}`);
  if (existsSync(program)) return program;
  mkdirSync(cache, { recursive: true });
  const partial = `${program}.${process.pid}`;
  execFileSync('gcc', ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-o', partial, source, '-lseccomp']);
  renameSync(partial, program);
  return program;
}
