import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  renameSync,
} from 'node:fs';
import { join } from 'node:path';
import { removeTreeSync } from '../../src/util/remove-tree.js';

/** In the folder of a container: where the runner keeps what the container changes in the rootfs. */
export const UNDO_FOLDER = 'undo';

const JOURNAL = 'journal';

/**
 * Gives a rootfs back as it was before its container ran: plays the runner's journal backwards. Its form is that of
 * `supervisor/inroot/keep.h`. When it was interrupted, it can be played again.
 *
 * @param container - host path of the container's folder; that it kept nothing is fine
 * @param images - host path; nothing outside is touched
 * @returns how many changes were taken back
 * @throws Error when the journal is damaged, or a change cannot be taken back: the rootfs is then not the image's any more
 */
export function undoChanges(container: string, images: string): number {
  const folder = join(container, UNDO_FOLDER);
  const records = readJournal(join(folder, JOURNAL));
  for (const record of records.reverse()) {
    checkPath(record.path, images);
    try {
      takeBack(record, folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
      openParents(record.path, images);
      takeBack(record, folder);
    }
  }
  return records.length;
}

interface JournalRecord {
  /** `A`, `L`, `D` or `M`, and what belongs to it. */
  fact: string;
  /** File names are bytes: here each is a character. */
  path: string;
}

/** Mode, owner, group, times in seconds, and number of an inode. */
type RecordedInode = [number, number, number, number, number, number];

/** What the runner did not finish writing, because it was killed, did not happen. */
function readJournal(file: string): JournalRecord[] {
  if (!existsSync(file)) return [];
  const fields = readFileSync(file, 'latin1').split('\0').slice(0, -1);
  const records: JournalRecord[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    records.push({ fact: fields[at] as string, path: fields[at + 1] as string });
  }
  return records;
}

/** A container could write into its own journal. */
function checkPath(path: string, images: string): void {
  const within = Buffer.from(path, 'latin1').toString().startsWith(`${images}/`);
  if (!within || path.split('/').includes('..')) throw new Error(`its journal names ${path}, outside of ${images}`);
}

function takeBack({ fact, path }: JournalRecord, folder: string): void {
  const [kind, ...values] = fact.split(' ');
  const at = Buffer.from(path, 'latin1');
  switch (kind) {
    case 'A':
      removeTreeSync(at);
      break;
    case 'L':
      putBack(join(folder, values[0] ?? ''), at);
      break;
    case 'D':
      if (!lstatSync(at, { throwIfNoEntry: false })) mkdirSync(at, { mode: 0o700 });
      break;
    case 'M':
      restoreInode(at, values);
      break;
    default:
      throw new Error(`its journal has an unknown record "${fact}"`);
  }
}

/** @param kept - gone when this was done before */
function putBack(kept: string, at: Buffer): void {
  const there = lstatSync(at, { throwIfNoEntry: false });
  if (there && !lstatSync(kept, { throwIfNoEntry: false })) return;
  if (there?.isDirectory()) removeTreeSync(at);
  renameSync(kept, at);
}

/**
 * One process can change what another has just made, before that is known as new: its name may be gone by now, or be another
 * inode's. Only a directory of the image that was removed comes back as another.
 */
function restoreInode(at: Buffer, values: readonly string[]): void {
  if (values.length !== 6) throw new Error(`its journal has a record with ${values.length} of 6 values`);
  const [mode, uid, gid, accessed, modified, inode] = values.map(Number) as RecordedInode;
  const there = lstatSync(at, { throwIfNoEntry: false });
  if (!there || (!there.isDirectory() && there.ino !== inode)) return;
  if (there.uid !== uid || there.gid !== gid) lchownSync(at, uid, gid);
  // A symbolic link has no mode of its own, and chmod(2) would follow it.
  if (!there.isSymbolicLink() && (there.mode & 0o7777) !== mode) chmodSync(at, mode);
  lutimesSync(at, accessed, modified);
}

/**
 * Opens the folders above a path to their owner. The container closed them, and a record that is still to come says how
 * they were.
 */
function openParents(path: string, images: string): void {
  const top = Buffer.byteLength(images);
  for (let end = path.indexOf('/', top + 1); end !== -1; end = path.indexOf('/', end + 1)) {
    const parent = Buffer.from(path.slice(0, end), 'latin1');
    const stats = lstatSync(parent, { throwIfNoEntry: false });
    if (!stats?.isDirectory()) return;
    if ((stats.mode & 0o700) !== 0o700) chmodSync(parent, (stats.mode & 0o7777) | 0o700);
  }
}
