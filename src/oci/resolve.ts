import { ImageError, UnsupportedImageError } from '../errors.js';
import { hashFor, sha256 } from './digest.js';
import { type Index, MAX_CONFIG_BYTES, MAX_MANIFEST_BYTES, parseConfig, parseManifest } from './documents.js';
import { excerpt } from './excerpt.js';
import type { Descriptor, ImageSource, Manifest, ResolvedImage } from './image-source.js';
import { OCI_MANIFEST } from './media-types.js';
import { readVerified, tooLarge } from './verify.js';

/** What a program was built for, in Go's words (https://go.dev/doc/install/source#environment). */
export interface TargetPlatform {
  os: string;
  architecture: string;
}

/** An index may lead to an index; a chain longer than this is no image. */
const MAX_INDEX_DEPTH = 4;

/**
 * Finds the one image that a source means for a platform: index → manifest → config, each verified.
 *
 * @throws ImageError `image-not-found`, `image-corrupt`, `image-unsafe`; UnsupportedImageError if there is none for the
 * platform; what the source throws
 */
export async function resolveImage(
  source: ImageSource,
  platform: TargetPlatform,
  signal?: AbortSignal,
): Promise<ResolvedImage> {
  const { manifest, bytes, digest } = await findManifest(source, platform, signal);
  const where = `config of ${source.reference}`;
  const blob = await source.blob(manifest.config, signal);
  const config = parseConfig(await readVerified(blob, manifest.config, MAX_CONFIG_BYTES, where), manifest, where);
  if (config.os !== platform.os || config.architecture !== platform.architecture) {
    throw wrongPlatform(source, platform, [`${config.os}/${config.architecture}`]);
  }
  return {
    reference: source.reference,
    digest,
    manifest,
    manifestBytes: bytes,
    config,
    compressedBytes: manifest.layers.reduce((sum, layer) => sum + layer.size, 0),
  };
}

interface FoundManifest {
  manifest: Manifest;
  bytes: Buffer;
  digest: string;
}

async function findManifest(
  source: ImageSource,
  platform: TargetPlatform,
  signal: AbortSignal | undefined,
): Promise<FoundManifest> {
  let wanted: Partial<Descriptor> = { digest: source.digest };
  for (let depth = 0; depth <= MAX_INDEX_DEPTH; depth++) {
    signal?.throwIfAborted();
    const { mediaType, bytes } = await source.manifest(wanted.digest, signal);
    const where = `manifest ${wanted.digest ? `${wanted.digest} ` : ''}of ${source.reference}`;
    if (bytes.length > MAX_MANIFEST_BYTES) throw tooLarge(where, bytes.length, MAX_MANIFEST_BYTES);
    if (wanted.digest !== undefined) checkDocument(bytes, wanted.digest, where);
    const document = parseManifest(bytes, wanted.mediaType ?? mediaType, where);
    if (!('manifests' in document)) return { manifest: document, bytes, digest: wanted.digest ?? sha256(bytes) };
    wanted = choosePlatform(document, source, platform);
  }
  throw new ImageError(
    'image-unsafe',
    `${source.reference} is an index of an index, more than ${MAX_INDEX_DEPTH} deep`,
  );
}

/** A manifest's size need not be checked beside its digest: it is here whole, and was capped. */
function checkDocument(bytes: Buffer, digest: string, where: string): void {
  const actual = hashFor(digest, where).update(bytes).digest('hex');
  if (digest.endsWith(`:${actual}`)) return;
  throw new ImageError(
    'image-corrupt',
    `${where} has other bytes than its digest says: their digest is ${actual}. Try again, or push the image anew.`,
    { context: { expected: digest, received: actual } },
  );
}

/** The index's manifest for a platform; one without a platform (a layout's, often) may turn out to be right. */
function choosePlatform(index: Index, source: ImageSource, platform: TargetPlatform): Descriptor {
  const matches = index.manifests.filter(
    (manifest) => manifest.platform?.os === platform.os && manifest.platform.architecture === platform.architecture,
  );
  // Of amd64's levels the lowest runs everywhere: a plain entry, or the first of v1 (the default), v2, v3.
  const chosen =
    matches.toSorted((a, b) => (a.platform?.variant ?? '').localeCompare(b.platform?.variant ?? ''))[0] ??
    index.manifests.find((manifest) => manifest.platform === undefined);
  if (chosen) return chosen;
  const offered = index.manifests.flatMap(({ platform: p }) => {
    return p && p.os !== 'unknown' ? [`${p.os}/${p.architecture}${p.variant ? `/${p.variant}` : ''}`] : [];
  });
  throw wrongPlatform(source, platform, [...new Set(offered)]);
}

function wrongPlatform(source: ImageSource, platform: TargetPlatform, offered: string[]): UnsupportedImageError {
  const wanted = `${platform.os}/${platform.architecture}`;
  return new UnsupportedImageError(
    `${source.reference} has no image for ${wanted}; it has ${excerpt(offered.join(', '), 400) || 'none'}. Build one for it, for ` +
      `example: docker buildx build --platform ${wanted}`,
    { context: { platform: wanted, offered } },
  );
}

/** An image's blobs besides its manifest, each once: what must be copied for it to be complete elsewhere. */
export function imageBlobs(image: ResolvedImage): Descriptor[] {
  const { config, layers } = image.manifest;
  return [...new Map([config, ...layers].map((blob) => [blob.digest, blob])).values()];
}

/** The descriptor of an image's own manifest, whose bytes are `image.manifestBytes`. */
export function manifestDescriptor(image: ResolvedImage): Descriptor {
  return {
    mediaType: image.manifest.mediaType ?? OCI_MANIFEST,
    digest: image.digest,
    size: image.manifestBytes.length,
  };
}
