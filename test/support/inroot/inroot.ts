import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const repository = resolve(import.meta.dirname, '../../..');

/** Folder of the built supervisor. */
export const supervisorFolder = join(repository, 'dist/supervisor');

/** The in-process runner as it ships, made anew if its sources changed. */
export function inroot(): string {
  execFileSync('make', [
    '--no-print-directory',
    '-C',
    join(repository, 'supervisor/inroot'),
    `OUT=${supervisorFolder}`,
  ]);
  return join(supervisorFolder, 'inroot-amd64');
}
