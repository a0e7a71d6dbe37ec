import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { ImageError, UnsupportedImageError } from '../errors.js';
import { compressionOf } from './decompress.js';
import { sha256 } from './digest.js';
import { MAX_CONFIG_BYTES, MAX_MANIFEST_BYTES, parseConfig, parseJson } from './documents.js';
import type { Descriptor, ImageSource, Manifest } from './image-source.js';
import { type LayoutFiles, LayoutSource, READ_BYTES } from './layout.js';
import { DOCKER_CONFIG, DOCKER_LAYER, DOCKER_LAYER_GZIP, DOCKER_MANIFEST, OCI_LAYER_ZSTD } from './media-types.js';
import { type ArchiveReference, formatReference, parseReference } from './reference.js';
import { TarFile } from './tar/file.js';
import { tooLarge } from './verify.js';

/** One image of the archive's `manifest.json`, as `docker save` and skopeo write it. */
interface SavedImage {
  Config: string;
  RepoTags?: string[] | null;
  Layers: string[];
}

/**
 * An image in what `docker save` writes: a tar with `manifest.json`, the config and a tar for each layer; or, without a
 * `manifest.json`, with an OCI image layout. It is read in place: its table of contents once, then each blob where it is.
 */
export class ArchiveSource implements ImageSource {
  readonly reference: string;
  readonly #name: string | undefined;
  readonly #files: ArchiveFiles;
  #opened: Promise<ImageSource> | undefined;

  constructor(reference: ArchiveReference) {
    this.reference = reference.text;
    this.#name = reference.name;
    this.#files = new ArchiveFiles(resolve(reference.path));
  }

  async manifest(digest: string | undefined, signal?: AbortSignal): Promise<{ mediaType: string; bytes: Buffer }> {
    return (await this.#open(signal)).manifest(digest, signal);
  }

  async blob(descriptor: Descriptor, signal?: AbortSignal): Promise<Readable> {
    return (await this.#open(signal)).blob(descriptor, signal);
  }

  async close(): Promise<void> {}

  #open(signal: AbortSignal | undefined): Promise<ImageSource> {
    this.#opened ??= this.#choose(signal);
    this.#opened.catch(() => {
      this.#opened = undefined;
    });
    return this.#opened;
  }

  async #choose(signal: AbortSignal | undefined): Promise<ImageSource> {
    const list = await this.#files.read('manifest.json', MAX_MANIFEST_BYTES);
    if (list) {
      const saved = this.#find(savedImages(list, `manifest.json of ${this.reference}`));
      return SavedImageSource.open(this.reference, saved, this.#files, signal);
    }
    if (await this.#files.read('index.json', MAX_MANIFEST_BYTES)) {
      return new LayoutSource({ text: this.reference, ...(this.#name && { tag: this.#name }) }, this.#files);
    }
    throw new UnsupportedImageError(
      `${this.reference} has neither a manifest.json nor an index.json: it must be what "docker save" (1.10 or newer), ` +
        '"skopeo copy ... docker-archive:" or a tar of an OCI image layout has.',
    );
  }

  #find(images: SavedImage[]): SavedImage {
    const names = images.flatMap((image) => image.RepoTags ?? []);
    const list = names.length > 0 ? `It has: ${names.slice(0, 20).join(', ')}.` : 'Its images have no names.';
    const name = this.#name;
    const [first, second] = images;
    if (name === undefined && first && !second) return first;
    const found =
      name === undefined ? undefined : images.find((image) => image.RepoTags?.some((tag) => same(tag, name)));
    if (found) return found;
    const problem =
      name === undefined
        ? `the archive has ${images.length} images; say which one, as in docker-archive:FILE.tar:NAME:TAG.`
        : `the archive has no image named "${name}".`;
    throw new ImageError('image-not-found', `${this.reference}: ${problem} ${list}`, { context: { names } });
  }
}

/** An image of a `manifest.json`. It has no manifest of its own, so one is written that means the same, always alike. */
class SavedImageSource implements ImageSource {
  private constructor(
    readonly reference: string,
    readonly bytes: Buffer,
    readonly paths: ReadonlyMap<string, string>,
    readonly files: ArchiveFiles,
  ) {}

  static async open(
    reference: string,
    saved: SavedImage,
    files: ArchiveFiles,
    signal: AbortSignal | undefined,
  ): Promise<SavedImageSource> {
    const missing = (path: string): ImageError =>
      new ImageError('image-corrupt', `${reference} is not complete: it has no ${path}. Save the image again.`);
    const configBytes = await files.read(saved.Config, MAX_CONFIG_BYTES);
    if (configBytes === undefined) throw missing(saved.Config);
    const paths = new Map<string, string>();
    const config = { mediaType: DOCKER_CONFIG, digest: sha256(configBytes), size: configBytes.length };
    paths.set(config.digest, saved.Config);

    const manifest: Manifest = { schemaVersion: 2, mediaType: DOCKER_MANIFEST, config, layers: [] };
    const { rootfs } = parseJson(configBytes, `config of ${reference}`) as { rootfs?: { diff_ids?: string[] } };
    for (const [index, path] of saved.Layers.entries()) {
      signal?.throwIfAborted();
      const layer = await describeLayer(files, path, rootfs?.diff_ids?.[index] ?? '', signal);
      if (layer === undefined) throw missing(path);
      manifest.layers.push(layer);
      paths.set(layer.digest, path);
    }
    parseConfig(configBytes, manifest, `config of ${reference}`);
    return new SavedImageSource(reference, Buffer.from(JSON.stringify(manifest)), paths, files);
  }

  async manifest(): Promise<{ mediaType: string; bytes: Buffer }> {
    return { mediaType: DOCKER_MANIFEST, bytes: this.bytes };
  }

  async blob(descriptor: Descriptor): Promise<Readable> {
    const path = this.paths.get(descriptor.digest);
    const stream = path === undefined ? undefined : await this.files.stream(path);
    if (stream) return stream;
    throw new ImageError(
      'image-not-found',
      `${this.reference} has no blob ${descriptor.digest}. Save the image again.`,
    );
  }

  async close(): Promise<void> {}
}

/** A plain layer's digest is its diffID, which is checked when it is unpacked; a compressed one has to be read for it. */
async function describeLayer(
  files: ArchiveFiles,
  path: string,
  diffId: string,
  signal: AbortSignal | undefined,
): Promise<Descriptor | undefined> {
  const size = await files.size(path);
  if (size === undefined) return undefined;
  const compression = compressionOf(await files.head(path));
  if (compression === 'none') return { mediaType: DOCKER_LAYER, digest: diffId, size };
  const hash = createHash('sha256');
  for await (const chunk of (await files.stream(path)) ?? []) {
    signal?.throwIfAborted();
    hash.update(chunk as Buffer);
  }
  const mediaType = compression === 'zstd' ? OCI_LAYER_ZSTD : DOCKER_LAYER_GZIP;
  return { mediaType, digest: `sha256:${hash.digest('hex')}`, size };
}

/** The files of an archive, read where they are. */
class ArchiveFiles implements LayoutFiles {
  readonly location: string;
  #tar: Promise<TarFile> | undefined;

  constructor(location: string) {
    this.location = location;
  }

  async size(path: string): Promise<number | undefined> {
    return (await this.#index()).find(path)?.size;
  }

  async read(path: string, maxBytes: number): Promise<Buffer | undefined> {
    const size = await this.size(path);
    if (size !== undefined && size > maxBytes) throw tooLarge(`${path} of ${this.location}`, size, maxBytes);
    return this.#bytes(path, maxBytes);
  }

  /** The first bytes, enough to tell how a layer is compressed. */
  async head(path: string): Promise<Buffer> {
    return (await this.#bytes(path, 16)) ?? Buffer.alloc(0);
  }

  async stream(path: string): Promise<Readable | undefined> {
    const found = (await this.#index()).find(path);
    if (found === undefined) return undefined;
    if (found.size === 0) return Readable.from([]);
    const end = found.offset + found.size - 1;
    return createReadStream(this.location, { start: found.offset, end, highWaterMark: READ_BYTES });
  }

  async close(): Promise<void> {}

  async #bytes(path: string, maxBytes: number): Promise<Buffer | undefined> {
    const found = (await this.#index()).find(path);
    if (found === undefined) return undefined;
    const file = await open(this.location);
    try {
      const buffer = Buffer.alloc(Math.min(found.size, maxBytes));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, found.offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  #index(): Promise<TarFile> {
    this.#tar ??= TarFile.index(this.location);
    return this.#tar;
  }
}

function savedImages(bytes: Buffer, where: string): SavedImage[] {
  const wrapped = parseJson(Buffer.concat([Buffer.from('{"images":'), bytes, Buffer.from('}')]), where);
  const { images } = wrapped as { images: unknown };
  const sound = (image: unknown): image is SavedImage => {
    const { Config, RepoTags, Layers } = (image ?? {}) as Partial<SavedImage>;
    return typeof Config === 'string' && isTexts(Layers) && (RepoTags === null || isTexts(RepoTags ?? []));
  };
  if (Array.isArray(images) && images.length > 0 && images.every(sound)) return images;
  throw new ImageError('image-corrupt', `${where} must be a list of images with Config, RepoTags and Layers`);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** Whether two names mean the same image: `debian:12` and `docker.io/library/debian:12`. */
function same(a: string, b: string): boolean {
  const full = (name: string): string => {
    try {
      const reference = parseReference(name);
      return reference.type === 'registry' ? formatReference(reference) : name;
    } catch {
      return name;
    }
  };
  return a === b || full(a) === full(b);
}
