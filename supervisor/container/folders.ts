import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { INPUT_FOLDER, OUTPUT_FOLDER } from '../../src/contract/index.js';
import { FileView } from './file-view.js';

/** Files that Docker, too, gives every container from its host. */
const HOST_FILES = ['/etc/resolv.conf', '/etc/hosts', '/etc/hostname'] as const;

/** Where SCAR's users find the further files of a function's package. */
const EXTRA_PAYLOAD = '/var/task/extra';

/**
 * What one container finds over its image's files: an empty `/tmp` with the request's folder in it, a `/dev/shm` (Lambda
 * has none, and without it POSIX semaphores and Python's multiprocessing fail), and its own copies of the host's network
 * files, so that it can change them without changing the host's.
 */
export interface ContainerFolders {
  /** Paths in the container. */
  request: string;
  input: string;
  output: string;
  /** Host paths of the same, and of the file in which the runner keeps what the container's root did to files. */
  host: { tmp: string; request: string; input: string; output: string; owners: string };
  /** Folder in the container with what the package brings along. */
  extraPayload: string | undefined;
  binds: { host: string; container: string }[];
}

/**
 * Makes them.
 *
 * @param folder - on the host; must not exist
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
  for (const name of [INPUT_FOLDER, OUTPUT_FOLDER]) mkdirSync(join(request, name), { recursive: true });
  return {
    request: `/tmp/${requestId}`,
    input: `/tmp/${requestId}/${INPUT_FOLDER}`,
    output: `/tmp/${requestId}/${OUTPUT_FOLDER}`,
    host: {
      tmp,
      request,
      input: join(request, INPUT_FOLDER),
      output: join(request, OUTPUT_FOLDER),
      owners: join(folder, 'owners'),
    },
    extraPayload: extraPayload && EXTRA_PAYLOAD,
    binds: [
      { host: tmp, container: '/tmp' },
      { host: shm, container: '/dev/shm' },
      ...copyHostFiles(folder),
      ...(extraPayload === undefined ? [] : [{ host: extraPayload, container: EXTRA_PAYLOAD }]),
    ],
  };
}

/** Mode 1777, as programs expect of a shared folder; mkdir(2) would take the umask's part away. */
function makeOpenFolder(parent: string, name: string): string {
  const path = join(parent, name);
  mkdirSync(path);
  chmodSync(path, 0o1777);
  return path;
}

function copyHostFiles(folder: string): { host: string; container: string }[] {
  return HOST_FILES.flatMap((file) => {
    const content = hostFile(file);
    if (content === undefined) return [];
    const host = join(folder, file.slice('/etc/'.length));
    writeFileSync(host, content);
    return [{ host, container: file }];
  });
}

const hostFiles = new Map<string, Buffer | undefined>();

function hostFile(path: string): Buffer | undefined {
  if (!hostFiles.has(path)) hostFiles.set(path, readIfThere(path) ?? DEFAULTS[path]);
  return hostFiles.get(path);
}

/** Without /etc/hosts, getaddrinfo(3) does not know localhost. */
const DEFAULTS: Readonly<Record<string, Buffer>> = {
  '/etc/hosts': Buffer.from('127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n'),
};

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function isFilled(folder: string): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch {
    return false;
  }
}
