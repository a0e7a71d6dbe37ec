import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { ScarError } from '../../errors.js';
import { formatBytes } from '../../util/format-bytes.js';
import { type LinkedSignal, linkSignals } from '../../util/linked-signal.js';
import type { Descriptor, ImageSource } from '../image-source.js';
import { READ_BYTES } from '../layout.js';
import { verified } from '../verify.js';

/**
 * Keeps blobs on this disk while they are read several times: each is fetched once, verified. The files have no names, so that nothing
 * stays whatever happens to the process.
 */
export class SpooledSource implements ImageSource {
  readonly #source: ImageSource;
  readonly #onBytes: (bytes: number) => void;
  readonly #blobs = new Map<string, Promise<FileHandle>>();
  readonly #fetching: LinkedSignal;

  /** @param onBytes - is told of bytes as they come */
  constructor(source: ImageSource, { onBytes, signal }: { onBytes: (bytes: number) => void; signal: AbortSignal }) {
    this.#source = source;
    this.#onBytes = onBytes;
    this.#fetching = linkSignals(signal);
  }

  get reference(): string {
    return this.#source.reference;
  }

  get digest(): string | undefined {
    return this.#source.digest;
  }

  manifest(digest: string | undefined, signal?: AbortSignal): Promise<{ mediaType: string; bytes: Buffer }> {
    return this.#source.manifest(digest, signal);
  }

  /** @param signal - ends all that is being fetched, for who does not want one blob wants none */
  async blob(descriptor: Descriptor, signal?: AbortSignal): Promise<Readable> {
    const abort = () => this.#fetching.abort(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const file = await this.#spool(descriptor);
      return file.createReadStream({ start: 0, autoClose: false, highWaterMark: READ_BYTES });
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Ends what is under way, and gives the disk back. The source stays open. */
  async close(): Promise<void> {
    this.#fetching.abort(new ScarError('aborted', `Reading ${this.reference} was ended`));
    const spooled = await Promise.allSettled([...this.#blobs.values()]);
    await Promise.all(spooled.map((blob) => (blob.status === 'fulfilled' ? blob.value.close() : undefined)));
    this.#fetching.release();
  }

  #spool(descriptor: Descriptor): Promise<FileHandle> {
    const known = this.#blobs.get(descriptor.digest);
    if (known) return known;
    const fetched = this.#fetch(descriptor);
    this.#blobs.set(descriptor.digest, fetched);
    return fetched;
  }

  async #fetch(descriptor: Descriptor): Promise<FileHandle> {
    const { signal } = this.#fetching;
    const where = `blob ${descriptor.digest} of ${this.reference}`;
    const file = await unnamedFile();
    try {
      signal.throwIfAborted();
      const body = await this.#source.blob(descriptor, signal);
      for await (const bytes of verified(body, descriptor, where, this.#onBytes)) await file.writeFile(bytes);
      return file;
    } catch (error) {
      await file.close();
      throw noRoom(error, descriptor) ?? error;
    }
  }
}

async function unnamedFile(): Promise<FileHandle> {
  const folder = await mkdtemp(join(tmpdir(), 'scar-image-'));
  try {
    return await open(join(folder, 'blob'), 'wx+', 0o600);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function noRoom(error: unknown, { size }: Descriptor): ScarError | undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') return undefined;
  return new ScarError(
    'no-space',
    `The image is kept in ${tmpdir()} while it is read, and a layer of ${formatBytes(size)} does not fit there. Free some ` +
      "space, name another folder by the variable TMPDIR, or say imageSource: 'registry'",
    { context: { folder: tmpdir(), bytes: size }, cause: error },
  );
}
