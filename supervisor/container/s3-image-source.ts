import type { Readable } from 'node:stream';
import type { ObjectStore } from '../../src/aws/s3.js';
import { ImageError, ScarError } from '../../src/errors.js';
import type { Descriptor, ImageSource } from '../../src/oci/image-source.js';

/** Manifests are small: no registry takes larger ones than this (distribution specification, "Pushing Manifests"). */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** An image whose blobs lie in a bucket, named as in an OCI image layout: `<prefix>blobs/sha256/<hex>`. */
export interface BlobLocation {
  bucket: string;
  prefix: string;
}

/** Reads an image from a bucket. Its bytes are verified by who reads them, as with every source. */
export class S3ImageSource implements ImageSource {
  readonly reference: string;
  readonly #store: ObjectStore;
  readonly #location: BlobLocation;
  readonly #digest: string;

  /**
   * @param reference - what the user named, for messages
   * @param digest - the manifest's
   */
  constructor(store: ObjectStore, location: BlobLocation, reference: string, digest: string) {
    this.reference = reference;
    this.#store = store;
    this.#location = location;
    this.#digest = digest;
  }

  async manifest(digest = this.#digest, signal?: AbortSignal): Promise<{ mediaType: string; bytes: Buffer }> {
    const object = this.#object(digest);
    const { body } = await this.#open(digest, () =>
      this.#store.read(object, { range: { start: 0, end: MAX_MANIFEST_BYTES }, signal }),
    );
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk as Buffer);
    // The store keeps no media types; a manifest says its own.
    return { mediaType: '', bytes: Buffer.concat(chunks) };
  }

  async blob(descriptor: Descriptor, signal?: AbortSignal): Promise<Readable> {
    const { body } = await this.#open(descriptor.digest, () =>
      this.#store.read(this.#object(descriptor.digest), { signal }),
    );
    return body;
  }

  async close(): Promise<void> {}

  #object(digest: string) {
    const { bucket, prefix } = this.#location;
    return { bucket, key: `${prefix}blobs/${digest.replace(':', '/')}` };
  }

  async #open<T>(digest: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof ScarError) || !['object-not-found', 'bucket-not-found'].includes(error.code)) throw error;
      throw new ImageError(
        'image-not-found',
        `The blob ${digest} of ${this.reference} is no longer where the function was told to find it ` +
          `(s3://${this.#location.bucket}/${this.#object(digest).key}). Create or update the function anew`,
        { context: { digest, ...this.#location }, cause: error },
      );
    }
  }
}
