import { type FileHandle, open } from 'node:fs/promises';
import { posix } from 'node:path';
import { ImageError, ScarError, UnsupportedImageError } from '../../errors.js';
import { compressionOf } from '../decompress.js';
import { BLOCK, corrupt, corruptIn, display, type TarEntry } from './header.js';
import { TarReader } from './reader.js';

/** Where an entry's content lies in the archive. */
export interface Extent {
  offset: number;
  size: number;
}

/** An archive of images has three entries for each layer at most. */
const MAX_ENTRIES = 20_000;
const MAX_LINKS = 10;

/** The table of contents of a tar archive in a file: headers are read, contents jumped over. */
export class TarFile {
  readonly #extents = new Map<string, Extent>();
  readonly #links = new Map<string, string>();

  /** Throws `image-not-found` if the file cannot be read, `image-corrupt` if it is no tar archive. */
  static async index(path: string): Promise<TarFile> {
    const index = new TarFile();
    try {
      const file = await open(path);
      await index.#read(file, path).finally(() => file.close());
      return index;
    } catch (cause) {
      if (cause instanceof ScarError) {
        throw corruptIn(cause, path, 'Save the image again, with "docker save" or "skopeo copy"');
      }
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ImageError(
        'image-not-found',
        `${path} cannot be read: ${reason}. It must be a file that "docker save" or "skopeo copy" has written`,
        { cause },
      );
    }
  }

  /** The place of a regular file's content; a link (layers that images share are links) is followed. */
  find(path: string): Extent | undefined {
    let name = normal(path);
    for (let links = 0; links < MAX_LINKS; links++) {
      const target = this.#links.get(name);
      if (target === undefined) return this.#extents.get(name);
      name = target;
    }
    throw corrupt(`${display(path)} leads through more than ${MAX_LINKS} links`);
  }

  async #read(file: FileHandle, path: string): Promise<void> {
    const { size } = await file.stat();
    const block = Buffer.alloc(BLOCK);
    let at = 0;
    let entries = 0;
    const tar = new TarReader({
      entry: (entry) => {
        if (++entries > MAX_ENTRIES) throw corrupt(`it has more than ${MAX_ENTRIES} entries`);
        this.#add(entry, at + BLOCK);
      },
      content: () => {},
      entryEnd: () => {},
    });
    while (at < size && !tar.ended) {
      const { bytesRead } = await file.read(block, 0, BLOCK, at);
      if (at === 0) refuseCompressed(block, path);
      tar.write(block.subarray(0, bytesRead));
      at += bytesRead + tar.skipContent();
      if (bytesRead < BLOCK) break;
    }
    if (at > size) throw corrupt('it ends in the middle of an entry');
    tar.end();
  }

  #add(entry: TarEntry, offset: number): void {
    if (entry.sparse) throw corrupt(`${display(entry.name)} is stored as a sparse file`);
    const name = normal(entry.name);
    this.#extents.delete(name);
    this.#links.delete(name);
    if (entry.type === 'file') this.#extents.set(name, { offset, size: entry.size });
    // A symbolic link counts from its folder, a hard link from the archive's root.
    if (entry.type === 'symlink') this.#links.set(name, normal(posix.join(posix.dirname(name), entry.linkName)));
    if (entry.type === 'link') this.#links.set(name, normal(entry.linkName));
  }
}

function normal(path: string): string {
  return posix.normalize(path).replace(/^\/+|\/+$/g, '');
}

function refuseCompressed(head: Buffer, path: string): void {
  const compression = compressionOf(head);
  if (compression === 'none') return;
  throw new UnsupportedImageError(
    `${path} is compressed with ${compression}, so that its blobs cannot be read where they are. Decompress it first.`,
  );
}
