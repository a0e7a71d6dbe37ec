import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { AS_ROOT, runSuite } from '../../support/inroot/suite.js';
import { jailMissing } from '../../support/jail/jail.js';
import { ROOTS, type RootName, rootFileSystem, rootsMissing } from '../../support/roots/roots.js';

const missing = jailMissing ?? rootsMissing;

/** The fewest checks that each root must have passed: a suite that ends early is no success. */
const FEWEST: Record<RootName, number> = { bullseye: 235, bookworm: 235, trixie: 235, musl: 205, static: 205 };

/** Who the programs believe to be, and the options that make them. */
const APPEARANCES: Record<string, readonly string[]> = { root: AS_ROOT, 'who it is': [] };

const script = join(import.meta.dirname, 'container-suite.sh');
const names = Object.keys(ROOTS) as RootName[];
/** Where the second round finds what the first one learned about programs. */
const CACHE = ['--cache', '/tmp/cache'];

describe.skipIf(missing)(`the container suite in the jail${missing ? ` (${missing})` : ''}`, () => {
  beforeAll(async () => {
    await writeFile('/host-marker', 'a program in a root must not see this\n');
    await Promise.all(names.map((name) => rootFileSystem(name)));
    return () => rm('/host-marker', { force: true });
  }, 900_000);

  describe.each(Object.keys(APPEARANCES))('as %s', (appearance) => {
    it.each(names)('passes on %s', async (name) => {
      const options = [...CACHE, ...(APPEARANCES[appearance] ?? [])];
      for (const lines of await runSuite(script, await rootFileSystem(name), ROOTS[name], options, 2)) {
        expect(lines.filter((line) => line.startsWith('FAIL'))).toEqual([]);
        expect(lines.length).toBeGreaterThanOrEqual(FEWEST[name]);
      }
    });
  });
});
