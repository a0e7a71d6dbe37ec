import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isProcessAlive, processIdentity } from '../../util/process-identity.js';
import { removeTree } from '../../util/remove-tree.js';
import { folderAtWork, killQuietly, readProcessTable } from './process-table.js';

const OWNER = 'owner';

/**
 * Makes the folder under which this engine's environments live, after it has ended and removed what engines before it
 * left in `parent`: they may have been killed together with their guard.
 *
 * @returns the folder's absolute path
 */
export async function claimRunFolder(parent: string): Promise<string> {
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(parent)) {
    const folder = join(parent, name);
    if (ownerLives(folder)) continue;
    for (const row of readProcessTable()) if (folderAtWork(row, folder) !== undefined) killQuietly(row.pid);
    await removeTree(folder);
  }
  const folder = join(parent, randomBytes(4).toString('hex'));
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, OWNER), processIdentity());
  return folder;
}

function ownerLives(folder: string): boolean {
  try {
    return isProcessAlive(readFileSync(join(folder, OWNER), 'utf8'));
  } catch {
    return false;
  }
}
