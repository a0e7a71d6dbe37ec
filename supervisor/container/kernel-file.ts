import { openSync, readSync } from 'node:fs';

const BUFFER = Buffer.allocUnsafe(64 * 1024);

const open = new Map<string, number>();

/**
 * Reads a file of /proc that the kernel makes up anew for each read, and leaves it open: opening one costs many times what
 * reading it does.
 *
 * @param path - of a file that is no process's
 * @throws Error if there is no such file
 */
export function readKernelFile(path: string): string {
  let descriptor = open.get(path);
  if (descriptor === undefined) {
    descriptor = openSync(path, 'r');
    open.set(path, descriptor);
  }
  return BUFFER.toString('latin1', 0, readSync(descriptor, BUFFER, 0, BUFFER.length, 0));
}
