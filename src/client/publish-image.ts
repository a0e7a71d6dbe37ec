import { type ArchiveLocation, type ImageLocation, TAGS } from '../contract/index.js';
import { ScarError } from '../errors.js';
import {
  bestCompression,
  type Compression,
  mergeLayers,
  type RootfsArchive,
  type RootfsIndex,
  SpooledSource,
  writeArchive,
} from '../oci/archive/index.js';
import { countBytes } from '../util/count-bytes.js';
import { formatBytes } from '../util/format-bytes.js';
import type { ClientConfig } from './config.js';
import type { ClientContext } from './context.js';
import { refuseSmallDisk } from './disk-size.js';
import type { ProgressEvent } from './events.js';
import type { FunctionImage } from './function-image.js';
import { ImageStore, type ImageStoreAddress } from './image-store.js';
import { Rollback } from './rollback.js';

/** Layers of up to so many bytes ride in the function's package: nothing is faster for an environment to reach. */
const PACKAGED_LAYER_BYTES = 8 * 1024 * 1024;
/** Of the archive then. Layers of other compressors may have been smaller. */
const PACKAGED_ARCHIVE_BYTES = 24 * 1024 * 1024;

/** How execution environments come to an image. */
export interface PublishedImage {
  location: ImageLocation;
  /** For the package, of an image that has a rootfs archive. */
  index?: RootfsIndex;
  /** The archive itself, if it goes into the package. */
  rootfs?: Uint8Array;
}

export interface PublishOptions {
  /** The function's role: its account names the default bucket. */
  roleArn: string;
  /** Of the function, to refuse an image that does not fit. */
  ephemeralStorageMiB: number;
  /** Learns what was made. */
  undo: Rollback;
  progress(step: ProgressEvent['step'], message: string, counted: { done: number; total: number }): void;
  signal: AbortSignal;
}

/**
 * Makes sure that execution environments can bring the image in: pulls it once, and keeps it as one archive in the package or in the
 * image bucket, unless it is there.
 *
 * @throws what reading the image throws; ScarError `no-space` before anything is stored, for an image that does not fit the function
 */
export async function publishImage(
  context: ClientContext,
  functionName: string,
  found: FunctionImage,
  options: PublishOptions,
): Promise<PublishedImage> {
  const { image, registry, imageSource } = found;
  if (imageSource === 'registry' && registry) return { location: { registry } };
  const fallBack = registry && { registry };
  if (image.compressedBytes <= PACKAGED_LAYER_BYTES) {
    const packaged = await packArchive(makeArchive(found, bestCompression, options));
    if (packaged) return { ...packaged, location: { archive: { type: 'package' }, ...fallBack } };
  }
  const stored = new Rollback();
  options.undo.made('what was stored of the image', () => stored.run(functionName, context.notify));
  try {
    const { archive, index } = await storeImage(context, functionName, found, { ...options, undo: stored });
    refuseSmallDisk(image.reference, index.disk, options.ephemeralStorageMiB);
    const location: ArchiveLocation = { type: 's3', bucket: archive.bucket, key: archive.key };
    return { location: { archive: location, ...fallBack }, index };
  } catch (error) {
    const refused = error instanceof ScarError && error.code === 'permission-denied';
    if (!refused || !fallBack || imageSource === 'cache') throw error;
    context.notify.warning({
      code: 'image-not-cached',
      message: `${image.reference} is not kept in a bucket, so that each environment pulls it from its registry: ${error.message}`,
      context: { functionName, image: image.reference, error: error.message },
    });
    // A bucket may have been made, or a marker written, before the refusal.
    await stored.run(functionName, context.notify);
    return { location: fallBack };
  }
}

/** Reads the image twice and writes what its layers come to; a registry's blobs are kept on this disk meanwhile. */
async function* makeArchive(
  { image, source, reference }: Pick<FunctionImage, 'image' | 'source' | 'reference'>,
  compression: Compression,
  { ephemeralStorageMiB, progress, signal }: PublishOptions,
): RootfsArchive {
  const counter = (step: ProgressEvent['step'], doing: string) =>
    countBytes(image.compressedBytes, (done, total) => {
      progress(step, `${doing}: ${formatBytes(done)} of ${formatBytes(total)}`, { done, total });
    });
  const reading = counter('read-image', 'Reading the image');
  const spooled = reference.type === 'registry' ? new SpooledSource(source, { onBytes: reading, signal }) : undefined;
  try {
    const read = { signal, ...(!spooled && { onBytes: reading }) };
    const merged = await mergeLayers(image, spooled ?? source, read);
    refuseSmallDisk(image.reference, merged.contents.disk, ephemeralStorageMiB);
    const onBytes = counter('upload-image', 'Merging and storing its layers');
    return yield* writeArchive(merged, spooled ?? source, compression, { signal, onBytes });
  } finally {
    await spooled?.close();
  }
}

/** The archive as a whole; undefined if it is larger than a package should be. */
async function packArchive(frames: RootfsArchive): Promise<Required<Omit<PublishedImage, 'location'>> | undefined> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const next = await frames.next();
    if (next.done) return { index: next.value, rootfs: Buffer.concat(pieces) };
    bytes += next.value.length;
    if (bytes > PACKAGED_ARCHIVE_BYTES) break;
    pieces.push(next.value);
  }
  await frames.return(undefined as never);
  return undefined;
}

async function storeImage(context: ClientContext, functionName: string, found: FunctionImage, options: PublishOptions) {
  const { undo, signal, roleArn } = options;
  const { image } = found;
  const region = await context.region();
  const address = imageStoreAddress(context.config, region, roleArn);
  // A bucket that the user named must be there: creating one after a slip of the pen would hide the slip.
  if (context.config.imageBucket === undefined && (await context.buckets.create(address.bucket, region, signal))) {
    undo.made(`bucket ${address.bucket}`, () => context.buckets.deleteIfEmpty(address.bucket));
  }
  const store = new ImageStore(context, address, region);
  undo.made(`the image in bucket ${address.bucket}`, async () => {
    // By then the name may be somebody else's who was faster, or the function may have had this image before.
    const kept = await digestInUse(context, functionName);
    const gone = (digest: string) => digest === image.digest && digest !== kept;
    await store.releaseFunction(functionName, gone, new AbortController().signal);
  });
  return await store.put(functionName, image, (compression) => makeArchive(found, compression, options), signal);
}

/** The image that a function runs; undefined if there is no such function. */
async function digestInUse(context: ClientContext, functionName: string): Promise<string | undefined> {
  try {
    return (await context.functions.get(functionName)).tags[TAGS.digest];
  } catch (error) {
    if (error instanceof ScarError && error.code === 'function-not-found') return undefined;
    throw error;
  }
}

/** The configured bucket, or the one named after account and Region. */
export function imageStoreAddress(config: ClientConfig, region: string, roleArn: string): ImageStoreAddress {
  const account = roleArn.split(':')[4] ?? '';
  return { bucket: config.imageBucket ?? `scar-images-${account}-${region}`, prefix: config.imagePrefix };
}

/** The store that the client's own configuration names; undefined if it names none. */
export function configuredStore(config: ClientConfig, region: string): ImageStoreAddress | undefined {
  if (config.imageBucket === undefined && config.roleArn === undefined) return undefined;
  return imageStoreAddress(config, region, config.roleArn ?? '');
}
