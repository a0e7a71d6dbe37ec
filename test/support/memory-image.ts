import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { Descriptor, ImageConfig, ImageSource, ResolvedImage } from '../../src/oci/image-source.js';

export interface MemoryImageOptions {
  /** Makes the stored form of a layer. Default gzip. */
  compress?: (tar: Buffer) => Buffer;
  /** Changes what is stored behind the descriptors' back. */
  tamper?: (blob: Buffer, layer: number) => Buffer;
  /** Changes a layer's descriptor. */
  describe?: (descriptor: Descriptor) => Partial<Descriptor>;
  /** Changes the config. */
  configure?: (config: ImageConfig) => void;
  /** Bytes a piece. */
  pieceBytes?: number;
}

/** An image whose layers a test wrote itself, served from memory. */
export class MemoryImage implements ImageSource {
  readonly reference = 'memory:test';
  readonly blobs = new Map<string, Buffer>();
  readonly manifestBytes: Buffer;
  readonly #resolved: ResolvedImage;
  readonly #pieceBytes: number;
  /** Blobs asked for. */
  readonly requests: string[] = [];

  constructor(layers: Buffer[], options: MemoryImageOptions = {}) {
    const compress = options.compress ?? ((bytes: Buffer) => gzipSync(bytes, { level: 1 }));
    this.#pieceBytes = options.pieceBytes ?? 64 * 1024;
    const descriptors = layers.map((tar, index) => {
      const stored = compress(tar);
      const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
      const descriptor = { mediaType, digest: digestOf(stored), size: stored.length };
      const described = { ...descriptor, ...options.describe?.(descriptor) };
      this.blobs.set(described.digest, options.tamper?.(stored, index) ?? stored);
      return described;
    });
    const config: ImageConfig = {
      os: 'linux',
      architecture: 'amd64',
      config: { Cmd: ['/bin/true'] },
      rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
    };
    options.configure?.(config);
    const configBytes = Buffer.from(JSON.stringify(config));
    this.blobs.set(digestOf(configBytes), configBytes);
    const manifest = {
      schemaVersion: 2 as const,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: digestOf(configBytes),
        size: configBytes.length,
      },
      layers: descriptors,
    };
    this.manifestBytes = Buffer.from(JSON.stringify(manifest));
    this.#resolved = {
      reference: this.reference,
      digest: digestOf(this.manifestBytes),
      manifest,
      manifestBytes: this.manifestBytes,
      config,
      compressedBytes: descriptors.reduce((sum, layer) => sum + layer.size, 0),
    };
  }

  /** The image without resolving it, for tests of what comes after. */
  get resolved(): ResolvedImage {
    return this.#resolved;
  }

  async manifest(): Promise<{ mediaType: string; bytes: Buffer }> {
    return { mediaType: this.#resolved.manifest.mediaType ?? '', bytes: this.manifestBytes };
  }

  async blob(descriptor: Descriptor): Promise<Readable> {
    this.requests.push(descriptor.digest);
    const bytes = this.blobs.get(descriptor.digest) ?? Buffer.alloc(0);
    return Readable.from(this.pieces(bytes), { objectMode: false });
  }

  /** Bytes as this image gives them. */
  *pieces(bytes: Buffer): Generator<Buffer> {
    const size = this.#pieceBytes;
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }

  async close(): Promise<void> {}
}

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Writes an image as an OCI layout, with a name. */
export async function writeLayout(image: MemoryImage, directory: string, tag: string): Promise<void> {
  await mkdir(join(directory, 'blobs/sha256'), { recursive: true });
  const blobs = [...image.blobs, [image.resolved.digest, image.manifestBytes] as const];
  for (const [digest, bytes] of blobs) {
    await writeFile(join(directory, 'blobs', digest.replace(':', '/')), bytes);
  }
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const manifest = {
    mediaType: image.resolved.manifest.mediaType,
    digest: image.resolved.digest,
    size: image.manifestBytes.length,
    annotations: { 'org.opencontainers.image.ref.name': tag },
  };
  await writeFile(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
}
