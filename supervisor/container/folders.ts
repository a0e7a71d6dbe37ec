import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { INPUT_FOLDER, OUTPUT_FOLDER } from '../../src/contract/index.js';
import { removeTreeSync } from '../../src/util/remove-tree.js';
import { FileView } from './file-view.js';
import type { CachedImage } from './image-cache.js';
import { UNDO_FOLDER } from './undo.js';

/** Where SCAR's users find the further files of a function's package. */
const EXTRA_PAYLOAD = '/var/task/extra';

/** Paths of the root at which a container finds something else: the runner's and those of {@link makeFolders}. */
export const MOUNT_POINTS = ['/proc', '/dev', '/sys', '/tmp', EXTRA_PAYLOAD];

const OWNERS = 'owners';

/** The request's folder, between two requests. */
const SPARE = 'request';

/** As programs expect of folders that all users share. */
const OPEN_MODE = 0o1777;
const OWN_MODE = 0o755;

/**
 * What one container finds over its image's files: an empty `/tmp` with the request's folder in it, and a `/dev/shm`
 * (Lambda has none, and without it POSIX semaphores and Python's multiprocessing fail).
 */
export interface ContainerFolders {
  /** Paths in the container. */
  request: string;
  input: string;
  output: string;
  /**
   * Host paths of the same, and of what the runner makes when it needs it: the folder in which it keeps what is changed in the
   * rootfs, and the file in which it keeps what the container's root did to files.
   */
  host: { tmp: string; request: string; input: string; output: string; undo: string; owners: string };
  /** Host paths of those that an earlier container had. */
  renewed: string[];
  /** Folder in the container with what the package brings along. */
  extraPayload: string | undefined;
  binds: { host: string; container: string }[];
  /** All of the container's files. */
  view: FileView;
}

/**
 * Makes them, where {@link clearFolders} left some: of these. Every inode that is made costs more, the more were deleted a
 * few minutes before (`recently_deleted` in the kernel's fs/ext4/ialloc.c), up to 1 ms each.
 *
 * @param folder - on the host; missing or cleared
 * @param image - what lies in its own `/tmp` is copied, as the bound folder hides it
 * @param extraPayload - host path of what the package brings along, if anything
 */
export function makeFolders(
  folder: string,
  requestId: string,
  { rootfs, links }: Pick<CachedImage, 'rootfs' | 'links'>,
  extraPayload: string | undefined,
): ContainerFolders {
  mkdirSync(folder, { recursive: true });
  const { tmp, shm, request, input, output } = hostFolders(folder, requestId);
  const renewed = [renewFolder(tmp, OPEN_MODE), renewFolder(shm, OPEN_MODE)];
  const spare = join(folder, SPARE);
  if (existsSync(spare)) renameSync(spare, request);
  renewed.push(...[request, input, output].map((path) => renewFolder(path, OWN_MODE)));
  const imageTmp = new FileView(rootfs, [], links).resolve('/tmp');
  if (imageTmp !== undefined && isFilled(imageTmp)) cpSync(imageTmp, tmp, { recursive: true, verbatimSymlinks: true });
  const binds = [
    { host: tmp, container: '/tmp' },
    { host: shm, container: '/dev/shm' },
    ...(extraPayload === undefined ? [] : [{ host: extraPayload, container: EXTRA_PAYLOAD }]),
  ];
  return {
    request: `/tmp/${requestId}`,
    input: `/tmp/${requestId}/${INPUT_FOLDER}`,
    output: `/tmp/${requestId}/${OUTPUT_FOLDER}`,
    host: { tmp, request, input, output, undo: join(folder, UNDO_FOLDER), owners: join(folder, OWNERS) },
    renewed: renewed.flatMap((path) => path ?? []),
    extraPayload: extraPayload && EXTRA_PAYLOAD,
    binds,
    view: new FileView(rootfs, binds, links),
  };
}

/**
 * Removes all that a container left, but its folders, which stay for the next one, and the file of owners; both have nothing in them then.
 *
 * @param folder - that it is missing is fine
 */
export function clearFolders(folder: string, requestId: string): void {
  if (!existsSync(folder)) return;
  const folders = hostFolders(folder, requestId);
  const kept = new Set(Object.values(folders));
  for (const name of readdirSync(folder)) {
    if (name === OWNERS) clearOwners(join(folder, name));
    else removeTreeSync(join(folder, name), kept);
  }
  if (!existsSync(folders.request)) return;
  // A folder that moves to another one is written to, as its `..` changes.
  chmodSync(folders.request, 0o700);
  renameSync(folders.request, join(folder, SPARE));
}

/** The first page of the runner's table (supervisor/inroot/owners.c), which is all of it where no owner is remembered. */
const BLANK_OWNERS = Buffer.alloc(4096);

/** A disk takes longer to take a file's only page away, and to give the next one, than to say that there is nothing in it. */
function clearOwners(file: string): void {
  const isBlank = statSync(file).size === BLANK_OWNERS.length && readFileSync(file).equals(BLANK_OWNERS);
  if (!isBlank) truncateSync(file);
}

function hostFolders(folder: string, requestId: string) {
  const tmp = join(folder, 'tmp');
  const request = join(tmp, requestId);
  return {
    tmp,
    shm: join(folder, 'shm'),
    request,
    input: join(request, INPUT_FOLDER),
    output: join(request, OUTPUT_FOLDER),
  };
}

/**
 * Makes a folder, or gives the one that is there the owner, the mode and the times of a new one; then returns its path: the
 * runner does the rest.
 */
function renewFolder(path: string, mode: number): string | undefined {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (!there) {
    mkdirSync(path);
    chmodSync(path, mode); // mkdir(2) would take the umask's part away
    return undefined;
  }
  const { geteuid, getegid } = process;
  if (geteuid && getegid && there.uid !== geteuid()) chownSync(path, geteuid(), getegid());
  chmodSync(path, mode);
  const now = new Date();
  utimesSync(path, now, now);
  return path;
}

function isFilled(folder: string): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch {
    return false;
  }
}
