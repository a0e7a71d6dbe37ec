import { execFile } from 'node:child_process';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emulated } from '../../support/emulator/emulator.js';
import { inroot } from '../../support/inroot/inroot.js';
import { JAIL_USER, jailed, jailMissing } from '../../support/jail/jail.js';
import {
  ARM64_ROOTS,
  arm64RootsMissing,
  ROOTS,
  type RootName,
  rootFileSystem,
  rootsMissing,
} from '../../support/roots/roots.js';
import { temporaryFolder } from '../../support/temporary.js';

const run = promisify(execFile);
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

/** How long a suite may take that is emulated. */
const EMULATED_MS = 900_000;

/** What QEMU's user mode does otherwise than Linux, whatever runs in it. */
const QEMU_FAILS = [
  'proc-cmdline', // it makes the file's content up when it is opened, which is before the exec
  'probe-openat2 beneath', // it has no openat2
  'probe-posix_spawn of nothing', // vfork is fork: the child cannot tell its parent
];

/** What Lambda leaves of an environment, reduced to what programs need. */
const environment = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/tmp', LANG: 'C.UTF-8' };

/** Runs the suite in a root, in the jail, and returns its lines. */
async function runSuite(name: RootName, id: string): Promise<string[]> {
  const arm64 = name.endsWith('-arm64');
  const runner = inroot(arm64 ? 'arm64' : 'amd64');
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
        { source: dirname(runner), name: 'supervisor' },
      ],
    },
    [
      ...[`/tmp/supervisor/${basename(runner)}`, '--bind', '/tmp/request', '/tmp/REQ1', '--chdir', '/', '/tmp/root'],
      ...['/bin/sh', '/tmp/REQ1/suite.sh', id],
    ],
  );
  const [file, ...args] = arm64 ? emulated(command) : command;
  const { stdout } = await run(file, args, { env: environment, timeout: arm64 ? EMULATED_MS : 150_000 });
  return stdout.split('\n').filter((line) => /^(ok|FAIL) /.test(line));
}

/** Makes roots, and what a program in them must not see. */
async function prepare(roots: object): Promise<void> {
  await writeFile('/host-marker', 'a program in a root must not see this\n');
  await Promise.all(Object.keys(roots).map((name) => rootFileSystem(name as RootName)));
}

afterAll(() => rm('/host-marker', { force: true }));

describe.skipIf(missing)(`the container suite in the jail${missing ? ` (${missing})` : ''}`, () => {
  beforeAll(() => prepare(ROOTS), 900_000);

  it.each(Object.entries(ROOTS) as [RootName, string][])('passes on %s', async (name, id) => {
    const lines = await runSuite(name, id);
    expect(lines.filter((line) => line.startsWith('FAIL'))).toEqual([]);
    expect(lines.length).toBeGreaterThanOrEqual(FEWEST[name]);
  });
});

describe.skipIf(arm64Missing)(`the container suite on arm64${arm64Missing ? ` (${arm64Missing})` : ''}`, () => {
  beforeAll(() => prepare(ARM64_ROOTS), 1_800_000);

  it.each(Object.entries(ARM64_ROOTS) as [RootName, string][])(
    'passes on %s',
    async (name, id) => {
      const lines = await runSuite(name, id);
      const failed = lines.flatMap((line) => /^FAIL (.*?): /.exec(line)?.[1] ?? []);
      expect(failed.filter((check) => !QEMU_FAILS.includes(check))).toEqual([]);
      expect(lines.length).toBeGreaterThanOrEqual(FEWEST[name]);
    },
    EMULATED_MS + 30_000,
  );
});
