import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why no file system can be mounted here, in one line; undefined when one can. */
export const mountMissing = canMount() ? undefined : 'needs root, to mount a small file system';

/** A file system of a given size in memory, with its end. */
export function mountTmpfs(mebibytes: number): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'scar-tmpfs-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=1777`, 'scar-test', path]);
  return {
    path,
    [Symbol.dispose]: () => {
      execFileSync('umount', ['--lazy', path]);
      rmdirSync(path);
    },
  };
}

function canMount(): boolean {
  try {
    const path = mkdtempSync(join(tmpdir(), 'scar-tmpfs-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', 'scar-test', path], { stdio: 'ignore' });
      execFileSync('umount', [path]);
      return true;
    } finally {
      rmdirSync(path);
    }
  } catch {
    return false;
  }
}
