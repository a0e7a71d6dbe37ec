import type { TarEntry } from '../tar/header.js';

/** What stands at a path, without following it. */
export type NodeKind = 'folder' | 'link' | 'other';

/** A file while its content passes. */
export interface OpenFile {
  write(chunk: Buffer): void;
  /** All of it has come. */
  finish(): void;
  /** Gives back what is open, whatever happened. */
  close(): void;
}

/**
 * What layers are applied to: a tree of files on a disk, or one in memory that tells what would be there. Paths are byte strings
 * relative to the root, `''` being the root; the folder of each is real. What makes something says no (false, undefined) if
 * anything is there already.
 */
export interface FileTree {
  kind(path: string): NodeKind | undefined;
  /** What the image says that the link leads to. */
  readLink(path: string): string;
  children(folder: string): string[];
  makeFolder(path: string, mode: number): boolean;
  setFolderMode(path: string, mode: number): void;
  setFolderTime(path: string, mtime: number): void;
  makeFile(path: string, entry: TarEntry, mode: number): OpenFile | undefined;
  makeSymlink(path: string, target: string, mtime: number): boolean;
  /** One more name for a file. */
  makeLink(path: string, target: string): boolean;
  removeFile(path: string): void;
  /** Of an empty folder. */
  removeFolder(path: string): void;
}
