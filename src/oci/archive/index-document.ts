import { ImageError } from '../../errors.js';
import type { ImageConfig } from '../image-source.js';

/** Which C library an image's programs use, by the dynamic loader that it has; `none`: they are linked statically. */
export type Libc = 'glibc' | 'musl' | 'none';

/** What an image takes of a disk when it is unpacked. */
export interface DiskUsage {
  /** Of files and long links, in blocks of 4 KiB. */
  bytes: number;
  /** Of folders, where they take any: in memory they do not. */
  folderBytes: number;
  /** Files, folders and links. */
  inodes: number;
}

/** What an image comes to when all its layers are applied. */
export interface ImageContents {
  disk: DiskUsage;
  files: number;
  /** Of the files' contents. */
  contentBytes: number;
  libc: Libc;
}

/**
 * Says what a rootfs archive has: an image's layers merged into one tar archive, in chunks that are compressed one by one. All of it
 * follows from the image alone, whoever made the archive and with whatever compressor.
 */
export interface RootfsIndex extends ImageContents {
  version: 1;
  /** Digest of the image's manifest. */
  image: string;
  /** What of the image's config a function needs. */
  config: ImageConfig;
  /** SHA-256 of every chunk before it was compressed, in hex. */
  chunks: string[];
}

/** Bytes of a chunk before it is compressed; the last one is shorter. Large enough to compress as a whole would. */
export const CHUNK_BYTES = 4 * 1024 * 1024;

/** Reads an index from where it was kept. Throws `image-corrupt`. */
export function parseIndex(text: string, where: string): RootfsIndex {
  try {
    const index = JSON.parse(text) as Partial<RootfsIndex>;
    const { version, image, chunks, disk, config } = index;
    if (version === 1 && image && chunks?.every(isHex) && Number.isSafeInteger(disk?.bytes) && config?.rootfs) {
      return index as RootfsIndex;
    }
  } catch {
    // Told below: what is wrong with it does not matter.
  }
  throw new ImageError('image-corrupt', `${where} must be an index of a rootfs archive, of version 1, and is not`);
}

function isHex(digest: unknown): boolean {
  return typeof digest === 'string' && /^[0-9a-f]{64}$/.test(digest);
}
