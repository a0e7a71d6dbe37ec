import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isProcessAlive, processIdentity } from '../../../src/util/process-identity.js';
import { Launcher } from '../../../supervisor/container/launcher.js';
import { emulated, emulatorMissing } from '../../support/emulator/emulator.js';
import { inroot } from '../../support/inroot/inroot.js';
import { isInstalled } from '../../support/installed.js';
import { temporaryFolder } from '../../support/temporary.js';

const MiB = 1024 * 1024;
const missing = isInstalled('gcc') ? undefined : 'needs the Debian package gcc';
const armMissing = isInstalled('aarch64-linux-gnu-gcc') ? emulatorMissing : 'needs gcc-aarch64-linux-gnu';

/** Runs a program of this machine to its end. */
async function run(launcher: Launcher, file: string, args: string[], environment: Record<string, string> = {}) {
  const { pid, stdout, stderr, exited } = await launcher.launch({ file, args, environment });
  const [out, err, exit] = await Promise.all([stdout.toArray(), stderr.toArray(), exited]);
  return { pid, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString(), ...exit };
}

const start = (launcher: Launcher, script: string) =>
  launcher.launch({ file: '/bin/sh', args: ['-c', script], environment: { PATH: '/usr/bin:/bin' } });

const shell = (launcher: Launcher, script: string) => run(launcher, '/bin/sh', ['-c', script]);

describe.each([
  ['amd64', missing],
  ['arm64', missing ?? armMissing],
] as const)('the launcher for %s', (architecture, why) => {
  describe.skipIf(why)(why ?? 'starts programs of this machine', () => {
    let folder: Awaited<ReturnType<typeof temporaryFolder>>;
    let launcher: Launcher;

    beforeAll(async () => {
      folder = await temporaryFolder();
      const executable = inroot(architecture);
      const emulator = join(folder.path, 'launcher');
      const command = emulated([executable]).map((word) => `'${word}'`);
      writeFileSync(emulator, `#!/bin/sh\nPATH=/usr/bin:/bin:/usr/sbin:/sbin\nexec ${command.join(' ')} "$@"\n`);
      chmodSync(emulator, 0o755);
      launcher = new Launcher(architecture === 'arm64' ? emulator : executable);
    });
    afterAll(async () => {
      launcher?.close();
      await folder?.[Symbol.asyncDispose]();
    });

    it.each([
      ['exit 0', { exitCode: 0, signal: null }],
      ['exit 255', { exitCode: 255, signal: null }],
      ['kill -TERM $$', { exitCode: null, signal: 'SIGTERM' }],
      ['ulimit -c 0; kill -ABRT $$', { exitCode: null, signal: 'SIGABRT' }],
      ['kill -KILL $$', { exitCode: null, signal: 'SIGKILL' }],
    ])('tells how %j ends', async (script, end) => expect(await shell(launcher, script)).toMatchObject(end));

    // QEMU gives them other numbers.
    it.runIf(architecture === 'amd64')('has a name for signals that have none', async () => {
      expect(await shell(launcher, 'kill -40 $$')).toMatchObject({ exitCode: null, signal: 'SIG40' });
    });

    it('keeps the outputs apart, one program after the other', async () => {
      for (let n = 0; n < 20; n++) {
        const expected = { stdout: `out ${n}\n`, stderr: `err ${n}\n`, exitCode: 0 };
        expect(await shell(launcher, `echo out ${n}; echo err ${n} >&2`)).toMatchObject(expected);
      }
    });

    it('ends outputs whose last bytes wait to be read, whichever of them', async () => {
      const half = 'head -c 30000 /dev/zero';
      for (let n = 0; n < 20; n++) {
        const { stdout, stderr, exitCode } = await shell(launcher, `${half}; ${half} >&2; exit 5`);
        expect([stdout.length, stderr.length, exitCode]).toEqual([30_000, 30_000, 5]);
      }
    });

    it('gives the environment that it is told, and the root folder', async () => {
      const environment = { B: 'two words', A: '', Ü: 'ö\n' };
      const { stdout } = await run(launcher, '/usr/bin/env', ['-0'], environment);
      expect(stdout).toBe('B=two words\0A=\0Ü=ö\n\0');
      expect((await run(launcher, '/usr/bin/env', [])).stdout).toBe('');
      expect((await run(launcher, '/usr/bin/printf', ['%s|', '', 'ö', 'a b'])).stdout).toBe('|ö|a b|');
      expect((await run(launcher, '/bin/readlink', ['/proc/self/cwd'])).stdout).toBe('/\n');
    });

    it('gives no open file but nothing to read and two pipes', async () => {
      const { stdout } = await run(launcher, '/bin/ls', ['-l', '/proc/self/fd']);
      const files = [...stdout.matchAll(/ (\d+) -> (\S+)/g)].map(([, fd, target]) => `${fd} ${target}`);
      expect(files).toEqual([
        '0 /dev/null',
        expect.stringMatching(/^1 pipe:/),
        expect.stringMatching(/^2 pipe:/),
        expect.stringMatching(/^3 \/proc\/\d+\/fd$/),
      ]);
    });

    it('gives a session of its own, with no signal blocked, ignored or caught', async () => {
      const { pid, stdout } = await shell(
        launcher,
        'read -r stat < /proc/self/stat; echo $stat; exec /bin/cat /proc/self/status',
      );
      const [, group, session] = /\) \S+ \d+ (\d+) (\d+) /.exec(stdout) ?? [];
      expect([group, session]).toEqual([String(pid), String(pid)]);
      const masks = [...stdout.matchAll(/^Sig(?:Pnd|Blk|Ign|Cgt):\t(\w+)$/gm)].map(([, mask]) => mask);
      expect(masks).toEqual(Array(4).fill('0'.repeat(16)));
    });

    it('says why a program cannot be started, and starts the next one', async () => {
      const launch = (file: string, args: string[] = []) => run(launcher, file, args);
      const refusal = (errno: string) => ({
        failure: { reason: 'not-started', message: `The runner could not be started: execve ${errno}` },
        exitCode: null,
        signal: null,
        stdout: '',
      });
      expect(await launch('/no/such/file')).toMatchObject(refusal('ENOENT'));
      expect(await launch('/etc/passwd')).toMatchObject(refusal('EACCES'));
      expect(await launch('/bin/true', ['x'.repeat(128 * 1024)])).toMatchObject(refusal('E2BIG'));
      expect(await launch('/bin/true', Array(80).fill('x'.repeat(127 * 1024)))).toMatchObject(refusal('E2BIG'));
      await expect(launch('/bin/true', ['a\0b'])).rejects.toMatchObject({
        reason: 'not-started',
        message: expect.stringContaining('NUL byte, received "a\\u0000b"'),
      });
      expect(await launch('/bin/true', Array(10).fill('x'.repeat(100 * 1024)))).toMatchObject({ exitCode: 0 });
    });

    it('has a program wait whose outputs nobody reads, and passes on all that it writes', async () => {
      const size = 40 * MiB;
      const mark = join(folder.path, 'written');
      const half = `head -c ${size} /dev/zero`;
      const script = `{ ${half} | tr '\\0' a; : > ${mark}; } & ${half} | tr '\\0' b >&2; wait`;
      const { stdout, stderr, exited } = await start(launcher, script);
      let held = -1;
      await expect
        .poll(async () => {
          const before = held;
          held = stdout.readableLength + stderr.readableLength;
          return held > 0 && held === before;
        })
        .toBe(true);
      expect(held).toBeLessThan(MiB);
      expect(existsSync(mark)).toBe(false);
      const digests = [stdout, stderr].map(async (output) => {
        const hash = createHash('sha256');
        for await (const chunk of output) hash.update(chunk as Buffer);
        return hash.digest('hex');
      });
      const expected = ['a', 'b'].map((byte) => createHash('sha256').update(Buffer.alloc(size, byte)).digest('hex'));
      expect(await Promise.all(digests)).toEqual(expected);
      expect(await exited).toEqual({ exitCode: 0, signal: null });
    });
  });
});

describe.skipIf(missing)(`the launcher's own end (${missing ?? 'is survived'})`, () => {
  let launcher: Launcher;

  beforeAll(() => {
    launcher = new Launcher(inroot());
  });
  afterAll(() => launcher?.close());

  it('is told by what it ran, which is not known to have ended, and the next start is that of another', async () => {
    await using folder = await temporaryFolder();
    const go = join(folder.path, 'go');
    const script = `echo before; while [ ! -e ${go} ]; do sleep 0.01; done; kill -9 $PPID; exec sleep 1000`;
    const program = await start(launcher, script);
    const texts: string[] = [];
    for await (const text of program.stdout) {
      texts.push(String(text));
      writeFileSync(go, '');
    }
    const exit = await program.exited;
    process.kill(-program.pid, 'SIGKILL');
    expect(texts).toEqual(['before\n']);
    expect(exit).toMatchObject({
      exitCode: null,
      signal: 'SIGKILL',
      failure: { reason: 'signal', message: expect.stringContaining('ended before it (SIGKILL)') },
    });
    expect(await shell(launcher, 'echo $PPID')).toMatchObject({ exitCode: 0 });
  });

  it('between two programs is not noticed', async () => {
    const { stdout: first } = await shell(launcher, 'echo $PPID');
    expect((await shell(launcher, 'echo $PPID')).stdout).toBe(first);
    process.kill(Number(first), 'SIGKILL');
    await expect.poll(() => existsSync(`/proc/${Number(first)}`)).toBe(false);
    const { stdout: second, exitCode } = await shell(launcher, 'echo $PPID');
    expect([exitCode, second === first]).toEqual([0, false]);
  });

  it('comes to all of its group', async () => {
    const { stdout, stderr, exited } = await start(launcher, 'sleep 60 & echo $! >&2; exit 3');
    const [, errors] = await Promise.all([stdout.toArray(), stderr.toArray()]);
    expect(await exited).toEqual({ exitCode: 3, signal: null });
    expect(existsSync(`/proc/${Number(String(errors[0]))}/exe`)).toBe(false);
  });

  it('comes when an output is given up that somebody keeps open, who finds nobody to write to then', async () => {
    await using folder = await temporaryFolder();
    const away = join(folder.path, 'away');
    const stayer = `echo $$ >&2; exec 2> /dev/null; : > ${away}; while echo x; do sleep 0.01; done`;
    const script = `setsid sh -c '${stayer}' & while [ ! -e ${away} ]; do sleep 0.01; done`;
    const { stdout, stderr, exited } = await start(launcher, script);
    expect(await exited).toMatchObject({ exitCode: 0 });
    const [pid] = await stderr.toArray();
    const stays = processIdentity(Number(String(pid)));
    expect(isProcessAlive(stays)).toBe(true);
    stdout.destroy();
    expect(await shell(launcher, 'echo next')).toMatchObject({ stdout: 'next\n', exitCode: 0 });
    await expect.poll(() => isProcessAlive(stays)).toBe(false);
  });

  it('is not a stop, from which it can be woken', async () => {
    const { pid, stdout, stderr, exited } = await start(launcher, 'kill -STOP $PPID; echo done');
    await expect.poll(() => readFileSync(`/proc/${pid}/stat`, 'latin1')).toMatch(/\) Z /);
    launcher.wake();
    const [out] = await Promise.all([stdout.toArray(), stderr.toArray()]);
    expect(Buffer.concat(out).toString()).toBe('done\n');
    expect(await exited).toEqual({ exitCode: 0, signal: null });
  });

  it('makes a launcher that cannot be started a failure of what was to be started', async () => {
    const none = new Launcher('/no/such/launcher');
    await expect(shell(none, 'true')).rejects.toMatchObject({
      reason: 'not-started',
      message: expect.stringMatching(/^The runner could not be started: spawn \/no\/such\/launcher ENOENT/),
    });
  });
});
