import { beforeAll, describe, expect, it } from 'vitest';
import { elfFiles } from '../../support/elf.js';
import { compile } from '../../support/inroot/compile.js';
import { InstructionChecker } from '../../support/inroot/instructions.js';
import { isInstalled } from '../../support/installed.js';
import { ROOTS, type RootName, rootFileSystem, rootsMissing } from '../../support/roots/roots.js';
import { temporaryFolder } from '../../support/temporary.js';

const missing = rootsMissing ?? (isInstalled('objdump') ? undefined : 'needs the Debian package binutils');

const NAMES = Object.keys(ROOTS) as RootName[];

/** Libraries that have tables of numbers in their code, which must not be taken for system calls. */
const WITH_TABLES = /\/libcrypto\.so/;

describe.skipIf(missing)(`instructions of real programs${missing ? ` (${missing})` : ''}`, () => {
  let checker: InstructionChecker;

  beforeAll(async () => {
    const folder = await temporaryFolder();
    checker = new InstructionChecker(folder.path);
    await Promise.all(NAMES.map((name) => rootFileSystem(name)));
    return () => folder[Symbol.asyncDispose]();
  }, 900_000);

  it.each(NAMES)('are redirected where they are system calls, and are as long as objdump says: %s', async (name) => {
    const root = await rootFileSystem(name);
    let redirected = 0;
    for (const file of elfFiles(root)) {
      if (!WITH_TABLES.test(file) && !(await checker.redirects(file))) continue;
      const report = await checker.check(file);
      redirected += report.redirected;
      expect(report.wrong, file).toEqual([]);
      // objdump's own mistakes in data; and raise() of glibc 2.31, where nothing but signal masks and numbers is at stake.
      expect(report.missed.length, `${file}: ${report.missed.join('\n')}`).toBeLessThanOrEqual(2);
      if (!WITH_TABLES.test(file)) expect(report.lengths.examples, file).toEqual([]);
    }
    expect(redirected).toBeGreaterThan(200);
  });

  it('are left alone where a constant has the bytes of a system call', async () => {
    await using folder = await temporaryFolder();
    const library = (...flags: string[]) =>
      compile('constants', folder.path, { flags: ['-shared', '-nostdlib', ...flags] });
    expect(await checker.redirects(library('-DSYSTEM_CALL'))).toBe(true);
    expect(await checker.redirects(library())).toBe(false);
  });
});
