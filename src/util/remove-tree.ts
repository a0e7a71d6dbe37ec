import { chmod, lstat, readdir, rm, rmdir, unlink } from 'node:fs/promises';

/**
 * Removes a file or a whole folder, also one whose folders forbid it to their owner (mode 000 or 0555), and never follows
 * a symbolic link. A path that is not there is fine.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!['EACCES', 'EPERM', 'ENOTEMPTY'].includes(codeOf(error) ?? '')) throw error;
    await removeForbidden(Buffer.from(path));
  }
}

/** The slow way: opens every folder to its owner first. Names are bytes, as not every name is UTF-8. */
async function removeForbidden(path: Buffer): Promise<void> {
  const stats = await lstat(path).catch(ignoreMissing);
  if (!stats) return;
  if (!stats.isDirectory()) {
    await unlink(path).catch(ignoreMissing);
    return;
  }
  await chmod(path, 0o700);
  for (const name of await readdir(path, { encoding: 'buffer' })) {
    await removeForbidden(Buffer.concat([path, Buffer.from('/'), name]));
  }
  await rmdir(path).catch(ignoreMissing);
}

function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
  return undefined;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}
