import { renameSync, rmSync, writeFileSync } from 'node:fs';

let sequence = 0;

/** Writes a small file so that it is always whole, the old one or the new one: temporary name, then rename. */
export function writeFileAtomically(path: string, content: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}.${sequence++}`;
  try {
    writeFileSync(temporary, content, { flag: 'wx' });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
