import { Readable } from 'node:stream';
import pLimit from 'p-limit';
import type { ObjectAddress } from '../aws/s3.js';
import { ScarError } from '../errors.js';
import { type Descriptor, type ImageSource, imageBlobs, type Manifest, type ResolvedImage } from '../oci/index.js';
import { verified } from '../oci/verify.js';
import { BlobRemovals } from './blob-removals.js';
import type { ClientContext } from './context.js';

/** Blobs on their way to the bucket at once. */
const UPLOADS = 3;

/** Where in which bucket. */
export interface ImageStoreAddress {
  bucket: string;
  /** Empty, or ends with `/`. */
  prefix: string;
}

/**
 * Images in a bucket, for execution environments to pull from: blobs under `<prefix>blobs/sha256/<hex>`, shared by all
 * images, and for each function that uses an image an empty marker `<prefix>images/sha256-<hex>/<region>/<function>`.
 * A blob goes when no image with a marker needs it.
 */
export class ImageStore {
  readonly address: ImageStoreAddress;
  readonly #context: ClientContext;
  readonly #region: string;
  readonly #removals: BlobRemovals;

  constructor(context: ClientContext, address: ImageStoreAddress, region: string) {
    this.#context = context;
    this.address = address;
    this.#region = region;
    this.#removals = new BlobRemovals(context, address);
  }

  /**
   * Copies an image's blobs that are not there yet, verified as they pass, and marks them as used. The marker and the
   * manifest come first: whoever removes blobs from then on sees that they are wanted, and who began before is waited for.
   *
   * @param onBytes - is told the size of each blob that is in the bucket
   */
  async put(
    functionName: string,
    image: ResolvedImage,
    source: ImageSource,
    onBytes: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { objects } = this.#context;
    await objects.write(this.#marker(image.digest, functionName), '', { signal });
    const writeManifest = () => objects.write(this.#blob(image.digest), image.manifestBytes, { signal });
    // Before what it names: `release` finds by it what an upload that was cut off has left.
    await writeManifest();
    if (await this.#removals.over(signal)) await writeManifest();
    const limit = pLimit(UPLOADS);
    const uploads = imageBlobs(image).map((blob) =>
      limit(async () => {
        signal.throwIfAborted();
        if (!(await this.#has(blob, signal))) {
          const body = Readable.from(
            verified(await source.blob(blob, signal), blob, `${image.reference} ${blob.digest}`),
          );
          await objects.writeStream(this.#blob(blob.digest), body, blob.size, { signal });
        }
        onBytes(blob.size);
      }),
    );
    try {
      await Promise.all(uploads);
    } finally {
      limit.clearQueue();
      await Promise.allSettled(uploads);
    }
  }

  /**
   * Takes back a function's markers, and removes the blobs that no other function's image needs.
   *
   * @param which - the digests that it no longer uses
   * @returns keys of the blobs that were removed
   */
  async release(functionName: string, which: (digest: string) => boolean, signal: AbortSignal): Promise<string[]> {
    const mine = `${this.#region}/${functionName}`;
    const users = await this.#users(signal);
    const released = [...users].filter(([digest, names]) => names.has(mine) && which(digest)).map(([digest]) => digest);
    if (released.length === 0) return [];
    return await this.#removals.announce(async (signal) => {
      const markers = released.map((digest) => this.#marker(digest, functionName).key);
      await this.#context.objects.deleteAll(this.address.bucket, markers, signal);
      return await this.#removeUnused(released, signal);
    }, signal);
  }

  /** Removes the blobs of these images that no image with a marker needs. Returns their keys. */
  async #removeUnused(digests: readonly string[], signal: AbortSignal): Promise<string[]> {
    const used = [...(await this.#users(signal)).keys()];
    const needed = new Set((await Promise.all(used.map((digest) => this.#blobsOf(digest, signal)))).flat());
    const candidates = (await Promise.all(digests.map((digest) => this.#blobsOf(digest, signal)))).flat();
    const keys = [...new Set(candidates)]
      .filter((digest) => !needed.has(digest))
      .map((digest) => this.#blob(digest).key);
    await this.#context.objects.deleteAll(this.address.bucket, keys, signal);
    return keys;
  }

  /** Which functions use which image: digest → `region/function`. */
  async #users(signal: AbortSignal): Promise<Map<string, Set<string>>> {
    const root = `${this.address.prefix}images/`;
    const users = new Map<string, Set<string>>();
    for await (const page of this.#context.objects.list(this.address.bucket, { prefix: root, signal })) {
      for (const { key } of page) {
        const [, algorithm, hex, user] = /^([a-z0-9]+)-([0-9a-f]+)\/(.+)$/.exec(key.slice(root.length)) ?? [];
        if (user === undefined) continue;
        const digest = `${algorithm}:${hex}`;
        users.set(digest, (users.get(digest) ?? new Set()).add(user));
      }
    }
    return users;
  }

  /** Digests of an image's blobs, its manifest among them; just the manifest's if that is not there. */
  async #blobsOf(digest: string, signal: AbortSignal): Promise<string[]> {
    try {
      const { body } = await this.#context.objects.read(this.#blob(digest), { signal });
      const { config, layers } = JSON.parse(Buffer.concat(await body.toArray()).toString()) as Manifest;
      return [digest, config.digest, ...layers.map((layer) => layer.digest)];
    } catch (error) {
      if (error instanceof ScarError && error.code === 'object-not-found') return [digest];
      throw error;
    }
  }

  async #has(blob: Descriptor, signal: AbortSignal): Promise<boolean> {
    try {
      return (await this.#context.objects.head(this.#blob(blob.digest), signal)).bytes === blob.size;
    } catch (error) {
      if (error instanceof ScarError && error.code === 'object-not-found') return false;
      throw error;
    }
  }

  #blob(digest: string): ObjectAddress {
    return { bucket: this.address.bucket, key: `${this.address.prefix}blobs/${digest.replace(':', '/')}` };
  }

  #marker(digest: string, functionName: string): ObjectAddress {
    const { bucket, prefix } = this.address;
    return { bucket, key: `${prefix}images/${digest.replace(':', '-')}/${this.#region}/${functionName}` };
  }
}

/**
 * Releases what a function no longer uses. Blobs that stay behind cost little and break nothing: a failure is a warning,
 * and a bucket that is gone has none.
 *
 * @returns keys of the blobs that were removed
 */
export async function releaseOrWarn(
  context: ClientContext,
  functionName: string,
  store: ImageStore,
  which: (digest: string) => boolean,
  signal: AbortSignal,
): Promise<string[]> {
  try {
    return await store.release(functionName, which, signal);
  } catch (error) {
    if (!(error instanceof ScarError) || signal.aborted) throw error;
    if (error.code === 'bucket-not-found') return [];
    context.notify.warning({
      code: 'image-cleanup-incomplete',
      message: `Blobs of ${functionName} may be left in bucket ${store.address.bucket}: ${error.message}`,
      context: { functionName, ...store.address },
    });
    return [];
  }
}
