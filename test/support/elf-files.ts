import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** The x86-64 executables and shared libraries below a folder, each file once by its name. */
export function elfFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true, encoding: 'utf8' })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter(isElf)
    .sort();
}

/** ELF-64, System V ABI: e_type ET_EXEC or ET_DYN, e_machine EM_X86_64. */
function isElf(file: string): boolean {
  const header = Buffer.alloc(20);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, header);
  } finally {
    closeSync(descriptor);
  }
  const [type, machine] = [header.readUInt16LE(16), header.readUInt16LE(18)];
  return header.toString('latin1', 0, 5) === '\x7fELF\x02' && (type === 2 || type === 3) && machine === 62;
}
