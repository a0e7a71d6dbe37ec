import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ScarError } from '../errors.js';
import { writeFileAtomically } from '../util/atomic-file.js';
import { tryFileLock } from '../util/file-lock.js';
import { makeFolder } from '../util/make-folder.js';
import { removeTree } from '../util/remove-tree.js';

/** Of what is in the folder; another version may keep it in another way. */
const FORMAT = 1;

/** The folder of one engine, which no other may use meanwhile. */
export interface DataFolder {
  readonly path: string;
  /** Whether it was made for this engine alone. */
  readonly temporary: boolean;
  /** Whether the engine that had it before did not close it: it may have left something half-done. */
  readonly recover: boolean;
  /** Lets go of the folder, and removes it when it was made for this engine alone. */
  close(): Promise<void>;
}

/**
 * Opens the engine's folder.
 *
 * @param path - kept when the engine closes; without it, a temporary folder that is not
 * @throws ScarError `engine` when it cannot be used, or another engine uses it
 */
export function openDataFolder(path?: string): DataFolder {
  if (path === undefined) {
    const temporary = mkdtempSync(join(tmpdir(), 'scar-local-'));
    return { path: temporary, temporary: true, recover: false, close: () => removeTree(temporary) };
  }
  try {
    makeFolder(path, 0o700);
  } catch (cause) {
    throw new ScarError('engine', `The engine's data folder ${path} cannot be made: ${(cause as Error).message}`, {
      cause,
    });
  }
  const release = lock(path);
  const open = join(path, 'open');
  const recover = exists(open);
  try {
    checkFormat(path);
    writeFileAtomically(open, '');
  } catch (error) {
    release();
    throw error;
  }
  return {
    path,
    temporary: false,
    recover,
    async close() {
      rmSync(open, { force: true });
      release();
    },
  };
}

function lock(path: string): () => void {
  let release: (() => void) | undefined;
  try {
    release = tryFileLock(join(path, 'lock'));
  } catch (cause) {
    throw new ScarError('engine', `The engine's data folder ${path} cannot be used: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (release) return release;
  throw new ScarError(
    'engine',
    `The data folder ${path} is in use by another engine. Stop that one, or give this one a folder of its own.`,
    { context: { dataDir: path } },
  );
}

function checkFormat(path: string): void {
  const file = join(path, 'format');
  if (!exists(file)) {
    writeFileAtomically(file, String(FORMAT));
    return;
  }
  const found = readFileSync(file, 'utf8');
  if (found === String(FORMAT)) return;
  throw new ScarError(
    'engine',
    `The data folder ${path} has format ${found}; this version of the engine reads ${FORMAT}`,
  );
}

function exists(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}
