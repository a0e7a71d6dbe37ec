import { execFile, execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { chmod, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compile } from '../../support/inroot/compile.js';
import { inroot } from '../../support/inroot/inroot.js';
import { isInstalled } from '../../support/installed.js';
import { temporaryFolder } from '../../support/temporary.js';
import { mountMissing, mountTmpfs } from '../../support/tmpfs.js';

const run = promisify(execFile);
const missing = ['gcc', 'make', 'objcopy'].every(isInstalled)
  ? undefined
  : 'needs the Debian packages gcc, make and binutils';

/** Files of the cache: `since` tells when it was made. */
const kept = (cache: string) => readdirSync(cache).filter((name) => name !== 'since');

describe.skipIf(missing)(`code that the runner keeps${missing ? ` (${missing})` : ''}`, () => {
  let programs: Awaited<ReturnType<typeof temporaryFolder>>;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let runner: string;
  let root: string;
  let cache: string;

  beforeAll(async () => {
    runner = inroot();
    programs = await temporaryFolder();
    for (const answer of [41, 42]) {
      const made = compile('kept-code', programs.path, { flags: ['-static', `-DANSWER=${answer}`] });
      await rename(made, join(programs.path, String(answer)));
    }
    const object = compile('opens', programs.path, {
      flags: ['-c', '-ffreestanding', '-fno-toplevel-reorder', '-fcf-protection=none'],
    });
    const code = join(programs.path, 'code');
    execFileSync('objcopy', ['-O', 'binary', '-j', '.text', object, code]);
    writeFileSync(code, Buffer.concat([Buffer.from('\x7fELF'.padEnd(4096, '\0'), 'latin1'), readFileSync(code)]));
    return () => programs[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    folder = await temporaryFolder();
    root = join(folder.path, 'root');
    cache = join(folder.path, 'cache');
    mkdirSync(root);
    writeFileSync(join(root, 'marker'), '');
    copyFileSync(join(programs.path, '41'), join(root, 'program'));
    copyFileSync(join(programs.path, 'code'), join(root, 'code'));
    letTimePass(folder.path);
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  /** Exit code of the root's program. */
  function answer(...args: string[]): number | null {
    const { status, stderr } = spawnSync(runner, ['--cache', cache, root, '/program', ...args], { encoding: 'utf8' });
    expect(stderr).toBe('');
    return status;
  }

  it('is mapped in place of the original', () => {
    const maps = () =>
      execFileSync(runner, ['--cache', cache, '/', '/bin/cat', '/proc/self/maps'], { encoding: 'utf8' });
    expect(maps()).not.toContain(cache);
    expect(kept(cache).length).toBeGreaterThan(0);
    expect(maps()).toMatch(new RegExp(`r-xp .* ${cache}/[0-9a-f]{16}$`, 'm'));
  });

  it('finds its place free in every start, also where the owners of files are remembered', () => {
    const owners = join(folder.path, 'owners');
    const options = ['--user', '0:0', '--owners', owners, '--cache', cache, '/'];
    const mapped = () =>
      execFileSync(runner, [...options, '/bin/cat', '/proc/self/maps'], { encoding: 'utf8' }).match(
        /r-xp .*\/cache\/[0-9a-f]{16}$/gm,
      )?.length;
    expect(mapped()).toBeUndefined();
    const files = mapped();
    expect(files).toBeGreaterThan(0);
    expect(Array.from({ length: 60 }, mapped)).toEqual(Array(60).fill(files));
  });

  it('runs the same, wherever it is mapped', () => {
    expect([answer('/code'), answer('/code'), answer('/code')]).toEqual([41, 41, 41]);
    expect(kept(cache).length).toBe(2);
  });

  it('is that of what was there when the cache was made', () => {
    expect(answer()).toBe(41);
    copyFileSync(join(programs.path, '41'), join(root, 'another'));
    expect(spawnSync(runner, ['--cache', cache, root, '/another']).status).toBe(41);
    expect(kept(cache).length).toBe(1);
  });

  it('is not used for a file that another one replaced', async () => {
    expect(answer()).toBe(41);
    copyFileSync(join(programs.path, '42'), join(root, 'new'));
    await rename(join(root, 'new'), join(root, 'program'));
    expect([answer(), answer()]).toEqual([42, 42]);
  });

  it('is not used for a file that was changed in place, whatever its time says', () => {
    const program = join(root, 'program');
    expect(answer()).toBe(41);
    const { size, atime, mtime } = statSync(program);
    writeFileSync(program, readFileSync(join(programs.path, '42')));
    utimesSync(program, atime, mtime);
    expect(statSync(program).size).toBe(size);
    expect([answer(), answer()]).toEqual([42, 42]);
  });

  it.each([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length - 1)],
    ['empty', () => Buffer.alloc(0)],
    ['of other bytes', (bytes: Buffer) => Buffer.alloc(bytes.length, 0xcc)],
    ['damaged at its beginning', (bytes: Buffer) => Buffer.from(bytes).fill(0xcc, 100, 200)],
    ['damaged at its end', (bytes: Buffer) => Buffer.from(bytes).fill(0xcc, bytes.length >> 1)],
  ])('is made anew when it is %s', (_, damage) => {
    expect(answer()).toBe(41);
    const [name = ''] = kept(cache);
    const whole = readFileSync(join(cache, name));
    writeFileSync(join(cache, name), damage(whole));
    expect(answer()).toBe(41);
    expect(kept(cache)).toEqual([name]);
    expect(readFileSync(join(cache, name)).length).toBe(whole.length);
    expect(answer()).toBe(41);
  });

  it('may be made by many processes at once', async () => {
    const starts = Array.from({ length: 16 }, () => run(runner, ['--cache', cache, root, '/program']));
    const codes = (await Promise.allSettled(starts)).map((start) => start.status === 'rejected' && start.reason.code);
    expect(codes).toEqual(Array(16).fill(41));
    expect(kept(cache)).toEqual([expect.stringMatching(/^[0-9a-f]{16}$/)]);
    expect(answer()).toBe(41);
  });

  it('is done without where nothing can be made', () => {
    writeFileSync(cache, 'no folder');
    expect(answer()).toBe(41);
    cache = join(folder.path, 'nothing/cache');
    expect(answer()).toBe(41);
  });

  it.skipIf(process.getuid?.() !== 0)(
    'is read by a user who may not write, and that one does without the rest',
    async () => {
      expect(answer()).toBe(41);
      for (const path of [folder.path, cache]) await chmod(path, 0o755);
      for (const name of readdirSync(cache)) await chmod(join(cache, name), 0o644);
      copyFileSync(runner, join(folder.path, 'inroot'));
      const start = (program: string) =>
        spawnSync(join(folder.path, 'inroot'), ['--cache', cache, root, program], { uid: 65534, gid: 65534 }).status;
      expect([start('/program'), start('/program')]).toEqual([41, 41]);
      expect(kept(cache).length).toBe(1);
    },
  );

  it.skipIf(mountMissing)('is done without on a disk that is full, until it is not', () => {
    using disk = mountTmpfs(1);
    cache = join(disk.path, 'cache');
    const filler = join(disk.path, 'filler');
    writeFileSync(filler, Buffer.alloc(800 << 10));
    expect(answer()).toBe(41);
    expect(kept(cache)).toEqual([]);
    rmSync(filler);
    expect(answer()).toBe(41);
    expect(kept(cache).length).toBe(1);
  });
});

/** Waits until the file system's clock, which has ticks, is past what was made so far. */
function letTimePass(folder: string): void {
  const tick = join(folder, 'tick');
  const now = () => {
    writeFileSync(tick, '');
    return statSync(tick, { bigint: true }).mtimeNs;
  };
  const start = now();
  while (now() <= start);
}
