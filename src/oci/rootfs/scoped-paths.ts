import { lstatSync, mkdirSync, readlinkSync } from 'node:fs';
import { display } from '../tar/header.js';
import type { LinkForm } from './link-target.js';
import { joinPath, MAX_LINKS, splitPath, unsafe } from './names.js';

/**
 * Finds the real place of a path inside a root file system that nobody else changes: every link on the way is resolved
 * here, below the root, so that the kernel never meets one. What is known to be a real folder is remembered, because
 * an archive names the same folders thousands of times.
 *
 * Paths are byte strings (one character per byte) relative to the root, `''` being the root.
 */
export class ScopedPaths {
  readonly #root: string;
  readonly #links: LinkForm;
  readonly #onCreate: (folder: string) => void;
  /** Real folders. */
  readonly #folders = new Set<string>(['']);
  /** Folders as written, possibly through links, and where they really are. */
  readonly #resolved = new Map<string, string>([['', '']]);

  /** @param onCreate - called before a folder is made that no entry named */
  constructor(root: string, links: LinkForm, onCreate: (folder: string) => void) {
    this.#root = Buffer.from(root).toString('latin1');
    this.#links = links;
    this.#onCreate = onCreate;
  }

  /** The path for the file system's functions: text if it is ASCII, else its bytes. */
  native(path: string): string | Buffer {
    const whole = path === '' ? this.#root : `${this.#root}/${path}`;
    return isAscii(whole) ? whole : Buffer.from(whole, 'latin1');
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
  kind(path: string): 'folder' | 'link' | 'other' | undefined {
    if (this.#folders.has(path)) return 'folder';
    const stats = lstatSync(this.native(path), { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if (stats.isDirectory()) {
      this.#folders.add(path);
      return 'folder';
    }
    return stats.isSymbolicLink() ? 'link' : 'other';
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

  /** What the image says that the link leads to. */
  readLink(path: string): string {
    return this.#links.original(readlinkSync(this.native(path), { encoding: 'latin1' }));
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
        const target = this.readLink(next);
        if (target.startsWith('/')) real = '';
        todo.push(...target.split('/').reverse());
      } else if (kind === undefined && create) {
        this.#onCreate(next);
        mkdirSync(this.native(next), 0o755);
        this.#folders.add(next);
        real = next;
      } else {
        return undefined;
      }
    }
    return real;
  }
}

function isAscii(path: string): boolean {
  return !/[\x80-\xff]/.test(path);
}
