import { createHash } from 'node:crypto';
import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

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
  const twins = new Map<bigint, string>();
  for (const { path, native, stats } of walkTree(root)) {
    const mode = Number(stats.mode) & 0o7777;
    const mtime = Number(stats.mtimeNs / 1_000_000_000n);
    if (stats.isDirectory()) {
      entries.set(path, { type: 'folder', mode, mtime });
    } else if (stats.isSymbolicLink()) {
      entries.set(path, { type: 'link', target: readlinkSync(native, { encoding: 'latin1' }), mtime });
    } else if (stats.isFile()) {
      const twin = twins.get(stats.ino) ?? path;
      twins.set(stats.ino, twin);
      entries.set(path, { type: 'file', mode, mtime, bytes: Number(stats.size), digest: digestOf(native), twin });
    } else {
      entries.set(path, { type: 'other' });
    }
  }
  return entries;
}

export interface WalkedFile {
  /** Below the root, as a byte string. */
  path: string;
  /** For the file system's functions. */
  native: Buffer;
  stats: BigIntStats;
}

/** Everything below a folder, each folder before what it holds, and that by name. */
export function* walkTree(root: string, folder = ''): Generator<WalkedFile> {
  for (const name of readdirSync(nativePath(root, folder), { encoding: 'latin1' }).sort()) {
    const path = folder === '' ? name : `${folder}/${name}`;
    const native = nativePath(root, path);
    const stats = lstatSync(native, { bigint: true });
    yield { path, native, stats };
    if (stats.isDirectory()) yield* walkTree(root, path);
  }
}

export function digestOf(file: Buffer): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

const nativePath = (root: string, path: string): Buffer =>
  Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')]);
