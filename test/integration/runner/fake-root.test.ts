import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../support/inroot/compile.js';
import { inroot } from '../../support/inroot/inroot.js';
import { AS_ROOT, runSuite } from '../../support/inroot/suite.js';
import { jailMissing } from '../../support/jail/jail.js';
import { ROOTS, rootFileSystem, rootsMissing } from '../../support/roots/roots.js';
import { temporaryFolder } from '../../support/temporary.js';

const run = promisify(execFile);
const missing = jailMissing ?? rootsMissing;
const script = join(import.meta.dirname, 'fake-root.sh');
const names = Object.keys(ROOTS) as (keyof typeof ROOTS)[];

describe.skipIf(missing)(`the appearance of root in the jail${missing ? ` (${missing})` : ''}`, () => {
  beforeAll(async () => {
    await Promise.all(names.map((name) => rootFileSystem(name)));
  }, 900_000);

  it.each(names)('serves what wants root on %s', async (name) => {
    await using scratch = await temporaryFolder();
    const root = join(scratch.path, 'root');
    await run('cp', ['-a', '--reflink=auto', await rootFileSystem(name), root]);
    const [lines = []] = await runSuite(script, root, ROOTS[name], { options: AS_ROOT });
    expect(lines.filter((line) => line.startsWith('FAIL'))).toEqual([]);
    const all = readFileSync(script, 'utf8');
    const part = ROOTS[name] === 'debian' ? all : all.slice(0, all.indexOf('test "$kind" = debian'));
    expect(lines.length).toBe(part.match(/^t /gm)?.length);
  });

  it('follows the kernel in who may become whom, with which capabilities', async () => {
    await using scratch = await temporaryFolder();
    const walk = compile('credentials-walk', scratch.path);
    const lines = async (file: string, ...args: string[]) => {
      const { stdout } = await run(file, [...args, '200', '60'], { maxBuffer: 64 << 20 });
      return stdout.split('\n');
    };
    const really = await lines(walk);
    const apparently = await lines(inroot(), '--user', '0:0', '/', walk);
    expect(really.length).toBeGreaterThan(24_000);
    expect(apparently.length).toBe(really.length);
    const differs = really.findIndex((line, i) => line !== apparently[i]);
    const around = (all: string[]) => all.slice(Math.max(0, differs - 5), differs + 1);
    expect(around(apparently)).toEqual(around(really));
  });
});
