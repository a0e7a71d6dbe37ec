import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Abilities, probeAbilities } from '../../../supervisor/container/choose-runner.js';
import { Launcher } from '../../../supervisor/container/launcher.js';
import { busyboxImage, busyboxMissing } from '../../support/busybox.js';
import { FunctionBench, type FunctionEnvironment, supervisorMissing } from '../../support/function-bench.js';
import { inroot } from '../../support/inroot/inroot.js';
import { jailMissing } from '../../support/jail/jail.js';
import { symlink } from '../../support/tar.js';
import { temporaryFolder } from '../../support/temporary.js';
import { readTree } from '../../support/tree.js';

const missing = supervisorMissing ?? busyboxMissing ?? jailMissing;

describe.skipIf(missing)(`the choice of a runner (${missing ?? 'by what a place allows'})`, () => {
  let bench: FunctionBench;
  let abilities: Abilities;

  beforeAll(async () => {
    bench = await FunctionBench.open();
    const launcher = new Launcher(inroot());
    abilities = await probeAbilities(inroot(), launcher);
    launcher.close();
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  it('is the in-process loader in the jail, and the log says what else was tried', async () => {
    const environment = await bench.start({ image: busyboxImage(), jailed: true });
    expect(await environment.invoke({ scar: { version: 1, script: 'true' } })).toMatchObject({ runner: 'in-process' });
    expect(environment.log).toContain('scar: runner in-process; this place denies ptrace, prctl, chroot, namespaces\n');
  });

  it('is refused, before anything is pulled, where the jail does not allow it', async () => {
    const environment = await bench.start({ image: busyboxImage(), jailed: true, spec: { runner: 'namespaces' } });
    const { outcomes, runner } = await environment.invoke({ scar: { version: 1, script: 'true' } });
    expect(runner).toBeUndefined();
    expect(outcomes).toMatchObject([
      { status: 'failed', reason: 'image', message: expect.stringMatching(/namespaces is denied.*'in-process'/) },
    ]);
    expect(readdirSync(join(environment.tmp, 'scar'))).not.toContain('images');
  });

  it('can be namespaces, where the kernel allows them', async (test) => {
    if (abilities.namespaces !== 0) test.skip(`no namespaces here: errno ${abilities.namespaces}`);
    const environment = await bench.start({ image: busyboxImage(), spec: { runner: 'namespaces' } });
    const run = (script: string) => environment.run({ script });
    const response = await environment.invoke({
      scar: { version: 1, script: 'echo $$; ls /proc > /tmp/list; grep -c "^[0-9]" /tmp/list' },
    });
    expect(response).toMatchObject({ runner: 'namespaces', outcomes: [{ stdout: { text: '2\n3\n' } }] });
    const before = readTree(rootfsOf(environment));
    await run('echo evil >> /etc/passwd; rm -rf /root; mkdir /opt; (setsid sleep 1000 &); echo 1 > /tmp/file');
    expect(Object.fromEntries(readTree(rootfsOf(environment)))).toEqual(Object.fromEntries(before));
    expect(await run('ls /opt')).toMatchObject({ status: 'failed', reason: 'exit' });
    expect(await run('exit 3')).toMatchObject({ exitCode: 3 });
    expect(await run('kill -SEGV $$')).toMatchObject({ signal: 'SIGSEGV' });
    expect(await run('cat /etc/passwd; ls /tmp')).toMatchObject({
      stdout: { text: expect.not.stringContaining('evil') },
    });
    expect(await run('trap "exit 9" TERM; sleep 0.1; kill -TERM $$; wait')).toMatchObject({ exitCode: 9 });
    expect(await environment.run({ script: 'sleep 60' }, { timeoutMs: 2_500 })).toMatchObject({ reason: 'timeout' });
    expect(readdirSync(join(environment.tmp, 'scar/run'))).toHaveLength(1);
  });

  it('shows the same links, and where they lead, by either', async (test) => {
    if (abilities.namespaces !== 0) test.skip(`no namespaces here: errno ${abilities.namespaces}`);
    const image = busyboxImage(
      {},
      symlink('etc/mtab', '/proc/self/mounts'),
      symlink('etc/up', '../../../../etc/passwd'),
      symlink('etc/programs', '../etc/../bin'),
      symlink('root/odd', '..//etc/passwd'),
      symlink('var/tmp', '/tmp'),
    );
    for (const runner of ['namespaces', 'in-process'] as const) {
      const environment = await bench.start({ image, spec: { runner } });
      const outcome = await environment.run({
        script: [
          'for link in /etc/mtab /etc/up /etc/programs /root/odd /var/tmp; do readlink $link; done',
          'grep -c " /proc " /etc/mtab',
          'head -n 1 /etc/up; /etc/programs/cat /root/odd | head -n 1',
          'echo written > /var/tmp/file; cat /tmp/file',
        ].join('\n'),
      });
      expect(outcome.stdout?.text.split('\n')).toEqual([
        '/proc/self/mounts',
        '../../../../etc/passwd',
        '../etc/../bin',
        '..//etc/passwd',
        '/tmp',
        '1',
        'root:x:0:0:root:/root:/bin/sh',
        'root:x:0:0:root:/root:/bin/sh',
        'written',
        '',
      ]);
    }
  });

  it('mounts by namespaces what is bound where the links of the root lead, and nowhere else', async (test) => {
    if (abilities.namespaces !== 0) test.skip(`no namespaces here: errno ${abilities.namespaces}`);
    await using place = await temporaryFolder();
    const [root, bound, outside] = ['root', 'bound', 'outside'].map((name) => join(place.path, name)) as [
      string,
      string,
      string,
    ];
    for (const folder of [
      join(root, 'bin'),
      join(root, 'proc'),
      join(root, 'dev'),
      join(root, 'sys'),
      bound,
      outside,
    ]) {
      mkdirSync(folder, { recursive: true });
    }
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
    symlinkSync(outside, join(root, 'link'));
    mkdirSync(join(root, outside), { recursive: true });
    writeFileSync(join(bound, 'file'), 'bound\n');
    const options = ['--bind', bound, '/link/a/b', '--namespaces'];
    const read = ['/bin/busybox', 'cat', `${outside}/a/b/file`];
    const { stdout } = await promisify(execFile)(inroot(), [...options, root, ...read]);
    expect(stdout).toBe('bound\n');
    expect(readdirSync(outside)).toEqual([]);
  });

  function rootfsOf({ tmp }: FunctionEnvironment): string {
    const images = join(tmp, 'scar/images');
    const [digest = ''] = readdirSync(images).filter((name) => name !== 'lock');
    return join(images, digest, 'rootfs');
  }
});
