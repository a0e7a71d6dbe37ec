import { randomBytes } from 'node:crypto';
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { copyFile, type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ServiceError } from '../../protocol/service.js';
import type { Blob } from './record.js';

/** Data up to this size is kept in memory and then written at once: most outputs of functions are small. */
const SMALL_BYTES = 256 * 1024;
const READ_CHUNK_BYTES = 256 * 1024;

/** Bytes of an object, the last one included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Files of immutable data under names of our own. A file appears under its name when it is whole (temporary name, then
 * rename), and belongs to the one record that lists it.
 */
export class BlobStore {
  /** Tells the blobs of this process from those that were there before. */
  private readonly run = randomBytes(6).toString('hex');
  private sequence = 0;
  private closed = false;
  private readonly folders = new Set<string>();
  private readonly readers = new Map<string, number>();
  private readonly doomed = new Set<string>();

  /**
   * @param directory - where the data is
   * @param temporary - a folder on the same file system for what is not whole yet
   */
  constructor(
    private readonly directory: string,
    private readonly temporary: string,
  ) {}

  /** Writes a stream, each chunk after `onChunk` has seen it. No blob for no data. If the stream fails, nothing is left. */
  async write(source: AsyncIterable<Buffer>, onChunk: (chunk: Buffer) => void): Promise<readonly Blob[]> {
    const id = this.nextId();
    const partial = join(this.temporary, id);
    let small: Buffer[] = [];
    let bytes = 0;
    let file: FileHandle | undefined;
    try {
      for await (const chunk of source) {
        onChunk(chunk);
        bytes += chunk.length;
        if (!file && bytes <= SMALL_BYTES) {
          small.push(chunk);
          continue;
        }
        file ??= await open(partial, 'wx');
        await writeAll(file, [...small, chunk]);
        small = [];
      }
      if (bytes === 0) return [];
      if (!file) writeAtOnce(partial, small);
      await file?.close();
      file = undefined;
      this.checkOpen();
      renameSync(partial, this.makePath(id));
    } catch (error) {
      await file?.close();
      rmSync(partial, { force: true });
      throw error;
    }
    return [[id, bytes]];
  }

  /** Data of a record: in memory if it is little, else a stream. The blobs outlive their removal until it has been read. */
  read(blobs: readonly Blob[], range: ByteRange): Buffer | Readable {
    const pieces = locate(blobs, range);
    const bytes = range.last - range.first + 1;
    if (bytes <= SMALL_BYTES) return Buffer.concat(pieces.map((piece) => this.readAtOnce(piece)));
    const ids = pieces.map((piece) => piece.id);
    for (const id of ids) this.readers.set(id, (this.readers.get(id) ?? 0) + 1);
    const stream = Readable.from(this.chunks(pieces), { objectMode: false, highWaterMark: READ_CHUNK_BYTES });
    // Also when the stream is never read: the client may be gone already.
    stream.once('close', () => this.release(ids));
    return stream;
  }

  /** Other names for the same data, which a copy of an object can own. */
  async link(blobs: readonly Blob[], from: BlobStore): Promise<readonly Blob[]> {
    const links: Blob[] = [];
    try {
      for (const [source, bytes] of blobs) {
        this.checkOpen();
        const id = this.nextId();
        const [existing, path] = [from.path(source), this.makePath(id)];
        try {
          linkSync(existing, path);
        } catch {
          // File systems without hard links, or too many of them.
          const partial = join(this.temporary, id);
          await copyFile(existing, partial);
          this.checkOpen();
          renameSync(partial, path);
        }
        links.push([id, bytes]);
      }
    } catch (error) {
      this.remove(links);
      throw error;
    }
    return links;
  }

  remove(blobs: readonly Blob[]): void {
    for (const [id] of blobs) {
      if (this.readers.has(id)) this.doomed.add(id);
      else rmSync(this.path(id), { force: true });
    }
  }

  /** Removes what a killed process left: blobs that no record lists. */
  sweep(isListed: (id: string) => boolean): void {
    for (const folder of readdirSync(this.directory)) {
      for (const id of readdirSync(join(this.directory, folder))) {
        if (!id.startsWith(this.run) && !isListed(id)) rmSync(join(this.directory, folder, id), { force: true });
      }
    }
  }

  /** Nothing new may appear: the folder is about to be removed, or another process's. */
  close(): void {
    this.closed = true;
  }

  private checkOpen(): void {
    if (this.closed) throw new ServiceError('NoSuchBucket', 404, 'The specified bucket does not exist');
  }

  private release(ids: readonly string[]): void {
    for (const id of ids) {
      const readers = (this.readers.get(id) ?? 1) - 1;
      if (readers > 0) {
        this.readers.set(id, readers);
        continue;
      }
      this.readers.delete(id);
      if (this.doomed.delete(id)) rmSync(this.path(id), { force: true });
    }
  }

  private readAtOnce({ id, offset, bytes }: Piece): Buffer {
    const buffer = Buffer.allocUnsafe(bytes);
    const descriptor = openSync(this.path(id), 'r');
    try {
      for (let at = 0; at < bytes; ) {
        const read = readSync(descriptor, buffer, at, bytes - at, offset + at);
        if (read === 0) throw new Error(`the data of blob ${id} is shorter than its record says`);
        at += read;
      }
    } finally {
      closeSync(descriptor);
    }
    return buffer;
  }

  private async *chunks(pieces: readonly Piece[]): AsyncGenerator<Buffer> {
    for (const { id, offset, bytes } of pieces) {
      const file = await open(this.path(id), 'r');
      try {
        for (let at = 0; at < bytes; ) {
          const buffer = Buffer.allocUnsafe(Math.min(READ_CHUNK_BYTES, bytes - at));
          const { bytesRead } = await file.read(buffer, 0, buffer.length, offset + at);
          if (bytesRead === 0) throw new Error(`the data of blob ${id} is shorter than its record says`);
          at += bytesRead;
          yield buffer.subarray(0, bytesRead);
        }
      } finally {
        await file.close();
      }
    }
  }

  private nextId(): string {
    return `${this.run}${(this.sequence++).toString(16).padStart(8, '0')}`;
  }

  /** 256 folders, by the last digits of the sequence. */
  private path(id: string): string {
    return join(this.directory, id.slice(-2), id);
  }

  private makePath(id: string): string {
    const folder = id.slice(-2);
    if (!this.folders.has(folder)) mkdirSync(join(this.directory, folder), { recursive: true });
    this.folders.add(folder);
    return this.path(id);
  }
}

/** A stretch of one blob. */
interface Piece {
  readonly id: string;
  readonly offset: number;
  readonly bytes: number;
}

function locate(blobs: readonly Blob[], { first, last }: ByteRange): Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  for (const [id, bytes] of blobs) {
    const from = Math.max(first - start, 0);
    const to = Math.min(last - start, bytes - 1);
    if (from <= to) pieces.push({ id, offset: from, bytes: to - from + 1 });
    start += bytes;
  }
  return pieces;
}

async function writeAll(file: FileHandle, chunks: Buffer[]): Promise<void> {
  const data = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
  for (let at = 0; at < data.length; ) at += (await file.write(data, at)).bytesWritten;
}

function writeAtOnce(path: string, chunks: readonly Buffer[]): void {
  const data = Buffer.concat(chunks);
  const descriptor = openSync(path, 'wx');
  try {
    for (let at = 0; at < data.length; ) at += writeSync(descriptor, data, at);
  } finally {
    closeSync(descriptor);
  }
}
