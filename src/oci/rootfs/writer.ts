import {
  chmodSync,
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { corrupt, display, type TarEntry } from '../tar/header.js';
import type { TarSink } from '../tar/reader.js';
import type { LinkForm } from './link-target.js';
import { cleanName, joinPath, splitPath, unsafe } from './names.js';
import { OpenFile, setLinkTime } from './open-file.js';
import { ScopedPaths } from './scoped-paths.js';
import type { SpaceBudget } from './space.js';
import { parseWhiteout } from './whiteout.js';

/** Exclusive: never opens what is there, be it a file with other names or a link to somewhere. */
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export interface RootfsWriterOptions {
  /** A new folder that belongs to the writer alone. */
  root: string;
  budget: SpaceBudget;
  /** The process's umask, which the modes of new files lose. */
  umask: number;
  /** How symbolic links are written. */
  links: LinkForm;
}

/**
 * Applies layers to a root file system as an unprivileged user, one entry after the other, and lets none of them touch
 * anything outside. It trusts no name, no link and no order of entries.
 *
 * File by file: owners, extended attributes, setuid and setgid are dropped, and the owner can always read and write, as
 * the one user that there is must be able to; devices, pipes and sockets become empty files (in `/dev`, nothing).
 *
 * Synchronous, because a promise per system call costs more than the call on a file system in memory or in the page cache.
 */
export class RootfsWriter implements TarSink {
  readonly #options: RootfsWriterOptions;
  readonly #paths: ScopedPaths;
  /** What the present layer wrote, which its whiteouts do not hide; undefined in the lowest, which has nothing below. */
  #own: Set<string> | undefined;
  /** Set at the end, because every file that is written into a folder changes it. */
  readonly #folderTimes = new Map<string, number>();
  /** Entries that were left out: hard links to them are left out too. */
  readonly #leftOut = new Set<string>();
  #file: OpenFile | undefined;
  files = 0;

  constructor(options: RootfsWriterOptions) {
    this.#options = options;
    this.#paths = new ScopedPaths(options.root, options.links, (folder) => {
      options.budget.addEntry();
      this.#own?.add(folder);
    });
  }

  /** @param lowest - whether no layer was applied before */
  startLayer(lowest: boolean): void {
    this.#own = lowest ? undefined : new Set();
  }

  entry(entry: TarEntry): void {
    this.#options.budget.addEntry();
    const name = cleanName(entry.name);
    const { folder, base } = splitPath(name);
    const whiteout = parseWhiteout(base, name);
    if (name === '') {
      if (entry.type !== 'directory') throw unsafe(`An entry of the layer replaces the root itself by a ${entry.type}`);
      this.#setFolder('', entry);
    } else if (whiteout) {
      if (entry.size > 0) throw corrupt(`the whiteout ${display(name)} has content`);
      if (whiteout.type !== 'ignored') this.#hideLower(folder, whiteout.type === 'name' ? whiteout.name : undefined);
    } else {
      const parent = this.#parent(folder, name);
      const path = joinPath(parent, base);
      this.#own?.add(path);
      this.#leftOut.delete(path);
      this.#write(entry, path, parent);
    }
  }

  content(chunk: Buffer): void {
    if (this.#file) this.#file.write(chunk);
  }

  entryEnd(): void {
    this.#file?.finish();
    this.#file?.close();
    this.#file = undefined;
  }

  /** Sets what could only be set when everything is there. */
  finish(): void {
    this.#paths.forget();
    for (const [folder, mtime] of this.#folderTimes) {
      // Asked again, folder by folder, because what was a folder once may be a link now.
      if (this.#paths.existingFolder(folder) === folder) setLinkTime(this.#paths.native(folder), mtime);
    }
  }

  /** Gives back what is open, whatever happened. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #write(entry: TarEntry, path: string, parent: string): void {
    if (entry.type === 'file') {
      this.#writeFile(entry, path);
    } else if (entry.type === 'directory') {
      this.#writeFolder(entry, path);
    } else if (entry.type === 'symlink') {
      this.#writeSymlink(entry.linkName, entry.mtime, path, parent);
    } else if (entry.type === 'link') {
      this.#writeLink(entry, path, parent);
    } else if (path.startsWith('dev/')) {
      // mknod(2) is refused to us. `/dev` is the host's when a container runs; elsewhere the name at least is there.
      this.#leaveOut(path);
    } else {
      this.#writeFile(entry, path);
    }
  }

  /** The real folder an entry goes into. What stands in its way, a file of an earlier entry, gives way to it. */
  #parent(folder: string, name: string): string {
    const real = this.#paths.folder(folder);
    if (real !== undefined) return real;
    const above = splitPath(folder);
    const blocking = joinPath(this.#parent(above.folder, name), above.base);
    const kind = this.#paths.kind(blocking);
    if (kind === 'link') throw corrupt(`the folder of ${display(name)} is a link to what is no folder`);
    if (kind === 'other') this.#remove(blocking);
    return this.#parent(folder, name);
  }

  #writeFile(entry: TarEntry, path: string): void {
    this.#options.budget.addBytes(entry.size, path);
    const mode = (entry.mode & 0o777) | 0o600;
    const fd = this.#replacing(path, () => openSync(this.#paths.native(path), NEW_FILE, mode));
    this.#file = new OpenFile(fd, entry, (mode & this.#options.umask) === 0 ? undefined : mode);
    this.files++;
  }

  #writeFolder(entry: TarEntry, path: string): void {
    if (this.#paths.kind(path) !== 'folder') {
      this.#replacing(path, () => mkdirSync(this.#paths.native(path), 0o700));
      this.#paths.add(path);
    }
    this.#setFolder(path, entry);
  }

  #setFolder(path: string, entry: TarEntry): void {
    // setgid would be inherited by what is written into it; the sticky bit is kept (`/tmp`).
    chmodSync(this.#paths.native(path), (entry.mode & 0o1777) | 0o700);
    this.#folderTimes.set(path, entry.mtime);
  }

  #writeSymlink(target: string, mtime: number, path: string, parent: string): void {
    if (target === '') throw corrupt(`the symbolic link ${display(path)} has no target`);
    if (target.includes('\0')) throw unsafe(`The symbolic link ${display(path)} has a NUL in its target`);
    const stored = Buffer.from(this.#options.links.stored(target, parent), 'latin1');
    this.#replacing(path, () => symlinkSync(stored, this.#paths.native(path)));
    setLinkTime(this.#paths.native(path), mtime);
  }

  #writeLink(entry: TarEntry, path: string, parent: string): void {
    const name = cleanName(entry.linkName, 'The target of a hard link');
    const { folder, base } = splitPath(name);
    const real = name === '' ? undefined : this.#paths.existingFolder(folder);
    const target = real === undefined ? undefined : joinPath(real, base);
    const kind = target === undefined ? undefined : this.#paths.kind(target);
    if (target !== undefined && this.#leftOut.has(target)) {
      this.#leaveOut(path);
    } else if (target === undefined || kind === undefined || kind === 'folder') {
      throw corrupt(`${display(path)} is a hard link to ${display(entry.linkName)}, which is no file of the image`);
    } else if (kind === 'link' && target !== path) {
      // A link means something else in another folder, so a second name for it is a link of its own.
      this.#writeSymlink(this.#paths.readLink(target), entry.mtime, path, parent);
    } else if (target !== path) {
      this.#replacing(path, () => this.#link(target, path));
    }
  }

  #leaveOut(path: string): void {
    this.#remove(path);
    this.#leftOut.add(path);
  }

  #link(target: string, path: string): void {
    try {
      linkSync(this.#paths.native(target), this.#paths.native(path));
    } catch (error) {
      // Not every file system has hard links, some kernels refuse them, and a file may have only so many.
      if (!['EPERM', 'EMLINK', 'EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(codeOf(error))) throw error;
      this.#options.budget.addBytes(lstatSync(this.#paths.native(target)).size, path);
      copyFileSync(this.#paths.native(target), this.#paths.native(path), constants.COPYFILE_EXCL);
    }
  }

  /** Makes something new in place of what is there, if anything is: a later entry wins, whatever type it has. */
  #replacing<T>(path: string, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      this.#remove(path);
      return make();
    }
  }

  /**
   * Hides what layers below have under a name, or everything they have in the folder
   * (https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts). What the present layer wrote stays,
   * whether it came before the whiteout or comes after it.
   */
  #hideLower(folder: string, name: string | undefined): void {
    const own = this.#own;
    const real = this.#paths.existingFolder(folder);
    if (own === undefined || real === undefined) return;
    const names = name === undefined ? this.#children(real) : [name];
    for (const child of names) this.#removeUnlessOwn(joinPath(real, child), own);
  }

  /** Removes a tree but for the present layer's part of it; true if that is nothing. */
  #removeUnlessOwn(path: string, own: ReadonlySet<string>): boolean {
    const kind = this.#paths.kind(path);
    if (kind !== 'folder') {
      if (own.has(path)) return false;
      if (kind !== undefined) unlinkSync(this.#paths.native(path));
      if (kind === 'link') this.#paths.forget();
      return true;
    }
    const emptied = this.#children(path)
      .map((child) => this.#removeUnlessOwn(joinPath(path, child), own))
      .every(Boolean);
    if (!emptied || own.has(path)) return false;
    rmdirSync(this.#paths.native(path));
    this.#paths.forget();
    return true;
  }

  /** Removes whatever is under a path, with all that is below it. */
  #remove(path: string): void {
    this.#removeUnlessOwn(path, nothing);
  }

  #children(folder: string): string[] {
    return readdirSync(this.#paths.native(folder), { encoding: 'latin1' });
  }
}

const nothing: ReadonlySet<string> = new Set();

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? '';
}
