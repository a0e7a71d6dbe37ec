import { TAGS } from '../contract/index.js';
import { ScarError, ValidationError } from '../errors.js';
import { type ClientContext, underClient } from './context.js';
import type { CallOptions } from './get-function.js';
import { ImageStore, type ImageUser, type StoredObjects } from './image-store.js';
import { type ImageInspection, type InspectImageOptions, inspectImage } from './inspect-image.js';
import { configuredStore } from './publish-image.js';
import * as check from './validate.js';

/** An image in the image bucket. */
export interface CachedImage {
  /** Of its manifest. */
  digest: string;
  /** As one of its functions names it; undefined if it has none. */
  reference: string | undefined;
  /** Of its archive, compressed. */
  bytes: number;
  lastModified: Date | undefined;
  /** Functions that were made with it. */
  functions: ImageUser[];
}

export interface PruneImagesOptions extends CallOptions {
  /** Only what is as old as this, as a function may be about to be made. Default 24. */
  minAgeHours?: number;
  /** Only say what would be removed. Default false. */
  dryRun?: boolean;
}

export interface PrunedImages {
  /** Images that were removed: no function has them. */
  images: CachedImage[];
  /** What they took in the bucket. */
  bytes: number;
  /** Uploads that were cut off, and are ended. */
  uploads: number;
}

const HOUR_MS = 3_600_000;

/** The images of a client: `ScarClient.images`. */
export class Images {
  readonly #context: ClientContext;

  constructor(context: ClientContext) {
    this.#context = context;
  }

  /**
   * Says what an image is, what it needs, and whether it fits: reads all its layers once, unless it is in the image bucket.
   *
   * @param reference - as for createFunction
   * @throws ValidationError, ImageError, RegistryError; the signal's reason
   * @example
   * const { libc, needs, fits } = await scar.images.inspect('python:3.12', { ephemeralStorageMiB: 1024 });
   */
  async inspect(reference: string, options?: InspectImageOptions): Promise<ImageInspection> {
    return inspectImage(this.#context, reference, options);
  }

  /**
   * The images in the image bucket; small ones ride in their functions' packages and are not among them.
   *
   * @throws ValidationError if no bucket is known; ScarError; the signal's reason
   */
  async list(options: CallOptions = {}): Promise<CachedImage[]> {
    check.knownOptions(options, ['signal'], 'images.list');
    check.abortSignal(options.signal);
    return underClient(this.#context, options.signal, async (signal) => {
      const store = await this.#store();
      const stored = await storedIn(store, signal);
      return await Promise.all(
        stored.filter(({ keys }) => keys.length > 0).map((image) => describe(store, image, signal)),
      );
    });
  }

  /**
   * Removes images that no function has any more, whoever deleted them and however: after a client that was killed, or functions that
   * were deleted in the console. Functions of other Regions are taken to be there.
   *
   * @throws ValidationError; ScarError; the signal's reason
   * @example
   * const { bytes } = await scar.images.prune({ dryRun: true });
   */
  async prune(options: PruneImagesOptions = {}): Promise<PrunedImages> {
    check.knownOptions(options, ['minAgeHours', 'dryRun', 'signal'], 'images.prune');
    check.integer('minAgeHours', options.minAgeHours, { min: 0, max: 24 * 365 });
    check.optionalBoolean('dryRun', options.dryRun);
    check.abortSignal(options.signal);
    return underClient(this.#context, options.signal, async (signal) => {
      const { minAgeHours = 24, dryRun = false } = options;
      const before = Date.now() - minAgeHours * HOUR_MS;
      const store = await this.#store();
      const stored = await storedIn(store, signal);
      const stale = await this.#staleUsers(stored, before, signal);
      const isStale = (digest: string, user: ImageUser) => stale.has(`${digest} ${user.region} ${user.functionName}`);
      const unused = stored.filter(({ digest, users, lastModified }) => {
        return (lastModified?.getTime() ?? 0) <= before && users.every((user) => isStale(digest, user));
      });
      const images = await Promise.all(unused.map((image) => describe(store, image, signal)));
      const bytes = unused.reduce((sum, image) => sum + image.bytes, 0);
      const { bucket, prefix } = store.address;
      const uploads = await this.#context.buckets.endUploads(
        bucket,
        `${prefix}rootfs/`,
        new Date(before),
        dryRun,
        signal,
      );
      if (!dryRun && unused.length > 0) {
        const digests = new Set(unused.map(({ digest }) => digest));
        await store.release(
          (user, digest) => isStale(digest, user),
          signal,
          (digest) => digests.has(digest),
        );
      }
      return { images: images.filter(({ bytes }) => bytes > 0), bytes, uploads };
    });
  }

  /** Markers of functions that are gone, or have another image. */
  async #staleUsers(stored: readonly StoredObjects[], before: number, signal: AbortSignal): Promise<Set<string>> {
    const region = await this.#context.region();
    const digests = new Map<string, Promise<string | undefined>>();
    const stale = new Set<string>();
    for (const { digest, users } of stored) {
      for (const { region: where, functionName, since } of users) {
        if (where !== region || (since?.getTime() ?? 0) > before) continue;
        const running = digests.get(functionName) ?? this.#digestOf(functionName, signal);
        digests.set(functionName, running);
        if ((await running) !== digest) stale.add(`${digest} ${where} ${functionName}`);
      }
    }
    return stale;
  }

  async #digestOf(functionName: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      return (await this.#context.functions.get(functionName, signal)).tags[TAGS.digest];
    } catch (error) {
      if (error instanceof ScarError && error.code === 'function-not-found') return undefined;
      throw error;
    }
  }

  async #store(): Promise<ImageStore> {
    const region = await this.#context.region();
    const address = configuredStore(this.#context.config, region);
    if (address) return new ImageStore(this.#context, address, region);
    const hint = 'Or give the client the roleArn of its functions, whose account names the default bucket';
    throw new ValidationError('imageBucket', 'be the bucket that keeps images', undefined, hint);
  }
}

/** A bucket that nobody has made yet has no images. */
async function storedIn(store: ImageStore, signal: AbortSignal): Promise<StoredObjects[]> {
  try {
    return await store.list(signal);
  } catch (error) {
    if (error instanceof ScarError && error.code === 'bucket-not-found') return [];
    throw error;
  }
}

async function describe(store: ImageStore, image: StoredObjects, signal: AbortSignal): Promise<CachedImage> {
  const { digest, bytes, lastModified, users } = image;
  const [first] = users;
  const reference = first && (await store.referenceOf(digest, first, signal));
  const functions = users.map(({ region, functionName }) => ({ region, functionName }));
  return { digest, reference, bytes, lastModified, functions };
}
