import { ScarError } from '../../errors.js';
import { corrupt, display, type TarEntry } from '../tar/header.js';
import type { TarSink } from '../tar/reader.js';
import type { FileTree, OpenFile } from './file-tree.js';
import { cleanName, joinPath, splitPath, unsafe } from './names.js';
import { ScopedPaths } from './scoped-paths.js';
import type { Caps } from './space.js';
import { parseWhiteout } from './whiteout.js';

export interface RootfsWriterOptions {
  /** New and empty. */
  tree: FileTree;
  budget: Caps;
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
  readonly #tree: FileTree;
  readonly #budget: Caps;
  readonly #paths: ScopedPaths;
  /** What the present layer wrote, which its whiteouts do not hide; undefined in the lowest, which has nothing below. */
  #own: Set<string> | undefined;
  /** Set at the end, because every file that is written into a folder changes it. */
  readonly #folderTimes = new Map<string, number>();
  /** Entries that were left out: hard links to them are left out too. */
  readonly #leftOut = new Set<string>();
  #file: OpenFile | undefined;
  files = 0;

  constructor({ tree, budget }: RootfsWriterOptions) {
    this.#tree = tree;
    this.#budget = budget;
    this.#paths = new ScopedPaths(tree, (folder) => {
      budget.addEntry();
      this.#own?.add(folder);
    });
  }

  /** @param lowest - whether no layer was applied before */
  startLayer(lowest: boolean): void {
    this.#own = lowest ? undefined : new Set();
  }

  entry(entry: TarEntry): void {
    this.#budget.addEntry();
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
      this.#write(entry, path);
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
      // Asked again, folder by folder, so that no time is set through a link, whatever came in between.
      if (this.#paths.existingFolder(folder) === folder) this.#tree.setFolderTime(folder, mtime);
    }
  }

  /** Gives back what is open, whatever happened. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #write(entry: TarEntry, path: string): void {
    if (entry.type === 'file') {
      this.#writeFile(entry, path);
    } else if (entry.type === 'directory') {
      this.#writeFolder(entry, path);
    } else if (entry.type === 'symlink') {
      this.#writeSymlink(entry.linkName, entry.mtime, path);
    } else if (entry.type === 'link') {
      this.#writeLink(entry, path);
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
    this.#budget.addBytes(entry.size, path);
    const mode = (entry.mode & 0o777) | 0o600;
    this.#file = this.#replacing(path, () => this.#tree.makeFile(path, entry, mode));
    this.files++;
  }

  #writeFolder(entry: TarEntry, path: string): void {
    if (this.#paths.kind(path) !== 'folder') {
      this.#replacing(path, () => this.#tree.makeFolder(path, 0o700));
      this.#paths.add(path);
    }
    this.#setFolder(path, entry);
  }

  #setFolder(path: string, entry: TarEntry): void {
    // setgid would be inherited by what is written into it; the sticky bit is kept (`/tmp`).
    this.#tree.setFolderMode(path, (entry.mode & 0o1777) | 0o700);
    this.#folderTimes.set(path, entry.mtime);
  }

  #writeSymlink(target: string, mtime: number, path: string): void {
    if (target === '') throw corrupt(`the symbolic link ${display(path)} has no target`);
    if (target.includes('\0')) throw unsafe(`The symbolic link ${display(path)} has a NUL in its target`);
    this.#replacing(path, () => this.#tree.makeSymlink(path, target, mtime));
  }

  #writeLink(entry: TarEntry, path: string): void {
    const name = cleanName(entry.linkName, 'The target of a hard link');
    const { folder, base } = splitPath(name);
    const real = name === '' ? undefined : this.#paths.existingFolder(folder);
    const target = real === undefined ? undefined : joinPath(real, base);
    const kind = target === undefined ? undefined : this.#paths.kind(target);
    if (target !== undefined && this.#leftOut.has(target)) {
      this.#leaveOut(path);
    } else if (target === undefined || kind === undefined || kind === 'folder') {
      throw corrupt(`${display(path)} is a hard link to ${display(entry.linkName)}, which is no file of the image`);
    } else if (target.startsWith(`${path}/`)) {
      throw corrupt(
        `${display(path)} is a hard link to ${display(entry.linkName)}, which goes when the link takes its folder's place`,
      );
    } else if (kind === 'link' && target !== path) {
      // A link means something else in another folder, so a second name for it is a link of its own.
      this.#writeSymlink(this.#tree.readLink(target), entry.mtime, path);
    } else if (target !== path) {
      this.#replacing(path, () => this.#tree.makeLink(path, target));
    }
  }

  #leaveOut(path: string): void {
    this.#remove(path);
    this.#leftOut.add(path);
  }

  /** Makes something new in place of what is there, if anything is: a later entry wins, whatever type it has. */
  #replacing<T>(path: string, make: () => T | undefined | false): T {
    let made = make();
    if (!made) {
      this.#remove(path);
      made = make();
    }
    if (!made) throw new ScarError('service', `${display(path)} of the rootfs came back while it was replaced`);
    return made;
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
    const names = name === undefined ? this.#tree.children(real) : [name];
    for (const child of names) this.#removeUnlessOwn(joinPath(real, child), own);
  }

  /** Removes a tree but for the present layer's part of it; true if that is nothing. */
  #removeUnlessOwn(path: string, own: ReadonlySet<string>): boolean {
    const kind = this.#paths.kind(path);
    if (kind !== 'folder') {
      if (own.has(path)) return false;
      if (kind !== undefined) this.#tree.removeFile(path);
      if (kind === 'link') this.#paths.forget();
      return true;
    }
    const emptied = this.#tree
      .children(path)
      .map((child) => this.#removeUnlessOwn(joinPath(path, child), own))
      .every(Boolean);
    if (!emptied || own.has(path)) return false;
    this.#tree.removeFolder(path);
    this.#folderTimes.delete(path);
    this.#paths.forget();
    return true;
  }

  /** Removes whatever is under a path, with all that is below it. */
  #remove(path: string): void {
    this.#removeUnlessOwn(path, nothing);
  }
}

const nothing: ReadonlySet<string> = new Set();
