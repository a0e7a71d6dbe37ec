import { statfsSync } from 'node:fs';
import { ScarError } from '../../errors.js';
import { formatBytes } from '../../util/format-bytes.js';
import type { DiskUsage } from '../archive/index-document.js';
import { display } from '../tar/header.js';
import { unsafe } from './names.js';

/** Caps on what one image may take. */
export interface SpaceLimits {
  /** Bytes of file content in all layers together. Default: what the file system has left. */
  maxBytes?: number;
  /** Files, folders and links in all layers together. Default 2,000,000, and what the file system has left. */
  maxEntries?: number;
}

const DEFAULT_MAX_ENTRIES = 2_000_000;
/** File systems give space in blocks of this size, nearly all. */
export const FS_BLOCK = 4096;
/** statfs(2): what `type` is for tmpfs, whose folders take no blocks. */
const TMPFS_MAGIC = 0x01021994;

/** Counts what an image has, against caps. */
export class Caps {
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  bytes = 0;
  entries = 0;

  constructor({ maxBytes = Number.POSITIVE_INFINITY, maxEntries = DEFAULT_MAX_ENTRIES }: SpaceLimits = {}) {
    this.#maxBytes = maxBytes;
    this.#maxEntries = maxEntries;
  }

  /** One more file, folder or link. Throws `image-unsafe` above the cap. */
  addEntry(): void {
    this.entries++;
    if (this.entries > this.#maxEntries) {
      throw unsafe(`The image has more than ${this.#maxEntries} entries, which is the limit (maxEntries)`);
    }
  }

  /** Content that is about to be written. Throws `no-space`. */
  addBytes(bytes: number, _name: string): void {
    this.bytes += bytes;
    if (this.bytes > this.#maxBytes) {
      throw new ScarError(
        'no-space',
        `The image unpacks to ${formatBytes(this.bytes)} or more; the limit (maxBytes) is ${formatBytes(this.#maxBytes)}.`,
        { context: { bytes: this.bytes, maxBytes: this.#maxBytes } },
      );
    }
  }
}

/**
 * Asks before it is written whether there is room: an error with numbers instead of an ENOSPC half-way, and an early end
 * for a bomb. The file system is asked again only when what it last had left is used up, so that an entry costs nothing.
 */
export class SpaceBudget extends Caps {
  readonly #folder: string;
  #bytesLeft = 0;
  #inodesLeft = 0;
  #inMemory = false;

  /** @param folder - any folder of the file system that is written to */
  constructor(folder: string, limits: SpaceLimits = {}) {
    super(limits);
    this.#folder = folder;
    this.#ask();
  }

  /** Bytes that the file system had left when it was last asked, less what was reserved since. */
  get bytesLeft(): number {
    return this.#bytesLeft;
  }

  /** One more file, folder or link. Throws `image-unsafe` above the cap, `no-space` when the file system has no more. */
  override addEntry(): void {
    super.addEntry();
    if (--this.#inodesLeft >= 0) return;
    this.#ask();
    if (--this.#inodesLeft >= 0) return;
    throw new ScarError(
      'no-space',
      `The file system of ${this.#folder} has no room for more files: ${this.entries - 1} are unpacked, and no inode is ` +
        'left. Remove what is not needed there, or use a file system with more inodes.',
      { context: { folder: this.#folder, entries: this.entries - 1 } },
    );
  }

  /** Content that is about to be written. Throws `no-space`. */
  override addBytes(bytes: number, name: string): void {
    super.addBytes(bytes, name);
    const blocks = Math.ceil(bytes / FS_BLOCK) * FS_BLOCK;
    this.#bytesLeft -= blocks;
    if (this.#bytesLeft >= 0) return;
    this.#ask();
    const left = this.#bytesLeft;
    this.#bytesLeft -= blocks;
    if (this.#bytesLeft < 0) throw noSpace(this.#folder, left, `${formatBytes(bytes)} for ${display(name)} and more`);
  }

  /** Throws `no-space`, with the size that it would take, for what does not fit as a whole. */
  refuseUnlessFits({ bytes, folderBytes, inodes }: DiskUsage): void {
    const needed = this.#inMemory ? bytes : bytes + folderBytes;
    if (needed > this.#bytesLeft) throw noSpace(this.#folder, this.#bytesLeft, formatBytes(needed));
    if (inodes > this.#inodesLeft) {
      throw noSpace(this.#folder, this.#bytesLeft, `${inodes} inodes, of which ${this.#inodesLeft} are left`);
    }
  }

  #ask(): void {
    const { type, bavail, bsize, files, ffree } = statfsSync(this.#folder);
    this.#inMemory = type === TMPFS_MAGIC;
    this.#bytesLeft = bavail * bsize;
    // Some file systems (btrfs, overlay on it) have no fixed number of inodes and say 0.
    this.#inodesLeft = files === 0 ? Number.POSITIVE_INFINITY : ffree;
  }
}

/** @param needed - what there is no room for: `12.0 MiB for "usr/bin/x" and more` */
export function noSpace(folder: string, bytesLeft: number, needed: string, cause?: unknown): ScarError {
  return new ScarError(
    'no-space',
    `The file system of ${folder} has ${formatBytes(bytesLeft)} left, and the image needs ${needed}. ` +
      'Free some space there, use a smaller image, or take a larger disk (for a function: ephemeralStorageMiB).',
    { context: { folder, bytesLeft }, cause },
  );
}
