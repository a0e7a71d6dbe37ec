import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repository } from '../../../scripts/lib/command.mjs';

const version = '3.8.0';
const folder = join(repository, `.cache/lithops-${version}`);
const python = join(folder, 'bin/python');

/** Whether Lithops is there, or could be brought in from PyPI, to .cache; says why if not. */
export function hasLithops() {
  try {
    if (existsSync(join(folder, 'bin/lithops'))) return true;
    execFileSync('python3', ['-m', 'venv', folder], { stdio: 'pipe' });
    execFileSync(python, ['-m', 'pip', 'install', '--quiet', `lithops==${version}`], { stdio: 'pipe' });
    return true;
  } catch (error) {
    console.log(`Without Lithops, which pip could not install: ${String(error).trim().split('\n').at(-1)}`);
    return false;
  }
}

/** Seconds of a map of so many `true` in a chroot. @param {string} root @param {number} tasks @param {number} workers */
export function lithopsSeconds(root, tasks, workers) {
  // Its storage and its settings, too, are below these.
  const home = mkdtempSync(join(tmpdir(), 'scar-bench-lithops-'));
  try {
    const program = join(import.meta.dirname, 'lithops_noop.py');
    const output = execFileSync(python, [program, root, String(tasks), String(workers)], {
      env: { ...process.env, HOME: home, TMPDIR: home },
      encoding: 'utf8',
    });
    return Number(output.trim().split('\n').at(-1));
  } finally {
    rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}
