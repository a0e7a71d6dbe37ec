import { execFileSync } from 'node:child_process';
import { type BigIntStats, lstatSync, readlinkSync } from 'node:fs';
import { digestOf, walkTree } from '../tree.js';

/** All that an image says of a file and that a file system shows of it. */
export interface FileFacts {
  type: 'file' | 'folder' | 'link' | 'pipe' | 'socket' | 'device';
  /** Permissions, setuid, setgid and the sticky bit; 0 for links, which have none. */
  mode: number;
  /** User and group. */
  owner: string;
  mtimeNs: bigint;
  /** Names of its extended attributes. */
  attributes: readonly string[];
  /** The first of its names. */
  twin: string;
  /** Of links. */
  target?: string;
  /** Of files, as the following. */
  bytes?: number;
  digest?: string;
  /** Whether less is allocated than its size takes. */
  holes?: boolean;
}

/** The root and all below it, by path; paths are byte strings, and the root's is `.`. */
export function readFacts(root: string): Map<string, FileFacts> {
  const attributes = extendedAttributes(root);
  const facts = new Map<string, FileFacts>();
  const twins = new Map<bigint, string>();
  const files = [{ path: '.', native: Buffer.from(root), stats: lstatSync(root, { bigint: true }) }, ...walkTree(root)];
  for (const { path, native, stats } of files) {
    const twin = twins.get(stats.ino) ?? path;
    twins.set(stats.ino, twin);
    const type = typeOf(stats);
    facts.set(path, {
      type,
      mode: type === 'link' ? 0 : Number(stats.mode) & 0o7777,
      owner: `${stats.uid}:${stats.gid}`,
      mtimeNs: stats.mtimeNs,
      attributes: attributes.get(path) ?? [],
      twin,
      ...(type === 'link' && { target: readlinkSync(native, { encoding: 'latin1' }) }),
      ...(type === 'file' && { bytes: Number(stats.size), digest: digestOf(native), holes: hasHoles(stats) }),
    });
  }
  return facts;
}

function typeOf(stats: BigIntStats): FileFacts['type'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'folder';
  if (stats.isSymbolicLink()) return 'link';
  if (stats.isFIFO()) return 'pipe';
  return stats.isSocket() ? 'socket' : 'device';
}

/** By whole pages: what a file system needs for its own tables only adds to the blocks. */
const hasHoles = ({ blocks, size }: BigIntStats): boolean => blocks * 512n < size - (size % 4096n);

/** Node has no listxattr(2). A line for each file that has some: its path in hexadecimal digits, and their names. */
const LIST_ATTRIBUTES = `
import os, sys
root = os.fsencode(sys.argv[1])
for folder, folders, files in os.walk(root):
    for path in [folder] * (folder == root) + [os.path.join(folder, name) for name in folders + files]:
        names = os.listxattr(path, follow_symlinks=False)
        if names: print(os.path.relpath(path, root).hex(), *sorted(names))
`;

function extendedAttributes(root: string): Map<string, string[]> {
  const output = execFileSync('python3', ['-c', LIST_ATTRIBUTES, root], { encoding: 'utf8', maxBuffer: 64 << 20 });
  const lines = output.split('\n').filter((line) => line !== '');
  return new Map(
    lines.map((line) => {
      const [path = '', ...names] = line.split(' ');
      return [Buffer.from(path, 'hex').toString('latin1'), names];
    }),
  );
}
