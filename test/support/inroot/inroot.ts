import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const repository = resolve(import.meta.dirname, '../../..');

/** Folder of the built supervisor. */
export const supervisorFolder = join(repository, 'dist/supervisor');

/** The in-process runner as it ships, made anew if its sources changed. */
export function inroot(architecture: 'amd64' | 'arm64' = 'amd64'): string {
  const machine = { amd64: 'x86_64', arm64: 'aarch64' }[architecture];
  const runner = join(repository, 'supervisor/inroot');
  execFileSync('make', ['--no-print-directory', '-C', runner, `ARCH=${machine}`, `OUT=${supervisorFolder}`]);
  return join(supervisorFolder, `inroot-${architecture}`);
}
