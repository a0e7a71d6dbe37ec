import {
  chmodSync,
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import type { TarEntry } from '../tar/header.js';
import type { FileTree, NodeKind, OpenFile } from './file-tree.js';
import type { LinkForm } from './link-target.js';
import { splitPath } from './names.js';
import { FileOnDisk, setLinkTime } from './open-file.js';
import type { SpaceBudget } from './space.js';

/** Exclusive: never opens what is there, be it a file with other names or a link to somewhere. */
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export interface DiskTreeOptions {
  /** A new folder that belongs to the tree alone. */
  root: string;
  /** The process's umask, which the modes of new files lose. */
  umask: number;
  /** How symbolic links are written. */
  links: LinkForm;
  budget: SpaceBudget;
}

/** Files below a folder of this machine. Synchronous: a promise per system call costs more than the call. */
export class DiskTree implements FileTree {
  readonly #options: DiskTreeOptions;
  readonly #root: string;

  constructor(options: DiskTreeOptions) {
    this.#options = options;
    this.#root = Buffer.from(options.root).toString('latin1');
  }

  kind(path: string): NodeKind | undefined {
    const stats = lstatSync(this.#native(path), { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if (stats.isDirectory()) return 'folder';
    return stats.isSymbolicLink() ? 'link' : 'other';
  }

  readLink(path: string): string {
    return this.#options.links.original(readlinkSync(this.#native(path), { encoding: 'latin1' }));
  }

  children(folder: string): string[] {
    return readdirSync(this.#native(folder), { encoding: 'latin1' });
  }

  makeFolder(path: string, mode: number): boolean {
    return unlessThere(() => mkdirSync(this.#native(path), mode));
  }

  setFolderMode(path: string, mode: number): void {
    chmodSync(this.#native(path), mode);
  }

  setFolderTime(path: string, mtime: number): void {
    setLinkTime(this.#native(path), mtime);
  }

  makeFile(path: string, entry: TarEntry, mode: number): OpenFile | undefined {
    let fd = -1;
    const made = unlessThere(() => {
      fd = openSync(this.#native(path), NEW_FILE, mode);
    });
    if (!made) return undefined;
    return new FileOnDisk(fd, entry, (mode & this.#options.umask) === 0 ? undefined : mode);
  }

  makeSymlink(path: string, target: string, mtime: number): boolean {
    const stored = Buffer.from(this.#options.links.stored(target, splitPath(path).folder), 'latin1');
    const made = unlessThere(() => symlinkSync(stored, this.#native(path)));
    if (made) setLinkTime(this.#native(path), mtime);
    return made;
  }

  makeLink(path: string, target: string): boolean {
    return unlessThere(() => {
      try {
        linkSync(this.#native(target), this.#native(path));
      } catch (error) {
        // Not every file system has hard links, some kernels refuse them, and a file may have only so many.
        if (!['EPERM', 'EMLINK', 'EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(codeOf(error))) throw error;
        this.#options.budget.addBytes(lstatSync(this.#native(target)).size, path);
        copyFileSync(this.#native(target), this.#native(path), constants.COPYFILE_EXCL);
      }
    });
  }

  removeFile(path: string): void {
    unlinkSync(this.#native(path));
  }

  removeFolder(path: string): void {
    rmdirSync(this.#native(path));
  }

  /** The path for the file system's functions: text if it is ASCII, else its bytes. */
  #native(path: string): string | Buffer {
    const whole = path === '' ? this.#root : `${this.#root}/${path}`;
    return isAscii(whole) ? whole : Buffer.from(whole, 'latin1');
  }
}

/** Asking first would cost a call for each of thousands of names that are nearly all free. */
function unlessThere(make: () => unknown): boolean {
  try {
    make();
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function isAscii(path: string): boolean {
  return !/[\x80-\xff]/.test(path);
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? '';
}
