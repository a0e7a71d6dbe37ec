import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** A section of code: where it is in the file, and in the program. */
export interface CodeSection {
  offset: number;
  size: number;
  address: number;
}

// System V ABI, "ELF Header" and "Sections"; e_machine 62 is x86-64.
const ET_EXEC = 2;
const ET_DYN = 3;
const EM_X86_64 = 62;
const SHT_PROGBITS = 1;
const SHF_EXECINSTR = 4n;

/** The x86-64 executables and shared libraries below a folder. */
export function elfFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true, encoding: 'utf8' })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => reading(file, (read) => isProgram(read(0, 64))))
    .sort();
}

/** Its sections of instructions, in the order of its section headers; none if these were stripped. */
export function codeSections(file: string): CodeSection[] {
  return reading(file, (read) => {
    const header = read(0, 64);
    const [offset, size, count] = [
      Number(header.readBigUInt64LE(40)),
      header.readUInt16LE(58),
      header.readUInt16LE(60),
    ];
    const table = read(offset, size * count);
    return Array.from({ length: count }, (_, i) => table.subarray(i * size, (i + 1) * size))
      .filter((entry) => entry.readUInt32LE(4) === SHT_PROGBITS && (entry.readBigUInt64LE(8) & SHF_EXECINSTR) !== 0n)
      .map((entry) => {
        const [address, at, length] = [16, 24, 32].map((field) => Number(entry.readBigUInt64LE(field)));
        return { address, offset: at, size: length } as CodeSection;
      });
  });
}

function isProgram(header: Buffer): boolean {
  const type = header.readUInt16LE(16);
  return (
    header.toString('latin1', 0, 5) === '\x7fELF\x02' &&
    (type === ET_EXEC || type === ET_DYN) &&
    header.readUInt16LE(18) === EM_X86_64
  );
}

/** Reads parts of a file; what lies behind its end is zero. */
function reading<T>(file: string, use: (read: (offset: number, size: number) => Buffer) => T): T {
  const descriptor = openSync(file, 'r');
  try {
    return use((offset, size) => {
      const part = Buffer.alloc(size);
      readSync(descriptor, part, 0, size, offset);
      return part;
    });
  } finally {
    closeSync(descriptor);
  }
}
