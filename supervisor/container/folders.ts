import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { INPUT_FOLDER, OUTPUT_FOLDER } from '../../src/contract/index.js';
import { removeTreeSync } from '../../src/util/remove-tree.js';
import { FileView } from './file-view.js';
import { UNDO_FOLDER } from './undo.js';

/** Where SCAR's users find the further files of a function's package. */
const EXTRA_PAYLOAD = '/var/task/extra';

const OWNERS = 'owners';

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
  /** Folder in the container with what the package brings along. */
  extraPayload: string | undefined;
  binds: { host: string; container: string }[];
}

/**
 * Makes them.
 *
 * @param folder - on the host; missing or cleared
 * @param rootfs - the image's files: what lies in its own `/tmp` is copied, as the bound folder hides it
 * @param extraPayload - host path of what the package brings along, if anything
 */
export function makeFolders(
  folder: string,
  requestId: string,
  rootfs: string,
  extraPayload: string | undefined,
): ContainerFolders {
  mkdirSync(folder, { recursive: true });
  const tmp = makeOpenFolder(folder, 'tmp');
  const shm = makeOpenFolder(folder, 'shm');
  const imageTmp = new FileView(rootfs, []).resolve('/tmp');
  if (imageTmp !== undefined && isFilled(imageTmp)) cpSync(imageTmp, tmp, { recursive: true, verbatimSymlinks: true });
  const request = join(tmp, requestId);
  mkdirSync(request);
  for (const name of [INPUT_FOLDER, OUTPUT_FOLDER]) mkdirSync(join(request, name));
  return {
    request: `/tmp/${requestId}`,
    input: `/tmp/${requestId}/${INPUT_FOLDER}`,
    output: `/tmp/${requestId}/${OUTPUT_FOLDER}`,
    host: {
      tmp,
      request,
      input: join(request, INPUT_FOLDER),
      output: join(request, OUTPUT_FOLDER),
      undo: join(folder, UNDO_FOLDER),
      owners: join(folder, OWNERS),
    },
    extraPayload: extraPayload && EXTRA_PAYLOAD,
    binds: [
      { host: tmp, container: '/tmp' },
      { host: shm, container: '/dev/shm' },
      ...(extraPayload === undefined ? [] : [{ host: extraPayload, container: EXTRA_PAYLOAD }]),
    ],
  };
}

/**
 * Clears what they are made in of all that a container left. The folder itself stays, and the file of owners, which is emptied: every
 * inode that is made costs more, the more were deleted just before (ext4 spares them for 5 s and looks at each: `recently_deleted` in
 * the kernel's fs/ext4/ialloc.c).
 *
 * @param folder - that it is missing is fine
 */
export function clearFolder(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (name === OWNERS) truncateSync(join(folder, name));
    else removeTreeSync(join(folder, name));
  }
}

/** Mode 1777, as programs expect of a shared folder; mkdir(2) would take the umask's part away. */
function makeOpenFolder(parent: string, name: string): string {
  const path = join(parent, name);
  mkdirSync(path);
  chmodSync(path, 0o1777);
  return path;
}

function isFilled(folder: string): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch {
    return false;
  }
}
