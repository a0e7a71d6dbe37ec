import { closeSync, fchmodSync, ftruncateSync, futimesSync, lutimesSync, writeSync } from 'node:fs';
import { corrupt, type SparseMap, type TarEntry } from '../tar/header.js';
import type { OpenFile } from './file-tree.js';

/** A file of the rootfs while its content passes. */
export class FileOnDisk implements OpenFile {
  readonly #fd: number;
  readonly #mtime: number;
  readonly #mode: number | undefined;
  readonly #holes: Holes | undefined;

  /** @param mode - set at the end, where the umask took some of it away */
  constructor(fd: number, entry: TarEntry, mode: number | undefined) {
    this.#fd = fd;
    this.#mtime = sensibleTime(entry.mtime);
    this.#mode = mode;
    if (entry.sparse) {
      ftruncateSync(fd, entry.sparse.size);
      this.#holes = new Holes(entry.sparse);
    }
  }

  write(chunk: Buffer): void {
    if (this.#holes === undefined) {
      writeFully(this.#fd, chunk, null);
    } else {
      for (const { offset, bytes } of this.#holes.place(chunk)) writeFully(this.#fd, bytes, offset);
    }
  }

  finish(): void {
    if (this.#mode !== undefined) fchmodSync(this.#fd, this.#mode);
    // Python recompiles every module whose source is not as old as its cache says.
    futimesSync(this.#fd, this.#mtime, this.#mtime);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Where in a file with holes the next stored bytes belong. */
class Holes {
  readonly #map: SparseMap;
  #segment = 0;
  #done = 0;

  constructor(map: SparseMap) {
    this.#map = map;
  }

  *place(chunk: Buffer): Generator<{ offset: number; bytes: Buffer }> {
    let at = 0;
    while (at < chunk.length) {
      const segment = this.#map.segments[this.#segment];
      if (segment === undefined) throw corrupt('a sparse file has more content than places for it');
      const bytes = chunk.subarray(at, at + segment.length - this.#done);
      if (bytes.length > 0) yield { offset: segment.offset + this.#done, bytes };
      at += bytes.length;
      this.#done += bytes.length;
      if (this.#done === segment.length) {
        this.#segment++;
        this.#done = 0;
      }
    }
  }
}

/** Sets when a link or a folder was changed, without following it. */
export function setLinkTime(path: string | Buffer, mtime: number): void {
  const time = sensibleTime(mtime);
  lutimesSync(path, time, time);
}

/** A time that file systems take: headers may say anything. */
export function sensibleTime(seconds: number): number {
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 0xffff_ffff) : 0;
}

/** write(2) may take less than it was given. */
function writeFully(fd: number, bytes: Buffer, position: number | null): void {
  let done = 0;
  while (done < bytes.length) {
    done += writeSync(fd, bytes, done, bytes.length - done, position === null ? null : position + done);
  }
}
