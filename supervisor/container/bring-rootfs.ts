import { createReadStream, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { ObjectStore } from '../../src/aws/object-store.js';
import {
  type ArchiveLocation,
  type FunctionSpec,
  type RegistryLocation,
  ROOTFS_FILE,
  ROOTFS_INDEX_FILE,
} from '../../src/contract/index.js';
import { ImageError, ScarError, type ScarErrorCode } from '../../src/errors.js';
import type { RootfsIndex } from '../../src/oci/archive/index-document.js';
import type { ImageConfig } from '../../src/oci/image-source.js';
import type { LinkForm } from '../../src/oci/rootfs/link-target.js';
import type { UnpackStats } from '../../src/oci/rootfs.js';

/** Where a rootfs is wanted. */
export interface RootfsPlace {
  /** Makes room for so many bytes and says where the rootfs shall appear. */
  prepare(bytes: number): Promise<string>;
  links: LinkForm;
  signal: AbortSignal;
}

export interface BroughtRootfs {
  /** As the user named the image. */
  reference: string;
  /** For people: `the bucket`. */
  from: string;
  config: ImageConfig;
  stats: UnpackStats;
}

/** Brings an image's root file system in. */
export type BringRootfs = (place: RootfsPlace) => Promise<BroughtRootfs>;

/** What a function's image is brought in with. */
export interface Origin {
  spec: Pick<FunctionSpec, 'imageReference' | 'imageDigest' | 'imageLocation' | 'platform'>;
  /** Folder of the function's package. */
  packageFolder: string;
  store(): Promise<ObjectStore>;
  log: Writable;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/**
 * How much larger than compressed an image is taken to be when room is made for its layers: Debian's and Alpine's shrink to
 * 0.35-0.45 of their size. Only for choosing what to evict; whether it fits is seen while it is unpacked.
 */
const EXPECTED_EXPANSION = 3;

/** A thousand environments that cannot have the archive do not ask the registry in the same moment. */
const REGISTRY_JITTER_MS = 5_000;

/** Failures of the archive that say nothing about the image, nor about this disk. */
const ARCHIVE_FAILURES: readonly ScarErrorCode[] = [
  'bucket-not-found',
  'image-corrupt',
  'image-not-found',
  'object-not-found',
  'permission-denied',
  'service',
  'throttled',
];

/**
 * From the rootfs archive; from the registry if there is none, or where it cannot be had and the registry gives the image to everybody.
 *
 * @throws what unpacking throws; `image-not-found` for an archive that is gone; `signal.reason` when aborted
 */
export async function bringRootfs(origin: Origin, place: RootfsPlace): Promise<BroughtRootfs> {
  const { archive, registry } = origin.spec.imageLocation;
  if (archive) {
    try {
      return await fromArchive(origin, archive, place);
    } catch (error) {
      if (!registry || place.signal.aborted || !isOfArchive(error)) throw error;
      origin.log.write(`scar: the registry is asked instead of the bucket: ${error.message}\n`);
      await origin.sleep(Math.random() * REGISTRY_JITTER_MS, place.signal);
    }
  }
  if (registry) return await fromRegistry(origin, registry, place);
  throw new ScarError('invocation-failed', 'The function must say where its image is, and does not. Create it anew');
}

function isOfArchive(error: unknown): error is ScarError {
  return error instanceof ScarError && ARCHIVE_FAILURES.includes(error.code);
}

async function fromArchive(origin: Origin, archive: ArchiveLocation, place: RootfsPlace): Promise<BroughtRootfs> {
  const { imageReference: reference, imageDigest } = origin.spec;
  // Warm environments need none of it.
  const [{ parseIndex }, { unpackArchive }] = await Promise.all([
    import('../../src/oci/archive/index-document.js'),
    import('../../src/oci/rootfs.js'),
  ]);
  const text = readFileSync(join(origin.packageFolder, ROOTFS_INDEX_FILE), 'utf8');
  const index: RootfsIndex = parseIndex(text, ROOTFS_INDEX_FILE);
  if (index.image !== imageDigest) throw otherImage(reference, imageDigest, index.image);
  const directory = await place.prepare(index.disk.bytes + index.disk.folderBytes);
  const open = () => openArchive(origin, archive, place.signal);
  const stats = await unpackArchive(index, open, reference, directory, place);
  return { reference, from: archive.type === 's3' ? 'the bucket' : 'the package', config: index.config, stats };
}

async function openArchive(
  { spec, packageFolder, store }: Origin,
  archive: ArchiveLocation,
  signal: AbortSignal,
): Promise<{ body: Readable; bytes: number }> {
  if (archive.type === 'package') {
    const file = join(packageFolder, ROOTFS_FILE);
    return { body: createReadStream(file, { highWaterMark: 1024 * 1024 }), bytes: statSync(file).size };
  }
  const { bucket, key } = archive;
  try {
    return await (await store()).read({ bucket, key }, { signal });
  } catch (error) {
    if (!(error instanceof ScarError) || !['object-not-found', 'bucket-not-found'].includes(error.code)) throw error;
    throw new ImageError(
      'image-not-found',
      `The rootfs archive of ${spec.imageReference} is no longer where the function was told to find it ` +
        `(s3://${bucket}/${key}). Create or update the function anew`,
      { context: { bucket, key }, cause: error },
    );
  }
}

async function fromRegistry(
  { spec, log }: Origin,
  { reference, insecure, mirrors: hosts = [] }: RegistryLocation,
  place: RootfsPlace,
): Promise<BroughtRootfs> {
  const { openImage, resolveImage, unpackImage } = await import('../../src/oci/index.js');
  const warn = (message: string) => void log.write(`scar: ${message}\n`);
  const source = openImage(reference, { ...(insecure !== undefined && { insecure }), mirrors: { hosts, warn } });
  try {
    const image = await resolveImage(source, spec.platform, place.signal);
    if (image.digest !== spec.imageDigest) throw otherImage(reference, spec.imageDigest, image.digest);
    const directory = await place.prepare(image.compressedBytes * EXPECTED_EXPANSION);
    const stats = await unpackImage(image, source, directory, place);
    return { reference, from: 'its registry', config: image.config, stats };
  } finally {
    await source.close();
  }
}

function otherImage(reference: string, expected: string, received: string): ImageError {
  return new ImageError(
    'image-corrupt',
    `${reference} should have the manifest ${expected}, but its source gave ${received}. Create or update the ` +
      'function anew to take what is there now',
    { context: { expected, received } },
  );
}
