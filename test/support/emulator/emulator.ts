import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { isInstalled } from '../installed.js';

const script = join(import.meta.dirname, 'emulate.sh');

/** The folder in which QEMU, as Debian builds it, looks for each absolute path before it is passed on (`qemu-aarch64-static -h`, -L). */
export const emulatorPrefix = '/etc/qemu-binfmt/aarch64';

/** Command and arguments that run a program, and all that it starts, where programs for arm64 can be executed. */
export function emulated(command: readonly string[]): [string, ...string[]] {
  return ['sh', script, ...command];
}

/** Why programs for arm64 cannot be run here, in one line; undefined when they can. */
export const emulatorMissing: string | undefined =
  process.getuid?.() !== 0
    ? 'the emulator needs root'
    : !isInstalled('qemu-aarch64-static')
      ? 'the emulator needs the Debian package qemu-user-static'
      : spawnSync('sh', [script, 'true']).status === 0
        ? undefined
        : 'the emulator needs binfmt_misc in a user namespace (Linux 6.7)';
