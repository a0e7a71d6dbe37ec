import { createReadStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
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

/** Pieces that a blob is read in. */
const READ_BYTES = 1024 * 1024;

/** An image in an OCI image layout (https://github.com/opencontainers/image-spec/blob/main/image-layout.md). */
export class LayoutSource implements ImageSource {
  readonly reference: string;
  readonly #directory: string;
  readonly #tag: string | undefined;
  readonly #digest: string | undefined;

  constructor(reference: LayoutReference) {
    this.reference = reference.text;
    this.#directory = resolve(reference.path);
    this.#tag = reference.tag;
    this.#digest = reference.digest;
  }

  async manifest(digest: string | undefined): Promise<{ mediaType: string; bytes: Buffer }> {
    const wanted = digest ?? this.#digest;
    if (wanted !== undefined) return this.#document(wanted, '');
    const bytes = await this.#index();
    const chosen = this.#choose(bytes);
    // Several manifests without names are the platforms of one image: the layout's index is the image's.
    if (chosen === undefined) return { mediaType: INDEX_TYPES[0] ?? '', bytes };
    return this.#document(chosen.digest, chosen.mediaType);
  }

  async blob(descriptor: Descriptor): Promise<Readable> {
    const file = this.#blobFile(descriptor.digest);
    const handle = await open(file).catch((error: unknown) => {
      throw this.#missing(descriptor.digest, error);
    });
    return createReadStream(file, { fd: handle, highWaterMark: READ_BYTES });
  }

  async close(): Promise<void> {}

  async #document(digest: string, mediaType: string): Promise<{ mediaType: string; bytes: Buffer }> {
    const bytes = await readSmall(this.#blobFile(digest), `manifest ${digest} of ${this.reference}`).catch(
      (error: unknown) => {
        throw error instanceof ImageError ? error : this.#missing(digest, error);
      },
    );
    return { mediaType, bytes };
  }

  async #index(): Promise<Buffer> {
    try {
      return await readSmall(join(this.#directory, 'index.json'), `index.json of ${this.reference}`);
    } catch (error) {
      if (error instanceof ImageError) throw error;
      throw new ImageError(
        'image-not-found',
        `${this.reference} must be a folder in the OCI image layout; ${this.#directory} has no readable index.json. ` +
          'Such a folder is made by, for example: skopeo copy docker://debian:12 oci:DIR:TAG',
        { cause: error, context: { directory: this.#directory } },
      );
    }
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
    return join(this.#directory, 'blobs', algorithm, hex);
  }

  #missing(digest: string, cause: unknown): ImageError {
    return new ImageError(
      'image-not-found',
      `${this.reference} is not complete: ${this.#directory} has no readable blob ${digest}. Copy the image there again.`,
      { cause, context: { digest } },
    );
  }
}

function isDescriptor(value: unknown): value is Descriptor {
  return typeof value === 'object' && value !== null && typeof (value as Descriptor).digest === 'string';
}

/** A document of JSON, refused before it is read when it is larger than anything honest. */
async function readSmall(file: string, where: string): Promise<Buffer> {
  const { size } = await stat(file);
  if (size > MAX_MANIFEST_BYTES) throw tooLarge(where, size, MAX_MANIFEST_BYTES);
  return readFile(file);
}
