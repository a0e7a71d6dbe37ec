import { createHash, randomBytes } from 'node:crypto';
import { existsSync, renameSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, realpath, rename, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import pLimit from 'p-limit';
import { removeTree } from '../../../util/remove-tree.js';
import { readZip, type ZipEntry, ZipError } from './zip.js';

/** Lambda's limit for a package once unzipped: 250 MB. */
export const MAX_UNZIPPED_BYTES = 262_144_000;

/** A function's package as it was uploaded. */
export interface CodePackage {
  /** SHA-256 of the zip in base64, Lambda's `CodeSha256`. */
  readonly sha256: string;
  readonly size: number;
}

/** Files written at a time. */
const WRITERS = 8;

const PACKAGE = 'package.zip';
const UNPACKED = 'task';

/** In the names of folders that are not published yet. */
const HALF_MADE = '.new-';

/**
 * The zips of all functions, each once by its digest, and each unpacked once into a folder that its environments share.
 * Folders appear by a rename: what is there is whole.
 */
export class CodeStore {
  readonly #folder: string;
  readonly #unpacking = new Map<string, Promise<string>>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens the store and removes what a killed engine left half-made. */
  static async open(folder: string): Promise<CodeStore> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) {
      const inside = name.includes(HALF_MADE) ? [] : await readdir(join(folder, name));
      for (const path of [name, ...inside.map((child) => join(name, child))]) {
        if (path.includes(HALF_MADE)) await removeTree(join(folder, path));
      }
    }
    return new CodeStore(folder);
  }

  /** Takes a zip in, after a look at its directory. @throws ZipError when no function can be made of it */
  async put(zip: Buffer): Promise<CodePackage> {
    readZip(zip, MAX_UNZIPPED_BYTES);
    const sha256 = createHash('sha256').update(zip).digest('base64');
    const folder = this.#folderOf(sha256);
    if (!existsSync(folder)) {
      const fresh = `${folder}${HALF_MADE}${randomBytes(4).toString('hex')}`;
      await mkdir(fresh, { mode: 0o700 });
      await writeFile(join(fresh, PACKAGE), zip, { mode: 0o600 });
      await this.#publish(fresh, folder);
    }
    return { sha256, size: zip.length };
  }

  read(sha256: string): Promise<Buffer> {
    return readFile(join(this.#folderOf(sha256), PACKAGE));
  }

  /** The folder of the unpacked code, unpacked now if it was not yet. @throws ZipError */
  unpack(sha256: string): Promise<string> {
    const running = this.#unpacking.get(sha256);
    if (running) return running;
    const unpacking = this.#unpack(sha256).finally(() => this.#unpacking.delete(sha256));
    this.#unpacking.set(sha256, unpacking);
    return unpacking;
  }

  /** Forgets a package. It is gone at once, so that the next {@link put} of the same zip stores it anew. */
  async remove(sha256: string): Promise<void> {
    const discarded = `${this.#folderOf(sha256)}${HALF_MADE}${randomBytes(4).toString('hex')}`;
    try {
      renameSync(this.#folderOf(sha256), discarded);
    } catch {
      return;
    }
    await removeTree(discarded);
  }

  async #unpack(sha256: string): Promise<string> {
    const target = join(this.#folderOf(sha256), UNPACKED);
    if (existsSync(target)) return target;
    // Beside its target: who may not write to a folder may still rename it within its parent.
    const fresh = `${target}${HALF_MADE}${randomBytes(4).toString('hex')}`;
    try {
      await writeEntries(readZip(await this.read(sha256), MAX_UNZIPPED_BYTES), fresh);
      await this.#publish(fresh, target);
      return target;
    } catch (error) {
      await removeTree(fresh);
      throw error;
    }
  }

  /** A rename onto a folder that somebody else has just published fails, and theirs is as good. */
  async #publish(fresh: string, folder: string): Promise<void> {
    try {
      await rename(fresh, folder);
    } catch (error) {
      if (!existsSync(folder)) throw error;
      await removeTree(fresh);
    }
  }

  #folderOf(sha256: string): string {
    return join(this.#folder, Buffer.from(sha256, 'base64').toString('hex'));
  }
}

/**
 * Writes the members of a zip into a new folder. Files and folders first, links last: nothing is ever written through a
 * link of the package's own.
 */
async function writeEntries(entries: readonly ZipEntry[], folder: string): Promise<void> {
  const limit = pLimit(WRITERS);
  const folders = new Set<string>(['.']);
  for (const entry of entries) {
    folders.add(entry.type === 'directory' ? entry.path : dirname(entry.path));
  }
  try {
    for (const path of folders) await mkdir(join(folder, path), { recursive: true, mode: 0o700 });
    const files = entries.filter((entry) => entry.type === 'file');
    await Promise.all(files.map((entry) => limit(() => writeEntry(entry, join(folder, entry.path)))));
    for (const entry of entries) if (entry.type === 'symlink') await link(entry, folder);
    // As on Lambda, nobody writes to the code; deepest folders first, as a closed one cannot be entered.
    for (const path of [...folders].sort((a, b) => b.length - a.length)) await chmod(join(folder, path), 0o555);
  } catch (error) {
    if (error instanceof ZipError || !isConflict(error)) throw error;
    throw new ZipError('the package holds a path both as a file and as a folder');
  }
}

/** The zip's modes hold, less what writes; what the zip says nothing of is readable, as Lambda has it. */
async function writeEntry(entry: ZipEntry, path: string): Promise<void> {
  const mode = ((entry.mode ?? 0o644) & 0o555) | 0o400;
  await writeFile(path, await entry.read(), { flag: 'wx', mode });
  await chmod(path, mode);
}

async function link(entry: ZipEntry, folder: string): Promise<void> {
  const path = join(folder, entry.path);
  const target = (await entry.read()).toString('utf8');
  const escapes = (place: string): boolean => relative(folder, place).split('/')[0] === '..';
  if (target.startsWith('/') || escapes(resolve(dirname(path), target))) {
    throw new ZipError(`the link ${entry.path} leads out of the package, to ${target}`);
  }
  await symlink(target, path);
  // Links can lead out together although none does alone.
  const real = await realpath(path).catch(() => undefined);
  if (real !== undefined && relative(await realpath(folder), real).split('/')[0] === '..') {
    throw new ZipError(`the link ${entry.path} leads out of the package, to ${target}`);
  }
}

const isConflict = (error: unknown): boolean =>
  ['EEXIST', 'ENOTDIR', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
