import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What a file is, as far as an unprivileged user can make it; names are byte strings. */
export type TreeEntry =
  | { type: 'folder'; mode: number; mtime: number }
  | { type: 'file'; mode: number; mtime: number; bytes: number; digest: string; twin: string }
  | { type: 'link'; target: string; mtime: number }
  | { type: 'other' };

/**
 * Everything below a folder, by path. `twin` is the first of the names that a file has, so that hard links can be
 * compared without inode numbers.
 */
export function readTree(root: string): Map<string, TreeEntry> {
  const entries = new Map<string, TreeEntry>();
  const twins = new Map<string, string>();
  const native = (path: string): Buffer => Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')]);
  const visit = (folder: string): void => {
    for (const name of readdirSync(native(folder), { encoding: 'latin1' }).sort()) {
      const path = folder === '' ? name : `${folder}/${name}`;
      const stats = lstatSync(native(path));
      const mode = stats.mode & 0o7777;
      const mtime = Math.floor(stats.mtimeMs / 1000);
      if (stats.isDirectory()) {
        entries.set(path, { type: 'folder', mode, mtime });
        visit(path);
      } else if (stats.isSymbolicLink()) {
        entries.set(path, { type: 'link', target: readlinkSync(native(path), { encoding: 'latin1' }), mtime });
      } else if (stats.isFile()) {
        const twin = twins.get(`${stats.ino}`) ?? path;
        twins.set(`${stats.ino}`, twin);
        const digest = createHash('sha256')
          .update(readFileSync(native(path)))
          .digest('hex');
        entries.set(path, { type: 'file', mode, mtime, bytes: stats.size, digest, twin });
      } else {
        entries.set(path, { type: 'other' });
      }
    }
  };
  visit('');
  return entries;
}
