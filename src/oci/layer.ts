import { createHash } from 'node:crypto';
import { ImageError } from '../errors.js';
import { decompressed } from './decompress.js';
import { parseDigest } from './digest.js';
import type { Descriptor } from './image-source.js';
import { TarReader, type TarSink } from './tar/reader.js';
import { verified } from './verify.js';

/** One layer on its way into a root file system. */
export interface LayerPass {
  /** The blob's bytes as stored. */
  blob: AsyncIterable<Uint8Array>;
  descriptor: Descriptor;
  /** Digest of the decompressed archive, from the image's config. */
  diffId: string;
  /** How messages call it: `layer 2 of alpine:3`. */
  where: string;
  /** Compressed bytes as they pass. */
  onBytes?: (bytes: number) => void;
  signal?: AbortSignal;
}

/**
 * One streaming pass: blob → size and digest → decompress → diffID → entries. The sink has seen every entry before the
 * digests are known to be right, so what it made counts only when this returns.
 */
export async function applyLayer(layer: LayerPass, sink: TarSink): Promise<void> {
  const tar = new TarReader(sink);
  for await (const chunk of layerTar(layer)) tar.write(chunk);
  tar.end();
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
