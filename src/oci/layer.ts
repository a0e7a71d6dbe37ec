import { createHash } from 'node:crypto';
import { ImageError } from '../errors.js';
import { blobsAhead } from './blobs-ahead.js';
import { decompressed } from './decompress.js';
import { parseDigest } from './digest.js';
import type { Descriptor, ImageSource, ResolvedImage } from './image-source.js';
import { corruptIn } from './tar/header.js';
import { TarReader, type TarSink } from './tar/reader.js';
import { verified } from './verify.js';

/** One layer on its way into a root file system. */
export interface LayerPass {
  /** From 0, the lowest. */
  index: number;
  /** The blob's bytes as stored. */
  blob: AsyncIterable<Uint8Array>;
  descriptor: Descriptor;
  /** Digest of the decompressed archive, from the image's config. */
  diffId: string;
  /** How messages call it: `layer 2 of alpine:3`. */
  where: string;
  /** Compressed bytes as they pass. */
  onBytes?: ((bytes: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * An image's layers in order, the next ones fetched meanwhile.
 *
 * @param options.onBytes - compressed bytes as they pass, and of which layer they are, from 0
 */
export async function* layersOf(
  image: ResolvedImage,
  source: ImageSource,
  {
    onBytes,
    signal,
  }: { onBytes?: ((bytes: number, index: number) => void) | undefined; signal?: AbortSignal | undefined },
): AsyncGenerator<LayerPass> {
  for await (const { index, descriptor, blob } of blobsAhead(source, image.manifest.layers, signal)) {
    yield {
      index,
      blob,
      descriptor,
      diffId: image.config.rootfs.diff_ids[index] ?? '',
      where: `layer ${index + 1} of ${image.reference}`,
      onBytes: onBytes && ((bytes) => onBytes(bytes, index)),
      signal,
    };
  }
}

/**
 * One streaming pass: blob → size and digest → decompress → diffID → entries. The sink has seen every entry before the
 * digests are known to be right, so what it made counts only when this returns.
 */
export async function applyLayer(layer: LayerPass, sink: TarSink): Promise<void> {
  const tar = new TarReader(sink);
  try {
    for await (const chunk of layerTar(layer)) tar.write(chunk);
    tar.end();
  } catch (error) {
    // Damage on the way mostly shows here first, before its digest does.
    throw corruptIn(error, layer.where, 'Try again, or push the image anew.');
  }
}

/** A layer's archive, decompressed. Throws at its end unless size, digest and diffID are what was promised. */
export async function* layerTar(layer: LayerPass): AsyncGenerator<Buffer> {
  const { algorithm, hex } = parseDigest(layer.diffId, `the diffID of ${layer.where}`);
  const diffId = createHash(algorithm);
  const compressed = verified(layer.blob, layer.descriptor, layer.where, layer.onBytes);
  for await (const chunk of decompressed(compressed, layer.where)) {
    layer.signal?.throwIfAborted();
    diffId.update(chunk);
    yield chunk;
  }
  const actual = diffId.digest('hex');
  if (actual === hex) return;
  throw new ImageError(
    'image-corrupt',
    `${layer.where} should have the diffID ${layer.diffId}, as the image's config says, but decompressed it has ` +
      `${algorithm}:${actual}. Config and layer are not of the same image; push it anew.`,
    { context: { expected: layer.diffId, received: `${algorithm}:${actual}` } },
  );
}
