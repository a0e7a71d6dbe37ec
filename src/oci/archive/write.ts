import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { ImageSource } from '../image-source.js';
import { layersOf, layerTar } from '../layer.js';
import type { FileNode } from '../rootfs/memory-tree.js';
import { TarReader, type TarSink } from '../tar/reader.js';
import { END_BYTES, padding, tarHeader } from '../tar/writer.js';
import { type Compression, writeFrame } from './frame.js';
import { CHUNK_BYTES, type RootfsIndex } from './index-document.js';
import type { MergedImage, PassOptions } from './merge.js';

/** An archive on its way out: the frames as they are made, then the index that says what they have. */
export type RootfsArchive = AsyncGenerator<Buffer, RootfsIndex>;

/**
 * Reads an image's layers a second time and writes what of them is left as one tar archive: folders, then files in the order of the
 * layers, each with its other names behind it, then symbolic links. Bytes and digests follow from the image alone.
 *
 * @param merged - what the first reading found
 * @param source - the same image again
 */
export async function* writeArchive(
  merged: MergedImage,
  source: ImageSource,
  compression: Compression,
  options: PassOptions,
): RootfsArchive {
  const { image, contents } = merged;
  const chunks: string[] = [];
  const underWay: Promise<Buffer>[] = [];
  try {
    for await (const chunk of archiveChunks(merged, source, options)) {
      chunks.push(createHash('sha256').update(chunk).digest('hex'));
      const frame = writeFrame(chunk, compression);
      frame.catch(() => {});
      underWay.push(frame);
      const oldest = underWay.length > PROCESSORS ? underWay.shift() : undefined;
      if (oldest) yield await oldest;
    }
    for (const frame of underWay.splice(0)) yield await frame;
  } finally {
    await Promise.allSettled(underWay);
  }
  const { architecture, os, config, rootfs } = image.config;
  const kept = { architecture, os, ...(config && { config }), rootfs };
  return { version: 1, image: image.digest, config: kept, ...contents, chunks };
}

const PROCESSORS = availableParallelism();

async function* archiveChunks(
  { image, tree }: MergedImage,
  source: ImageSource,
  options: PassOptions,
): AsyncGenerator<Buffer> {
  const out = new Chunks();
  const files = new Map<number, { node: FileNode; names: string[] }>();
  out.add(tarHeader({ ...plain, type: 'directory', name: './', mode: tree.root.mode, mtime: tree.root.mtime }));
  for (const [path, node] of tree.walk()) {
    if (node.type === 'folder') {
      out.add(tarHeader({ ...plain, type: 'directory', name: path, mode: node.mode, mtime: node.mtime }));
    } else if (node.type === 'file') {
      const file = files.get(node.entry);
      if (file) file.names.push(path);
      else files.set(node.entry, { node, names: [path] });
    }
    yield* out.full();
  }
  let entry = 0;
  const kept = new KeptFiles(out, () => files.get(++entry));
  for await (const layer of layersOf(image, source, options)) {
    const reader = new TarReader(kept);
    for await (const bytes of layerTar(layer)) {
      reader.write(bytes);
      yield* out.full();
    }
    reader.end();
  }
  for (const [path, node] of tree.walk()) {
    if (node.type !== 'link') continue;
    out.add(tarHeader({ ...plain, type: 'symlink', name: path, linkName: node.target, mtime: node.mtime }));
    yield* out.full();
  }
  out.add(Buffer.alloc(END_BYTES));
  yield* out.full();
  yield* out.rest();
}

const plain = { linkName: '', size: 0, mode: 0o777 };

/** Takes the layers' entries, and passes on those that are left when all layers are applied. */
class KeptFiles implements TarSink {
  readonly #out: Chunks;
  readonly #next: () => { node: FileNode; names: string[] } | undefined;
  #file: { node: FileNode; names: string[] } | undefined;

  /** @param next - called for each entry in turn: the file that has its content */
  constructor(out: Chunks, next: () => { node: FileNode; names: string[] } | undefined) {
    this.#out = out;
    this.#next = next;
  }

  entry(): void {
    this.#file = this.#next();
    if (!this.#file) return;
    const { node, names } = this.#file;
    const { size, mode, mtime, sparse } = node;
    const name = names[0] ?? '';
    this.#out.add(tarHeader({ type: 'file', name, linkName: '', size, mode, mtime, ...(sparse && { sparse }) }));
  }

  content(bytes: Buffer): void {
    if (this.#file) this.#out.add(bytes);
  }

  entryEnd(): void {
    if (!this.#file) return;
    const { node, names } = this.#file;
    this.#out.add(Buffer.alloc(padding(node.size)));
    const [linkName = '', ...others] = names;
    for (const name of others) this.#out.add(tarHeader({ ...plain, type: 'link', name, linkName, mtime: node.mtime }));
    this.#file = undefined;
  }
}

/** Bytes gathered into chunks of one size. */
class Chunks {
  #chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  #filled = 0;
  #full: Buffer[] = [];

  add(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const taken = bytes.copy(this.#chunk, this.#filled, at);
      at += taken;
      this.#filled += taken;
      if (this.#filled < CHUNK_BYTES) continue;
      this.#full.push(this.#chunk);
      this.#chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      this.#filled = 0;
    }
  }

  *full(): Generator<Buffer> {
    const full = this.#full;
    this.#full = [];
    yield* full;
  }

  *rest(): Generator<Buffer> {
    if (this.#filled > 0) yield this.#chunk.subarray(0, this.#filled);
  }
}
