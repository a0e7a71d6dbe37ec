import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ScarError } from '../../../errors.js';
import { tryFileLock } from '../../../util/file-lock.js';
import { makeFolder } from '../../../util/make-folder.js';
import type { JournalStore } from './store.js';

/** How much a power cut may take: a killed process loses nothing that was written. */
const SYNC_MS = 1_000;

const READ_BYTES = 1024 * 1024;

/** Whether a journal must be there or must not; one that is read may have a writer. */
export type JournalMode = 'new' | 'existing' | 'read';

const FLAGS = { new: 'wx+', existing: 'r+', read: 'r' } as const;

/** A journal in a file of this machine, readable by its owner alone: options may have secrets in them. */
export class FileStore implements JournalStore {
  readonly gatherMs = 0;
  readonly name: string;
  readonly #handle: FileHandle;
  readonly #unlock: () => void;
  #syncedAt = performance.now();
  #syncing: Promise<void> | undefined;
  #failure: unknown;

  private constructor(name: string, handle: FileHandle, unlock: () => void) {
    this.name = name;
    this.#handle = handle;
    this.#unlock = unlock;
  }

  /** @throws ScarError `run-not-found`, `run-in-use`; `invalid-option` for a folder that cannot be written to */
  static async open(file: string, mode: JournalMode): Promise<FileStore> {
    let unlock: (() => void) | undefined;
    try {
      if (mode === 'new') makeFolder(dirname(file), 0o700);
      else await (await open(file, 'r')).close();
      unlock = mode === 'read' ? () => {} : tryFileLock(`${file}.lock`);
      if (!unlock) throw inUse(file);
      const handle = await open(file, FLAGS[mode], 0o600);
      const store = new FileStore(file, handle, unlock);
      if (mode === 'existing') await store.#cutTornLine();
      return store;
    } catch (error) {
      unlock?.();
      throw error instanceof ScarError ? error : openError(file, error, mode);
    }
  }

  async *lines(signal: AbortSignal): AsyncGenerator<string, undefined> {
    let rest: Buffer = Buffer.alloc(0);
    const { size } = await this.#handle.stat();
    for (let at = 0; at < size; ) {
      signal.throwIfAborted();
      const chunk = Buffer.allocUnsafe(Math.min(READ_BYTES, size - at));
      const { bytesRead } = await this.#handle.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      const bytes = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      let start = 0;
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
        yield bytes.toString('utf8', start, end);
        start = end + 1;
      }
      rest = bytes.subarray(start);
    }
  }

  async append(lines: string): Promise<void> {
    if (this.#failure) throw this.#failure;
    const { size } = await this.#handle.stat();
    try {
      await this.#handle.write(lines, size);
    } catch (error) {
      // Half a line would spoil the one behind it.
      await this.#handle.truncate(size).catch(() => {});
      throw error;
    }
    this.#sync();
  }

  async close(): Promise<void> {
    try {
      await this.#syncing;
      await this.#handle.datasync();
    } finally {
      await this.#handle.close();
      this.#unlock();
    }
  }

  /** Nobody waits for it: disks take their time. If it fails, the next call does. */
  #sync(): void {
    if (this.#syncing || performance.now() - this.#syncedAt < SYNC_MS) return;
    this.#syncing = this.#handle
      .datasync()
      .catch((error) => {
        this.#failure = error;
      })
      .finally(() => {
        this.#syncing = undefined;
        this.#syncedAt = performance.now();
      });
  }

  /** A process that was killed may have left half a line: its result counts as not there. */
  async #cutTornLine(): Promise<void> {
    const { size } = await this.#handle.stat();
    for (let end = size; end > 0; ) {
      const start = Math.max(0, end - READ_BYTES);
      const { buffer, bytesRead } = await this.#handle.read(Buffer.alloc(end - start), 0, end - start, start);
      const newline = buffer.subarray(0, bytesRead).lastIndexOf(10);
      if (newline >= 0) {
        await this.#handle.truncate(start + newline + 1);
        return;
      }
      end = start;
    }
    await this.#handle.truncate(0);
  }
}

function inUse(file: string): ScarError {
  return new ScarError(
    'run-in-use',
    `The run must not go on twice at a time, and a process that is alive has its journal ${file} open. ` +
      'Wait for it, or end it',
    { context: { journal: file } },
  );
}

function openError(file: string, error: unknown, mode: JournalMode): ScarError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' && mode !== 'new') {
    const message = `There is no journal ${file}: give the run's ID, and the journal's place as mapOverBucket had it`;
    return new ScarError('run-not-found', message, { context: { journal: file }, cause: error });
  }
  const message = `The journal ${file} cannot be opened (${code}): give a folder that can be written to`;
  return new ScarError('invalid-option', message, { context: { journal: file }, cause: error });
}
