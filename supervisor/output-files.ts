import { isUtf8 } from 'node:buffer';
import { chmodSync, type Dirent, lstatSync, readdirSync, statSync } from 'node:fs';
import type { FileView } from './container/file-view.js';

/** A file that the container left in its output folder. */
export interface OutputFile {
  /** Path below the output folder, with `/` between its parts. */
  path: string;
  /** Where it is on the host: bytes, because a name need not be UTF-8. */
  host: Buffer | string;
  bytes: number;
}

/** Something in the output folder that is no file, and why it stays behind. */
export interface SkippedEntry {
  path: string;
  reason: string;
}

const SLASH = Buffer.from('/');

/**
 * Finds every file below the output folder, in the order of their names. A symbolic link counts as the file that it leads
 * to *in the container* (never the host's); links to folders, pipes, sockets and devices are skipped, and told.
 *
 * @param way - the folder on the host, behind the folders above it that the container could have closed or replaced
 * @param guest - the same folder in the container
 */
export function findOutputFiles(
  way: readonly string[],
  guest: string,
  view: FileView,
): { files: OutputFile[]; skipped: SkippedEntry[] } {
  const files: OutputFile[] = [];
  const skipped: SkippedEntry[] = [];
  const visit = (folder: Buffer, path: string) => {
    chmodSync(folder, 0o700); // the container may have closed it to its owner
    for (const entry of sorted(folder)) {
      const file = Buffer.concat([folder, SLASH, entry.name]);
      const entryPath = path + textOf(entry.name);
      if (entry.isDirectory()) {
        visit(file, `${entryPath}/`);
      } else if (entry.isFile()) {
        files.push(ownFile(file, entryPath));
      } else if (entry.isSymbolicLink()) {
        const target = linkedFile(`${guest}/${entryPath}`, view);
        if (typeof target === 'string') skipped.push({ path: entryPath, reason: target });
        else files.push({ ...target, path: entryPath });
      } else {
        skipped.push({ path: entryPath, reason: 'it is a pipe, a socket or a device' });
      }
    }
  };
  const host = way.every(openFolder) ? way.at(-1) : undefined;
  if (host !== undefined) visit(Buffer.from(host), '');
  else skipped.push({ path: '.', reason: 'the container replaced or removed its output folder' });
  return { files, skipped };
}

/** Opens a folder to its owner; false if there is none, or something else in its place. */
function openFolder(path: string): boolean {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return false;
  chmodSync(path, 0o700);
  return true;
}

function sorted(folder: Buffer): Dirent<Buffer>[] {
  const entries = readdirSync(folder, { withFileTypes: true, encoding: 'buffer' });
  return entries.sort((a, b) => Buffer.compare(a.name, b.name));
}

function ownFile(host: Buffer, path: string): OutputFile {
  const { size, mode } = lstatSync(host);
  if ((mode & 0o400) === 0) chmodSync(host, 0o600);
  return { path, host, bytes: size };
}

function linkedFile(guestPath: string, view: FileView): { host: string; bytes: number } | string {
  const host = view.resolve(guestPath);
  if (host === undefined) return 'it is a circle of links';
  const stats = statSync(host, { throwIfNoEntry: false });
  if (stats?.isFile()) return { host, bytes: stats.size };
  return stats ? 'it is a link to something that is no file' : 'it is a link to nothing';
}

/** A name as text. S3's keys are UTF-8: in a name that is not, the bytes above ASCII are percent-encoded. */
function textOf(name: Buffer): string {
  if (isUtf8(name)) return name.toString('utf8');
  return name.toString('latin1').replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}
