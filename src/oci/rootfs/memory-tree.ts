import { UnsupportedImageError } from '../../errors.js';
import { display, type SparseMap, type TarEntry } from '../tar/header.js';
import type { FileTree, NodeKind, OpenFile } from './file-tree.js';
import { joinPath, splitPath } from './names.js';
import { sensibleTime } from './open-file.js';

/** A file of a {@link MemoryTree}: all of it but its content. */
export interface FileNode {
  type: 'file';
  mode: number;
  mtime: number;
  /** Bytes that are stored, without the holes. */
  size: number;
  sparse: SparseMap | undefined;
  /** Which entry of the image's layers has its content. */
  entry: number;
}

export interface LinkNode {
  type: 'link';
  target: string;
  mtime: number;
}

export interface FolderNode {
  type: 'folder';
  mode: number;
  mtime: number;
  children: Map<string, TreeNode>;
}

export type TreeNode = FileNode | LinkNode | FolderNode;

/** What layers come to, without the files' contents. */
export class MemoryTree implements FileTree {
  readonly root: FolderNode = { type: 'folder', mode: 0o755, mtime: 0, children: new Map() };
  /** The number of the entry that is applied now, counted through all layers. */
  entry = 0;

  kind(path: string): NodeKind | undefined {
    const node = this.find(path);
    return node?.type === 'file' ? 'other' : node?.type;
  }

  /** What stands at a path, without following it. */
  find(path: string): TreeNode | undefined {
    let node: TreeNode | undefined = this.root;
    if (path === '') return node;
    for (const name of path.split('/')) {
      if (node?.type !== 'folder') return undefined;
      node = node.children.get(name);
    }
    return node;
  }

  readLink(path: string): string {
    return (this.find(path) as LinkNode).target;
  }

  children(folder: string): string[] {
    return [...this.#folder(folder).children.keys()];
  }

  makeFolder(path: string, mode: number): boolean {
    return this.#add(path, { type: 'folder', mode, mtime: 0, children: new Map() });
  }

  setFolderMode(path: string, mode: number): void {
    this.#folder(path).mode = mode;
  }

  setFolderTime(path: string, mtime: number): void {
    this.#folder(path).mtime = sensibleTime(mtime);
  }

  makeFile(path: string, { size, sparse, mtime }: TarEntry, mode: number): OpenFile | undefined {
    const node: FileNode = { type: 'file', mode, mtime: sensibleTime(mtime), size, sparse, entry: this.entry };
    return this.#add(path, node) ? withoutContent : undefined;
  }

  makeSymlink(path: string, target: string, mtime: number): boolean {
    if (target.length > PATH_MAX) throw tooLong(target);
    return this.#add(path, { type: 'link', target, mtime: sensibleTime(mtime) });
  }

  makeLink(path: string, target: string): boolean {
    const node = this.find(target);
    return node !== undefined && this.#add(path, node);
  }

  removeFile(path: string): void {
    this.#remove(path);
  }

  removeFolder(path: string): void {
    this.#remove(path);
  }

  /** Every path but the root's, a folder before what is in it, names in the order of their bytes. */
  *walk(folder = '', { children }: FolderNode = this.root): Generator<[path: string, node: TreeNode]> {
    for (const [name, node] of [...children].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const path = joinPath(folder, name);
      yield [path, node];
      if (node.type === 'folder') yield* this.walk(path, node);
    }
  }

  #add(path: string, node: TreeNode): boolean {
    const { folder, base } = splitPath(path);
    // What Linux would say later, where the image runs.
    if (base.length > NAME_MAX || path.length > PATH_MAX) throw tooLong(path);
    const { children } = this.#folder(folder);
    if (children.has(base)) return false;
    children.set(base, node);
    return true;
  }

  #remove(path: string): void {
    const { folder, base } = splitPath(path);
    this.#folder(folder).children.delete(base);
  }

  #folder(path: string): FolderNode {
    return this.find(path) as FolderNode;
  }
}

/** https://man7.org/linux/man-pages/man3/realpath.3.html; the path of the root itself comes before each. */
const NAME_MAX = 255;
const PATH_MAX = 4096 - 128;

function tooLong(path: string): UnsupportedImageError {
  return new UnsupportedImageError(
    `${display(path)} has a name of more than ${NAME_MAX} bytes or a path of more than ${PATH_MAX}, which Linux refuses (ENAMETOOLONG)`,
  );
}

const withoutContent: OpenFile = { write: () => {}, finish: () => {}, close: () => {} };
