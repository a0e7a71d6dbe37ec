import { execFile } from 'node:child_process';
import { copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { inroot } from '../../support/inroot/inroot.js';
import { JAIL_USER, jailed, jailMissing } from '../../support/jail/jail.js';
import { ROOTS, type RootName, rootFileSystem, rootsMissing } from '../../support/roots/roots.js';
import { temporaryFolder } from '../../support/temporary.js';

const run = promisify(execFile);
const missing = jailMissing ?? rootsMissing;

/** The fewest checks that each root must have passed: a suite that ends early is no success. */
const FEWEST: Record<RootName, number> = { bullseye: 230, bookworm: 230, trixie: 230, musl: 200, static: 200 };

/** What Lambda leaves of an environment, reduced to what programs need. */
const environment = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/tmp', LANG: 'C.UTF-8' };

/** Runs the suite twice in a root, in the jail, as the second run has what the first one left in the cache; returns the lines of each. */
async function runSuite(name: RootName): Promise<string[][]> {
  await using scratch = await temporaryFolder();
  const root = await rootFileSystem(name);
  const tmp = join(scratch.path, 'tmp');
  const request = join(scratch.path, 'request');
  for (const folder of [tmp, request, join(request, 'input'), join(request, 'output')]) await mkdir(folder);
  await run('chown', ['-R', `${JAIL_USER.uid}:${JAIL_USER.gid}`, tmp, request]);
  await copyFile(join(import.meta.dirname, 'container-suite.sh'), join(request, 'suite.sh'));
  const command = jailed(
    {
      tmp,
      mounts: [
        { source: root, name: 'root' },
        { source: request, name: 'request' },
        { source: dirname(inroot()), name: 'supervisor' },
      ],
    },
    [
      '/tmp/supervisor/inroot-amd64',
      '--bind',
      '/tmp/request',
      '/tmp/REQ1',
      '--cache',
      '/tmp/cache',
      '--chdir',
      '/',
      '/tmp/root',
    ],
  );
  const [file, ...args] = [...command, '/bin/sh', '/tmp/REQ1/suite.sh', ROOTS[name]];
  const runs: string[][] = [];
  for (let round = 0; round < 2; round += 1) {
    const { stdout } = await run(file as string, args, { env: environment, timeout: 150_000 });
    runs.push(stdout.split('\n').filter((line) => /^(ok|FAIL) /.test(line)));
  }
  expect((await readdir(join(tmp, 'cache'))).length).toBeGreaterThan(1);
  return runs;
}

describe.skipIf(missing)(`the container suite in the jail${missing ? ` (${missing})` : ''}`, () => {
  beforeAll(async () => {
    await writeFile('/host-marker', 'a program in a root must not see this\n');
    const names = Object.keys(ROOTS) as RootName[];
    await Promise.all(names.map((name) => rootFileSystem(name)));
    return () => rm('/host-marker', { force: true });
  }, 900_000);

  it.each(Object.keys(ROOTS) as RootName[])('passes on %s', async (name) => {
    for (const lines of await runSuite(name)) {
      expect(lines.filter((line) => line.startsWith('FAIL'))).toEqual([]);
      expect(lines.length).toBeGreaterThanOrEqual(FEWEST[name]);
    }
  });
});
