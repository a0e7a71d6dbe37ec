import { randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, rename, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { ScarError, UnsupportedImageError, ValidationError } from '../errors.js';
import { formatBytes } from '../util/format-bytes.js';
import { removeTree } from '../util/remove-tree.js';
import type { RootfsIndex } from './archive/index-document.js';
import { archiveTar } from './archive/read.js';
import type { ImageSource, ResolvedImage } from './image-source.js';
import { applyLayer, layersOf } from './layer.js';
import { DiskTree } from './rootfs/disk-tree.js';
import { type LinkForm, runnersLinks } from './rootfs/link-target.js';
import { noSpace, SpaceBudget, type SpaceLimits } from './rootfs/space.js';
import { RootfsWriter } from './rootfs/writer.js';
import { TarReader } from './tar/reader.js';

export interface UnpackOptions extends SpaceLimits {
  signal?: AbortSignal;
  /** Called as compressed bytes arrive. */
  onProgress?: (progress: UnpackProgress) => void;
  /** How symbolic links are written. Default: for the in-process runner, without mounts. */
  links?: LinkForm;
}

export interface UnpackProgress {
  /** Compressed bytes so far, of all layers. */
  bytes: number;
  totalBytes: number;
  /** Number of the present layer, from 1. */
  layer: number;
  layers: number;
}

/** What unpacking an image made. */
export interface UnpackStats {
  layers: number;
  /** Entries of all layers, files among them. */
  entries: number;
  files: number;
  /** Bytes of file content written. */
  bytes: number;
  compressedBytes: number;
}

/**
 * Unpacks an image into a root file system: the whole way of every layer, lowest first, in one pass each, while the next
 * layers are fetched.
 *
 * `directory` must not exist; it appears complete, by a rename, or not at all: an error, an abort and a kill leave at most
 * a sibling that {@link isUnfinished} knows.
 *
 * @throws ImageError `image-corrupt` or `image-unsafe`; ScarError `no-space`; ValidationError if the folder cannot be made;
 * what the source throws; `signal.reason` when aborted
 */
export function unpackImage(
  image: ResolvedImage,
  source: ImageSource,
  directory: string,
  options: UnpackOptions = {},
): Promise<UnpackStats> {
  const { signal, onProgress } = options;
  const { layers } = image.manifest;
  const totalBytes = image.compressedBytes;
  return makeRootfs(image.reference, directory, options, async (writer, budget) => {
    if (totalBytes > budget.bytesLeft) {
      throw noSpace(dirname(resolve(directory)), budget.bytesLeft, `${formatBytes(totalBytes)} even compressed`);
    }
    let bytes = 0;
    const onBytes = (count: number, index: number) => {
      bytes += count;
      onProgress?.({ bytes, totalBytes, layer: index + 1, layers: layers.length });
    };
    for await (const layer of layersOf(image, source, { onBytes, signal })) {
      writer.startLayer(layer.index === 0);
      await applyLayer(layer, writer);
    }
    return { layers: layers.length, compressedBytes: bytes };
  });
}

/**
 * The same from a rootfs archive, whose layers are merged: refused before a byte of it is read if it does not fit.
 *
 * @param open - the archive's bytes, and how many there are
 * @param reference - what messages call the image
 */
export function unpackArchive(
  index: RootfsIndex,
  open: () => Promise<{ body: Readable; bytes: number }>,
  reference: string,
  directory: string,
  options: UnpackOptions = {},
): Promise<UnpackStats> {
  const { signal, onProgress } = options;
  return makeRootfs(reference, directory, options, async (writer, budget) => {
    budget.refuseUnlessFits(index.disk);
    const { body, bytes: totalBytes } = await open();
    let bytes = 0;
    const onBytes = (count: number) => {
      bytes += count;
      onProgress?.({ bytes, totalBytes, layer: 1, layers: 1 });
    };
    writer.startLayer(true);
    const tar = new TarReader(writer);
    for await (const chunk of archiveTar(body, index, `the rootfs archive of ${reference}`, onBytes)) {
      signal?.throwIfAborted();
      tar.write(chunk);
    }
    tar.end();
    return { layers: 1, compressedBytes: bytes };
  });
}

/** Lets a writer fill a new folder, which appears when all of it is there. */
async function makeRootfs(
  reference: string,
  directory: string,
  options: UnpackOptions,
  fill: (writer: RootfsWriter, budget: SpaceBudget) => Promise<Pick<UnpackStats, 'layers' | 'compressedBytes'>>,
): Promise<UnpackStats> {
  const rootfs = await Workplace.make(directory);
  let writer: RootfsWriter | undefined;
  try {
    const budget = new SpaceBudget(rootfs.partial, options);
    const links = options.links ?? runnersLinks([]);
    const tree = new DiskTree({ root: rootfs.partial, umask: rootfs.umask, links, budget });
    writer = new RootfsWriter({ tree, budget });
    const read = await fill(writer, budget);
    writer.finish();
    await rename(rootfs.partial, rootfs.directory);
    return { ...read, entries: budget.entries, files: writer.files, bytes: budget.bytes };
  } catch (error) {
    writer?.close();
    await removeTree(rootfs.partial);
    throw explain(error, reference, rootfs, options.signal);
  }
}

/** Between the name of a rootfs and what makes the name of its unfinished form unique. */
const UNFINISHED = '.unfinished-';

/** Whether a name is that of a rootfs which a killed process did not finish: remove it, unless somebody is at it now. */
export function isUnfinished(name: string): boolean {
  return new RegExp(`\\${UNFINISHED}[0-9a-f]{12}$`).test(name);
}

/** Where a rootfs grows: beside the place where it appears when it is complete. */
class Workplace {
  private constructor(
    readonly directory: string,
    readonly partial: string,
    readonly umask: number,
  ) {}

  get parent(): string {
    return dirname(this.directory);
  }

  static async make(path: string): Promise<Workplace> {
    const directory = resolve(path);
    if (await lstat(directory).catch(() => undefined)) {
      throw new ValidationError('directory', 'not exist yet, as an image is unpacked into a new folder', path);
    }
    const partial = join(dirname(directory), `${basename(directory)}${UNFINISHED}${randomBytes(6).toString('hex')}`);
    try {
      await mkdir(partial, { mode: 0o777 });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new ValidationError('directory', 'be in a folder that exists and can be written to', path, reason);
    }
    // The only way to learn the umask that changes nothing for other threads.
    const umask = 0o777 & ~(await stat(partial)).mode;
    await chmod(partial, 0o755);
    return new Workplace(directory, partial, umask);
  }
}

/** Turns what the file system says into what it means for the image. */
function explain(error: unknown, reference: string, rootfs: Workplace, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof ScarError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return noSpace(rootfs.parent, new SpaceBudget(rootfs.parent).bytesLeft, 'more than that', error);
  }
  return new UnsupportedImageError(`${reference} cannot be unpacked into ${rootfs.directory}: ${message}`, {
    cause: error,
  });
}
