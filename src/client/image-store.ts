import { Readable } from 'node:stream';
import { type ObjectAddress, readText } from '../aws/object-store.js';
import { ScarError } from '../errors.js';
import {
  bestCompression,
  type Compression,
  parseIndex,
  type RootfsArchive,
  type RootfsIndex,
} from '../oci/archive/index.js';
import type { ClientContext } from './context.js';
import { ImageRemovals } from './image-removals.js';

/** Where in which bucket. */
export interface ImageStoreAddress {
  bucket: string;
  /** Empty, or ends with `/`. */
  prefix: string;
}

/** An image that is in the bucket. */
export interface StoredImage {
  archive: ObjectAddress;
  index: RootfsIndex;
}

/** The prefix of the store that has an archive. */
export function storePrefix(archiveKey: string): string {
  return archiveKey.slice(0, archiveKey.lastIndexOf('rootfs/'));
}

/** Which function uses an image. */
export interface ImageUser {
  region: string;
  functionName: string;
}

/** What there is of an image in the bucket, complete or not. */
export interface StoredObjects {
  /** Of the image's manifest. */
  digest: string;
  /** Of all its objects. */
  bytes: number;
  keys: string[];
  lastModified: Date | undefined;
  users: (ImageUser & { since: Date | undefined })[];
}

const EXTENSIONS: Readonly<Record<Compression, string>> = { gzip: 'tar.gz', zstd: 'tar.zst' };

/**
 * Images in a bucket, for execution environments to read: `<prefix>rootfs/sha256-<hex>.v1.tar.gz` or `.tar.zst`, a rootfs archive,
 * and beside it `.v1.json`, its index, which is written when the archive is there. For each function that uses an image there is a
 * marker `<prefix>images/sha256-<hex>/<region>/<function>` with the image's reference. An image goes when it has no marker.
 */
export class ImageStore {
  readonly address: ImageStoreAddress;
  readonly #context: ClientContext;
  readonly #region: string;
  readonly #removals: ImageRemovals;

  constructor(context: ClientContext, address: ImageStoreAddress, region: string) {
    this.#context = context;
    this.address = address;
    this.#region = region;
    this.#removals = new ImageRemovals(context, address);
  }

  /**
   * Marks an image as used, and sees to it that it is there. The marker comes first: whoever removes images from then on sees
   * that it is wanted, and who began before is waited for.
   *
   * @param make - writes the archive, if there is none in any form
   */
  async put(
    functionName: string,
    image: { digest: string; reference: string },
    make: (compression: Compression) => RootfsArchive,
    signal: AbortSignal,
  ): Promise<StoredImage> {
    const { objects } = this.#context;
    await objects.write(this.#marker(image.digest, functionName), image.reference, { signal });
    await this.#removals.over(signal);
    const stored = await this.find(image.digest, signal);
    if (stored) return stored;
    const archive = this.#object(image.digest, EXTENSIONS[bestCompression]);
    let index: RootfsIndex | undefined;
    const frames = make(bestCompression);
    const body = Readable.from(
      (async function* () {
        index = yield* frames;
      })(),
      { objectMode: false },
    );
    await objects.writeStream(archive, body, { signal });
    if (!index) throw new ScarError('service', `The archive of ${image.reference} was stored before its end`);
    await objects.write(this.#object(image.digest, 'json'), JSON.stringify(index), { signal });
    return { archive, index };
  }

  /** A complete image, in whatever form it is there. */
  async find(digest: string, signal: AbortSignal): Promise<StoredImage | undefined> {
    const keys = new Set((await this.#objectsOf(digest, signal)).map(({ key }) => key));
    const has = ({ key }: ObjectAddress) => keys.has(key);
    const document = this.#object(digest, 'json');
    const archive = Object.values(EXTENSIONS)
      .map((extension) => this.#object(digest, extension))
      .find(has);
    if (!archive || !has(document)) return undefined;
    const { bucket, key } = document;
    return {
      archive,
      index: parseIndex(await readText(this.#context.objects, document, signal), `s3://${bucket}/${key}`),
    };
  }

  /** All images of the bucket, and markers of images that are not there. */
  async list(signal: AbortSignal): Promise<StoredObjects[]> {
    const images = new Map<string, StoredObjects>();
    const of = (digest: string) => {
      const image = images.get(digest) ?? { digest, bytes: 0, keys: [], lastModified: undefined, users: [] };
      images.set(digest, image);
      return image;
    };
    const root = `${this.address.prefix}rootfs/`;
    for await (const page of this.#context.objects.list(this.address.bucket, { prefix: root, signal })) {
      for (const { key, bytes, lastModified } of page) {
        const hex = /^sha256-([0-9a-f]{64})\./.exec(key.slice(root.length))?.[1];
        if (hex === undefined) continue;
        const image = of(`sha256:${hex}`);
        image.keys.push(key);
        image.bytes += bytes;
        image.lastModified = lastModified;
      }
    }
    for (const { digest, user, since } of await this.#markers(signal)) of(digest).users.push({ ...user, since });
    return [...images.values()];
  }

  /** The reference by which a user named the image. */
  async referenceOf(digest: string, { region, functionName }: ImageUser, signal: AbortSignal): Promise<string> {
    return await readText(this.#context.objects, this.#marker(digest, functionName, region), signal);
  }

  /**
   * Takes back markers, and removes the images that have none then.
   *
   * @param which - says which markers, of all that there are
   * @param orphans - which images go too that had none before. Default: none
   * @returns keys of what was removed, without the markers
   */
  async release(
    which: (user: ImageUser, digest: string) => boolean,
    signal: AbortSignal,
    orphans?: (digest: string) => boolean,
  ): Promise<string[]> {
    const released = (await this.#markers(signal)).filter(({ digest, user }) => which(user, digest));
    if (released.length === 0 && !orphans) return [];
    return await this.#removals.announce(async (signal) => {
      const { objects } = this.#context;
      const { bucket } = this.address;
      await objects.deleteAll(
        bucket,
        released.map(({ key }) => key),
        signal,
      );
      const digests = new Set(released.map(({ digest }) => digest));
      const unused = (await this.list(signal)).filter(({ digest, users }) => {
        return users.length === 0 && (orphans?.(digest) || digests.has(digest));
      });
      const keys = unused.flatMap((image) => image.keys);
      await objects.deleteAll(bucket, keys, signal);
      return keys;
    }, signal);
  }

  /** Takes back a function's own markers. @param which - the digests that it no longer uses */
  releaseFunction(functionName: string, which: (digest: string) => boolean, signal: AbortSignal): Promise<string[]> {
    const mine = (user: ImageUser) => user.region === this.#region && user.functionName === functionName;
    return this.release((user, digest) => mine(user) && which(digest), signal);
  }

  async #markers(signal: AbortSignal) {
    const root = `${this.address.prefix}images/`;
    const markers: { key: string; digest: string; user: ImageUser; since: Date | undefined }[] = [];
    for await (const page of this.#context.objects.list(this.address.bucket, { prefix: root, signal })) {
      for (const { key, lastModified: since } of page) {
        const [, hex, region, functionName] =
          /^sha256-([0-9a-f]{64})\/([^/]+)\/(.+)$/.exec(key.slice(root.length)) ?? [];
        if (hex === undefined || region === undefined || functionName === undefined) continue;
        markers.push({ key, digest: `sha256:${hex}`, user: { region, functionName }, since });
      }
    }
    return markers;
  }

  async #objectsOf(digest: string, signal: AbortSignal): Promise<{ key: string }[]> {
    const { bucket, key } = this.#object(digest, '');
    const objects: { key: string }[] = [];
    for await (const page of this.#context.objects.list(bucket, { prefix: key, signal })) objects.push(...page);
    return objects;
  }

  #object(digest: string, extension: string): ObjectAddress {
    const { bucket, prefix } = this.address;
    return { bucket, key: `${prefix}rootfs/${digest.replace(':', '-')}.v1.${extension}` };
  }

  #marker(digest: string, functionName: string, region = this.#region): ObjectAddress {
    const { bucket, prefix } = this.address;
    return { bucket, key: `${prefix}images/${digest.replace(':', '-')}/${region}/${functionName}` };
  }
}

/**
 * Releases what a function no longer uses. Images that stay behind cost little and break nothing: a failure is a warning,
 * and a bucket that is gone has none.
 *
 * @returns keys of what was removed
 */
export async function releaseOrWarn(
  context: ClientContext,
  functionName: string,
  store: ImageStore,
  which: (digest: string) => boolean,
  signal: AbortSignal,
): Promise<string[]> {
  try {
    return await store.releaseFunction(functionName, which, signal);
  } catch (error) {
    if (!(error instanceof ScarError) || signal.aborted) throw error;
    if (error.code === 'bucket-not-found') return [];
    context.notify.warning({
      code: 'image-cleanup-incomplete',
      message: `An image of ${functionName} may be left in bucket ${store.address.bucket}: ${error.message}`,
      context: { functionName, ...store.address },
    });
    return [];
  }
}
