import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AS_ROOT, ROUND_MS, runSuite } from '../../support/inroot/suite.js';
import { jailMissing } from '../../support/jail/jail.js';
import {
  ARM64_ROOTS,
  arm64RootsMissing,
  ROOTS,
  type RootName,
  rootFileSystem,
  rootsMissing,
} from '../../support/roots/roots.js';

const missing = jailMissing ?? rootsMissing;
const arm64Missing = jailMissing ?? arm64RootsMissing;

/** The fewest checks that each root must have passed: a suite that ends early is no success. */
const FEWEST: Record<RootName, number> = {
  bullseye: 255,
  bookworm: 255,
  trixie: 255,
  musl: 225,
  static: 225,
  'bookworm-arm64': 250,
  'musl-arm64': 220,
  'static-arm64': 220,
};

/** Who the programs believe to be, and the options that make them. */
const APPEARANCES: Record<string, readonly string[]> = { root: AS_ROOT, 'who it is': [] };

/** What QEMU's user mode does otherwise than Linux, whatever runs in it. */
const QEMU_FAILS = [
  'proc-cmdline', // it makes the file's content up when it is opened, which is before the exec
  'probe-openat2 beneath', // it has no openat2
  'probe-posix_spawn of nothing', // vfork is fork: the child cannot tell its parent
];

const script = join(import.meta.dirname, 'container-suite.sh');
/** Where the second round finds what the first one learned about programs. */
const CACHE = ['--cache', '/tmp/cache'];

/** Makes roots, and what a program in them must not see. */
async function prepare(roots: object): Promise<void> {
  await writeFile('/host-marker', 'a program in a root must not see this\n');
  await Promise.all(Object.keys(roots).map((name) => rootFileSystem(name as RootName)));
}

afterAll(() => rm('/host-marker', { force: true }));

describe.skipIf(missing)(`the container suite in the jail${missing ? ` (${missing})` : ''}`, () => {
  beforeAll(() => prepare(ROOTS), 900_000);

  describe.each(Object.entries(APPEARANCES))('as %s', (_, appearance) => {
    it.each(Object.entries(ROOTS) as [RootName, string][])('passes on %s', async (name, kind) => {
      const options = [...CACHE, ...appearance];
      for (const lines of await runSuite(script, await rootFileSystem(name), kind, { options, rounds: 2 })) {
        expect(lines.filter((line) => line.startsWith('FAIL'))).toEqual([]);
        expect(lines.length).toBeGreaterThanOrEqual(FEWEST[name]);
      }
    });
  });
});

describe.skipIf(arm64Missing)(`the container suite on arm64${arm64Missing ? ` (${arm64Missing})` : ''}`, () => {
  beforeAll(() => prepare(ARM64_ROOTS), 1_800_000);

  it.each(Object.entries(ARM64_ROOTS) as [RootName, string][])(
    'passes on %s',
    async (name, kind) => {
      const options = [...CACHE, ...AS_ROOT];
      const rounds = await runSuite(script, await rootFileSystem(name), kind, { options, architecture: 'arm64' });
      for (const lines of rounds) {
        const failed = lines.flatMap((line) => /^FAIL (.*?): /.exec(line)?.[1] ?? []);
        expect(failed.filter((check) => !QEMU_FAILS.includes(check))).toEqual([]);
        expect(lines.length).toBeGreaterThanOrEqual(FEWEST[name]);
      }
    },
    ROUND_MS.arm64 + 30_000,
  );
});
