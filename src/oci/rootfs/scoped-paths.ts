import { display } from '../tar/header.js';
import type { FileTree, NodeKind } from './file-tree.js';
import { joinPath, MAX_LINKS, splitPath, unsafe } from './names.js';

/**
 * Finds the real place of a path inside a root file system that nobody else changes: every link on the way is resolved
 * here, below the root, so that the kernel never meets one. What is known to be a real folder is remembered, because
 * an archive names the same folders thousands of times.
 *
 * Paths are byte strings (one character per byte) relative to the root, `''` being the root.
 */
export class ScopedPaths {
  readonly #tree: FileTree;
  readonly #onCreate: (folder: string) => void;
  /** Real folders. */
  readonly #folders = new Set<string>(['']);
  /** Folders as written, possibly through links, and where they really are. */
  readonly #resolved = new Map<string, string>([['', '']]);

  /** @param onCreate - called before a folder is made that no entry named */
  constructor(tree: FileTree, onCreate: (folder: string) => void) {
    this.#tree = tree;
    this.#onCreate = onCreate;
  }

  /** The real folder that a path means. Folders that are missing are made, and what is no folder is `undefined`. */
  folder(path: string): string | undefined {
    return this.#find(path, true);
  }

  /** The same without making any: `undefined` also where nothing is. */
  existingFolder(path: string): string | undefined {
    return this.#find(path, false);
  }

  /** Whether something is there, and what, without following it. Its folder must be real. */
  kind(path: string): NodeKind | undefined {
    if (this.#folders.has(path)) return 'folder';
    const kind = this.#tree.kind(path);
    if (kind === 'folder') this.#folders.add(path);
    return kind;
  }

  /** Says that a real folder was made. */
  add(folder: string): void {
    this.#folders.add(folder);
  }

  /** To be called whenever a folder or a link is removed. */
  forget(): void {
    this.#folders.clear();
    this.#folders.add('');
    this.#resolved.clear();
    this.#resolved.set('', '');
  }

  #find(path: string, create: boolean): string | undefined {
    const known = this.#resolved.get(path);
    if (known !== undefined) return known;
    const real = this.#walk(path, create);
    if (real !== undefined) this.#resolved.set(path, real);
    return real;
  }

  #walk(path: string, create: boolean): string | undefined {
    // The last component comes last: what a link means is put on top.
    const todo = path.split('/').reverse();
    let links = 0;
    let real = '';
    for (let component = todo.pop(); component !== undefined; component = todo.pop()) {
      if (component === '' || component === '.') continue;
      if (component === '..') {
        real = splitPath(real).folder;
        continue;
      }
      const next = joinPath(real, component);
      const kind = this.kind(next);
      if (kind === 'folder') {
        real = next;
      } else if (kind === 'link') {
        if (++links > MAX_LINKS) throw unsafe(`${display(path)} leads through more than ${MAX_LINKS} symbolic links`);
        const target = this.#tree.readLink(next);
        if (target.startsWith('/')) real = '';
        todo.push(...target.split('/').reverse());
      } else if (kind === undefined && create) {
        this.#onCreate(next);
        this.#tree.makeFolder(next, 0o755);
        this.#folders.add(next);
        real = next;
      } else {
        return undefined;
      }
    }
    return real;
  }
}
