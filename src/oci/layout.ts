import { type FileHandle, open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { ImageError } from '../errors.js';
import { parseDigest } from './digest.js';
import { MAX_MANIFEST_BYTES, parseJson } from './documents.js';
import type { Descriptor, ImageSource } from './image-source.js';
import { INDEX_TYPES } from './media-types.js';
import type { LayoutReference } from './reference.js';
import { tooLarge } from './verify.js';

/** Where tools put the tag of a manifest (https://github.com/opencontainers/image-spec/blob/main/annotations.md). */
const REF_NAME = 'org.opencontainers.image.ref.name';

/** The files of a layout, in a folder or in an archive. A file that is not there is `undefined`. */
export interface LayoutFiles {
  /** Where they are, for messages. */
  readonly location: string;
  /** A document, refused unread (`image-unsafe`) if it has more bytes. */
  read(path: string, maxBytes: number): Promise<Buffer | undefined>;
  stream(path: string): Promise<Readable | undefined>;
  close(): Promise<void>;
}

/** An image in an OCI image layout (https://github.com/opencontainers/image-spec/blob/main/image-layout.md). */
export class LayoutSource implements ImageSource {
  readonly reference: string;
  readonly digest: string | undefined;
  readonly #files: LayoutFiles;
  readonly #tag: string | undefined;

  /** @param reference - `text` for messages; `tag` and `digest` as far as they were given */
  constructor(reference: Pick<LayoutReference, 'text' | 'tag' | 'digest'>, files: LayoutFiles) {
    this.reference = reference.text;
    this.digest = reference.digest;
    this.#tag = reference.tag;
    this.#files = files;
  }

  async manifest(digest: string | undefined): Promise<{ mediaType: string; bytes: Buffer }> {
    const wanted = digest ?? this.digest;
    if (wanted !== undefined) return this.#document(wanted, '');
    const bytes = await this.#index();
    const chosen = this.#choose(bytes);
    // Several manifests without names are the platforms of one image: the layout's index is the image's.
    if (chosen === undefined) return { mediaType: INDEX_TYPES[0] ?? '', bytes };
    return this.#document(chosen.digest, chosen.mediaType);
  }

  async blob(descriptor: Descriptor): Promise<Readable> {
    return (await this.#files.stream(this.#blobFile(descriptor.digest))) ?? this.#missing(descriptor.digest);
  }

  close(): Promise<void> {
    return this.#files.close();
  }

  async #document(digest: string, mediaType: string): Promise<{ mediaType: string; bytes: Buffer }> {
    const bytes = await this.#files.read(this.#blobFile(digest), MAX_MANIFEST_BYTES);
    return { mediaType, bytes: bytes ?? this.#missing(digest) };
  }

  async #index(): Promise<Buffer> {
    const bytes = await this.#files.read('index.json', MAX_MANIFEST_BYTES);
    if (bytes) return bytes;
    throw new ImageError(
      'image-not-found',
      `${this.reference} must be in the OCI image layout; ${this.#files.location} has no index.json. Such a folder is made ` +
        'by, for example: skopeo copy docker://debian:12 oci:DIR:TAG',
      { context: { location: this.#files.location } },
    );
  }

  /** The manifest that the reference names; undefined if the index as a whole is the image. */
  #choose(bytes: Buffer): Descriptor | undefined {
    const { manifests } = parseJson(bytes, `index.json of ${this.reference}`) as { manifests?: unknown };
    const all = (Array.isArray(manifests) ? manifests : []).filter(isDescriptor);
    const named = all.filter((manifest) => manifest.annotations?.[REF_NAME] !== undefined);
    const tags = [...new Set(named.map((manifest) => manifest.annotations?.[REF_NAME] ?? ''))];
    const list = tags.length > 0 ? `It has: ${tags.slice(0, 20).join(', ')}.` : 'It has no names at all.';
    const notFound = (what: string): ImageError =>
      new ImageError('image-not-found', `${this.reference}: ${what} ${list}`, { context: { tags } });

    if (all.length === 0) throw notFound('the layout has no images.');
    const tag = this.#tag;
    if (tag !== undefined) {
      // The last one wins, as a tool that adds an image again leaves the old entry before it.
      const match = named.findLast((manifest) => manifest.annotations?.[REF_NAME] === tag);
      if (match === undefined) throw notFound(`the layout has no image named "${tag}".`);
      return match;
    }
    if (all.length === 1) return all[0];
    const latest = named.findLast((manifest) => manifest.annotations?.[REF_NAME] === 'latest');
    if (latest !== undefined) return latest;
    if (tags.length <= 1 && all.every((manifest) => manifest.platform !== undefined)) return undefined;
    throw notFound(`the layout has ${all.length} images; say which one, as in oci:DIR:TAG.`);
  }

  #blobFile(digest: string): string {
    const { algorithm, hex } = parseDigest(digest, `a blob of ${this.reference}`);
    return `blobs/${algorithm}/${hex}`;
  }

  #missing(digest: string): never {
    throw new ImageError(
      'image-not-found',
      `${this.reference} is not complete: ${this.#files.location} has no blob ${digest}. Copy the image there again.`,
      { context: { digest } },
    );
  }
}

function isDescriptor(value: unknown): value is Descriptor {
  return typeof value === 'object' && value !== null && typeof (value as Descriptor).digest === 'string';
}

/** Pieces that a blob is read in. */
export const READ_BYTES = 1024 * 1024;

/** A layout in a folder. */
export class LayoutDirectory implements LayoutFiles {
  readonly location: string;

  constructor(path: string) {
    this.location = resolve(path);
  }

  async read(path: string, maxBytes: number): Promise<Buffer | undefined> {
    const file = await this.#open(path);
    if (file === undefined) return undefined;
    try {
      const { size } = await file.stat();
      if (size > maxBytes) throw tooLarge(`${path} of ${this.location}`, size, maxBytes);
      return await file.readFile();
    } finally {
      await file.close();
    }
  }

  async stream(path: string): Promise<Readable | undefined> {
    const file = await this.#open(path);
    return file?.createReadStream({ highWaterMark: READ_BYTES });
  }

  async close(): Promise<void> {}

  async #open(path: string): Promise<FileHandle | undefined> {
    const file = await open(join(this.location, path)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
      throw new ImageError('image-not-found', `${this.location} cannot be read: ${error.message}`, { cause: error });
    });
    if (file === undefined || (await file.stat()).isFile()) return file;
    await file.close();
    return undefined;
  }
}
