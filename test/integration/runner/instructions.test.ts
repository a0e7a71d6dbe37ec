import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { InstructionChecker } from '../../support/inroot/instructions.js';
import { isInstalled } from '../../support/installed.js';
import { rootFileSystem, rootsMissing } from '../../support/roots/roots.js';
import { temporaryFolder } from '../../support/temporary.js';

const missing = rootsMissing ?? (isInstalled('objdump') ? undefined : 'needs the Debian package binutils');

/** Every C library, and programs whose runtimes make system calls themselves. libcrypto has tables of numbers in its code. */
const FILES = [
  ['bullseye', 'lib/x86_64-linux-gnu/libc-2.31.so'],
  ['bullseye', 'lib/x86_64-linux-gnu/libpthread-2.31.so'],
  ['bullseye', 'usr/lib/x86_64-linux-gnu/libcrypto.so.1.1'],
  ['bookworm', 'usr/lib/x86_64-linux-gnu/libc.so.6'],
  ['bookworm', 'usr/lib/x86_64-linux-gnu/libcrypto.so.3'],
  ['bookworm', 'usr/bin/python3.11'],
  ['trixie', 'usr/lib/x86_64-linux-gnu/libc.so.6'],
  ['trixie', 'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2'],
  ['musl', 'lib/ld-musl-x86_64.so.1'],
  ['static', 'bin/busybox'],
  ['static', 'opt/t/gotest'],
  ['static', 'opt/t/probe'],
] as const;

describe.skipIf(missing)(`instructions of real programs${missing ? ` (${missing})` : ''}`, () => {
  let checker: InstructionChecker;

  beforeAll(async () => {
    const folder = await temporaryFolder();
    checker = new InstructionChecker(folder.path);
    for (const root of new Set(FILES.map(([name]) => name))) await rootFileSystem(root);
    return () => folder[Symbol.asyncDispose]();
  }, 900_000);

  it.each(FILES)(
    'are redirected where they are system calls, and are as long as objdump says: %s %s',
    async (root, path) => {
      const report = await checker.check(join(await rootFileSystem(root), path));
      expect(report.wrong).toEqual([]);
      // objdump's own mistakes in data; and raise() of glibc 2.31, where nothing but signal masks and numbers is at stake.
      expect(report.missed.length, report.missed.join('\n')).toBeLessThanOrEqual(2);
      expect(report.instructions).toBeGreaterThan(1_000);
      if (!path.includes('libcrypto')) expect(report.lengths.examples).toEqual([]);
    },
  );
});
