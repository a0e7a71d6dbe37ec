import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { type FunctionSpec, isFakeRoot } from '../../src/contract/index.js';
import { ImageError, ScarError } from '../../src/errors.js';
import type { ImageConfig } from '../../src/oci/image-source.js';
import { type LinkForm, runnersLinks, verbatimLinks } from '../../src/oci/rootfs/link-target.js';
import { withFileLock } from '../../src/util/file-lock.js';
import { formatBytes } from '../../src/util/format-bytes.js';
import { isProcessAlive, processIdentity } from '../../src/util/process-identity.js';
import { removeTree } from '../../src/util/remove-tree.js';
import type { BringRootfs } from './bring-rootfs.js';
import { MOUNT_POINTS } from './folders.js';
import { installHostFiles } from './host-files.js';

/** An image that lies unpacked on this disk. */
export interface CachedImage {
  /** Host path of the root file system. */
  rootfs: string;
  /** How symbolic links are written in there. */
  links: LinkForm;
  /** Host path of a folder for what a runner finds out about the programs in there; it goes when the image goes. */
  codeCache: string;
  config: ImageConfig;
}

export interface ImageCacheOptions {
  /** Where the images lie. Made if missing. */
  folder: string;
  log: Writable;
  /** What the file system has left, in bytes. */
  freeBytes(): number;
}

/** Reference and config of an image: written last, so that a folder with it is complete. */
const RECORD = 'image.json';
const ROOTFS = 'rootfs';
const CODE_CACHE = 'code';
/** Identities of the processes that use an image. */
const USERS = 'users';
const LOCK = 'lock';

/**
 * Unpacked images, kept while the environment lives: `<folder>/<hex of the manifest's digest>.<runner>/{rootfs,image.json,users/,code/}`;
 * each runner has its own, because links are written for it. One process at a time changes it; an image that a killed process did
 * not finish has no record, and is removed. Others that nobody uses are evicted, longest unused first, when a new one needs the room.
 */
export class ImageCache {
  readonly #options: ImageCacheOptions;
  readonly #ready = new Map<string, CachedImage>();

  constructor(options: ImageCacheOptions) {
    this.#options = options;
  }

  /**
   * The function's image, brought in by `bring` unless it is there: then nothing is read from the network, and after the
   * first time in this process nothing from the disk.
   *
   * @throws what `bring` throws, `signal.reason` when aborted
   */
  async use(
    spec: Pick<FunctionSpec, 'imageDigest' | 'platform' | 'fakeRoot' | 'runner'>,
    bring: BringRootfs,
    signal: AbortSignal,
  ): Promise<{ image: CachedImage; pulled: boolean }> {
    const folder = this.#folderOf(spec);
    const ready = this.#ready.get(folder);
    if (ready) return { image: ready, pulled: false };
    mkdirSync(this.#options.folder, { recursive: true });
    return withFileLock(
      join(this.#options.folder, LOCK),
      async () => {
        await this.#removeUnfinished();
        const present = readRecord(folder);
        if (!present) await this.#pull(spec, folder, bring, signal);
        const config = present ?? readRecord(folder);
        if (!config) throw new ScarError('service', `The image's record in ${folder} vanished while it was unpacked`);
        installHostFiles(join(folder, ROOTFS), linksFor(spec));
        // It is not synced to the disk: a crash of the machine, which no user outlives, may have left anything in it.
        if (!isInUse(folder)) await removeTree(join(folder, CODE_CACHE));
        markUsed(folder);
        const user = (config.config?.User ?? '').split(':')[0] ?? '';
        if (!isFakeRoot(spec) && !['', 'root', '0'].includes(user)) {
          this.#log(`the image's USER ${user} is not shown: fakeRoot is false, so the function's own user is`);
        }
        const image = {
          rootfs: join(folder, ROOTFS),
          links: linksFor(spec),
          codeCache: join(folder, CODE_CACHE),
          config,
        };
        this.#ready.set(folder, image);
        return { image, pulled: !present };
      },
      signal,
    );
  }

  /** Forgets an image whose files are no longer what they were; it is brought in anew when it is used next. */
  discard({ rootfs }: CachedImage): void {
    const folder = dirname(rootfs);
    this.#ready.delete(folder);
    rmSync(join(folder, RECORD), { force: true });
  }

  async #pull(
    spec: Pick<FunctionSpec, 'runner'>,
    folder: string,
    bring: BringRootfs,
    signal: AbortSignal,
  ): Promise<void> {
    const started = performance.now();
    try {
      const { reference, from, config, stats } = await bring({
        prepare: async (bytes) => {
          await this.#makeRoom(bytes, folder);
          mkdirSync(folder, { recursive: true });
          return join(folder, ROOTFS);
        },
        links: linksFor(spec),
        signal,
      });
      writeRecord(folder, { reference, config });
      this.#log(
        `image ${reference} unpacked from ${from} in ${Math.round(performance.now() - started)} ms: ` +
          `${formatBytes(stats.compressedBytes)} compressed, ${formatBytes(stats.bytes)} in ${stats.files} files`,
      );
    } catch (error) {
      await removeTree(folder);
      throw error;
    }
  }

  async #removeUnfinished(): Promise<void> {
    for (const folder of this.#folders()) {
      if (!readRecord(folder)) await removeTree(folder);
    }
  }

  /** Evicts images that nobody uses but for one, longest unused first, until so many bytes fit. */
  async #makeRoom(wanted: number, kept: string): Promise<void> {
    const unused = this.#folders()
      .filter((folder) => folder !== kept && !isInUse(folder))
      .map((folder) => ({ folder, lastUsed: statSync(join(folder, RECORD)).mtimeMs }))
      .sort((a, b) => a.lastUsed - b.lastUsed);
    for (const { folder } of unused) {
      if (this.#options.freeBytes() >= wanted) return;
      await removeTree(folder);
      this.#log(`image in ${folder} removed to make room`);
    }
  }

  #folders(): string[] {
    const names = readdirSync(this.#options.folder, { withFileTypes: true });
    return names.flatMap((entry) => (entry.isDirectory() ? [join(this.#options.folder, entry.name)] : []));
  }

  #folderOf({ imageDigest, runner = 'in-process' }: Pick<FunctionSpec, 'imageDigest' | 'runner'>): string {
    const hex = /^sha256:([0-9a-f]{64})$/.exec(imageDigest)?.[1];
    if (hex) return join(this.#options.folder, `${hex}.${runner}`);
    throw new ImageError(
      'image-reference',
      `The image's digest must be sha256: and 64 hex digits; received ${imageDigest}`,
    );
  }

  #log(line: string): void {
    this.#options.log.write(`scar: ${line}\n`);
  }
}

function linksFor({ runner }: Pick<FunctionSpec, 'runner'>): LinkForm {
  return runner === 'namespaces' ? verbatimLinks : runnersLinks(MOUNT_POINTS);
}

/** The config of a complete image; undefined if it is missing or was not finished. */
function readRecord(folder: string): ImageConfig | undefined {
  try {
    return (JSON.parse(readFileSync(join(folder, RECORD), 'utf8')) as { config: ImageConfig }).config;
  } catch {
    return undefined;
  }
}

function writeRecord(folder: string, record: { reference: string; config: ImageConfig }): void {
  const partial = join(folder, `${RECORD}.partial`);
  writeFileSync(partial, JSON.stringify(record));
  renameSync(partial, join(folder, RECORD));
}

function markUsed(folder: string): void {
  const users = join(folder, USERS);
  mkdirSync(users, { recursive: true });
  writeFileSync(join(users, processIdentity()), '');
  const now = new Date();
  utimesSync(join(folder, RECORD), now, now);
}

function isInUse(folder: string): boolean {
  try {
    return readdirSync(join(folder, USERS)).some(isProcessAlive);
  } catch {
    return false;
  }
}
