import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sleep } from '../../../src/util/sleep.js';
import { busyboxImage, busyboxMissing } from '../../support/busybox.js';
import { FunctionBench, type FunctionEnvironment, supervisorMissing } from '../../support/function-bench.js';
import { compile } from '../../support/inroot/compile.js';
import { jailMissing } from '../../support/jail/jail.js';
import { file, folder } from '../../support/tar.js';
import { temporaryFolder } from '../../support/temporary.js';
import { readTree } from '../../support/tree.js';

const missing = supervisorMissing ?? busyboxMissing;

describe.skipIf(missing)(`what is left of an invocation (${missing ?? 'of the built supervisor'})`, () => {
  let bench: FunctionBench;

  beforeAll(async () => {
    bench = await FunctionBench.open();
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  it('is nothing that the next one sees', async () => {
    const environment = await bench.start({ image: busyboxImage(), variables: { KEPT: 'function' } });
    const mess = `
      echo 1 > /tmp/file; echo 1 > /dev/shm/segment; mkdir -m 0 /tmp/closed; echo 1 >> /etc/hosts; echo 1 > /etc/resolv.conf
      mkdir -p /tmp/$REQUEST_ID/sub; chmod 555 /tmp/$REQUEST_ID; chmod 700 /tmp; export LEAK=1; exit 9`;
    await environment.run({ script: mess, environment: { ONCE: 'first', KEPT: 'event' } });
    const look = 'ls -A /tmp /dev/shm; cat /etc/hosts; env | grep -E "ONCE|KEPT|LEAK"; stat -c %a /tmp';
    const { stdout } = await environment.run({ script: look }, { requestId: 'second' });
    expect(stdout.text).toMatch(/^\/dev\/shm:\n\n\/tmp:\nsecond\n/);
    expect(stdout.text).not.toMatch(/^1$/m);
    expect(stdout.text).toMatch(/KEPT=function\n1777\n$/);
    expect(existsSync('/dev/shm/segment')).toBe(false);
  });

  it('is no attribute, flag, mode or time of a folder that the next one gets', async () => {
    await using programs = await temporaryFolder('scar-marks-');
    const program = file(
      'bin/folder-marks',
      readFileSync(compile('folder-marks', programs.path, { flags: ['-static'] })),
      {
        mode: 0o755,
      },
    );
    const environment = await bench.start({ image: busyboxImage({}, program) });
    const folders = '/tmp /dev/shm /tmp/$REQUEST_ID /tmp/$REQUEST_ID/input /tmp/$REQUEST_ID/output';
    const look = `folder-marks show ${folders}; stat -c '%a %h' ${folders}`;
    const { stdout: before } = await environment.run({ script: look });
    const marks = `folder-marks set ${folders} && folder-marks show ${folders}; chmod 711 ${folders}; touch -t 197001020000 ${folders}`;
    const marked = await environment.run({ script: marks });
    expect(marked.stdout.text).toBe('35 1\n'.repeat(5));
    const { stdout: after } = await environment.run({ script: look });
    expect(before.text).toContain('0 0\n'.repeat(5));
    expect(after.text).toBe(before.text);
    const old = await environment.run({ script: 'find /tmp /dev/shm -mtime +1' });
    expect(old).toMatchObject({ status: 'succeeded', stdout: { text: '' } });
  });

  it('is no folder that was put in the place of one, and no file in one', async () => {
    const environment = await bench.start({ image: busyboxImage() });
    const look =
      'cd /tmp/$REQUEST_ID; find /tmp /dev/shm | grep -v $REQUEST_ID/script | sed s/$REQUEST_ID/ID/; stat -c %F input output';
    const { stdout: before } = await environment.run({ script: look });
    await environment.run({
      script: `cd /tmp/$REQUEST_ID; rmdir input; ln -s /etc input; mv output /tmp/moved; echo 1 > output; mkdir /tmp/moved/more
        echo 1 > /dev/shm/$(printf '\\377'); mv /tmp/$REQUEST_ID /tmp/elsewhere; ln -s /dev/shm /tmp/$REQUEST_ID`,
    });
    const { stdout: after } = await environment.run({ script: look });
    expect(before.text).toContain('directory\ndirectory\n');
    expect(after.text).toBe(before.text);
  });

  // The last command empties the program behind all of them, by a link to it.
  const vandal = `
    echo evil >> /etc/passwd; rm -rf /var/cache /root/.profile; mkdir -p /opt/evil/deep; mv /etc/group /tmp; chmod 0 /var
    ln -s /tmp /usr; rm /bin/ls; touch /etc/hosts.new; mkfifo /etc/pipe; : > /bin/cat`;
  const image = () =>
    busyboxImage({}, file('etc/group', 'root:x:0:\n'), folder('var/cache/deep'), file('root/.profile', 'export A=1\n'));
  const rootfsOf = ({ tmp }: FunctionEnvironment) => {
    const images = join(tmp, 'scar/images');
    const [digest = ''] = readdirSync(images).filter((name) => name !== 'lock');
    return join(images, digest, 'rootfs');
  };

  it.each(jailMissing ? [false] : [false, true])('is no change in the image (in the jail: %s)', async (inJail) => {
    const environment = await bench.start({ image: image(), jailed: inJail });
    await environment.run({ script: 'true' });
    const before = readTree(rootfsOf(environment));
    await environment.run({ script: `${vandal}; test ! -e /bin/ls && test -p /etc/pipe && exit 7` });
    expect(Object.fromEntries(readTree(rootfsOf(environment)))).toEqual(Object.fromEntries(before));
    expect(await environment.run({ script: 'ls /opt' })).toMatchObject({ status: 'failed' });
    expect(environment.log).not.toContain('brought in anew');
  });

  it('is no owner or mode that root gave to a file', async () => {
    const environment = await bench.start({ image: image() });
    const look = 'stat -c "%u:%g %a" /etc/group';
    const change = 'chown 7:8 /etc/group; chmod 4711 /etc/group';
    const { stdout: before } = await environment.run({ script: look });
    const { stdout: changed } = await environment.run({ script: `${change}; ${look}` });
    const { stdout: after } = await environment.run({ script: look });
    expect([before.text, changed.text, after.text]).toEqual(['0:0 644\n', '7:8 4711\n', '0:0 644\n']);
  });

  it('is no change in the image, also after a crash', async () => {
    const first = await bench.start({ image: image() });
    await first.run({ script: 'true' });
    const before = readTree(rootfsOf(first));
    first.run({ script: `${vandal}; echo started; while :; do :; done` }).catch(() => {});
    while (!first.log.includes('started')) await sleep(20);
    await first.kill();
    expect(existsSync(join(rootfsOf(first), 'bin/ls'))).toBe(false);
    const second = await bench.start({ image: image(), tmp: first.tmp });
    const response = await second.invoke({ scar: { version: 1, script: 'ls -d /var/cache/deep' } });
    expect(response).toMatchObject({ image: { pulled: false }, outcomes: [{ status: 'succeeded' }] });
    expect(Object.fromEntries(readTree(rootfsOf(second)))).toEqual(Object.fromEntries(before));
  });

  it('is not taken for the image when its changes cannot be undone', async () => {
    const environment = await bench.start({ image: image() });
    const running = environment.run({ script: `${vandal}; echo started; while [ ! -e /tmp/go ]; do :; done` });
    while (!environment.log.includes('started')) await sleep(20);
    const run = join(environment.tmp, 'scar/run');
    const [own = ''] = readdirSync(run);
    appendFileSync(join(run, own, '1/undo/journal'), 'A\0/etc/passwd\0');
    writeFileSync(join(run, own, '1/tmp/go'), '');
    expect(await running).toMatchObject({ status: 'succeeded', exitCode: 0 });
    expect(environment.log).toMatch(/brought in anew next time.*its journal names \/etc\/passwd/);
    const response = await environment.invoke({ scar: { version: 1, script: 'cat /root/.profile' } });
    expect(response).toMatchObject({ image: { pulled: true }, outcomes: [{ stdout: { text: 'export A=1\n' } }] });
  });

  it('is no process, wherever it went', async () => {
    const environment = await bench.start({ image: busyboxImage() });
    const script = `
      sleep 1000 &
      (setsid sh -c 'trap "" TERM HUP; while :; do sleep 1000; done' &)
      (setsid setsid sleep 1000 < /dev/null > /dev/null 2>&1 &)
      sleep 0.2; echo done`;
    const outcome = await environment.run({ script });
    expect(outcome).toMatchObject({ status: 'succeeded', stdout: { text: 'done\n' } });
    expect(containersOf(environment)).toEqual([]);
  });

  it('ends with a crash, or is removed by the next environment', async () => {
    const first = await bench.start({ image: busyboxImage() });
    first.run({ script: '(setsid sleep 1000 &); sleep 1000 & wait' }).catch(() => {});
    await expect.poll(() => processesOf(first), { timeout: 20_000 }).toHaveLength(4);
    expect(containersOf(first)).toHaveLength(3);
    await first.kill();
    // Their launcher has ended the session, and then itself; who left the session stays.
    await expect.poll(() => processesOf(first)).toHaveLength(1);
    const second = await bench.start({ image: busyboxImage(), tmp: first.tmp });
    expect(await second.run({ script: 'true' })).toMatchObject({ status: 'succeeded' });
    expect(containersOf(first)).toEqual([]);
    expect(readdirSync(join(first.tmp, 'scar/run'))).toHaveLength(1);
    await second.kill();
    await expect.poll(() => processesOf(second)).toEqual([]);
  });

  it('is not taken for an image when the environment died while it was unpacked', async () => {
    const image = busyboxImage({}, ...Array.from({ length: 40 }, (_, i) => file(`bulk/${i}`, randomBytes(2 ** 20))));
    const first = await bench.start({ image });
    const images = join(first.tmp, 'scar/images');
    first.run({ script: 'true' }).catch(() => {});
    while (
      !existsSync(images) ||
      !readdirSync(images, { recursive: true }).some((name) => String(name).includes('bulk'))
    )
      await sleep(2);
    await first.kill();
    const [folder = ''] = readdirSync(images).filter((name) => name !== 'lock');
    expect(existsSync(join(images, folder, 'image.json'))).toBe(false);
    const second = await bench.start({ image, tmp: first.tmp });
    const response = await second.invoke({ scar: { version: 1, script: 'ls /bulk | wc -l' } });
    expect(response).toMatchObject({ image: { pulled: true }, outcomes: [{ stdout: { text: '40\n' } }] });
    expect(readdirSync(images)).toEqual([folder]);
    expect(readdirSync(join(images, folder)).sort()).toEqual(['code', 'image.json', 'rootfs', 'users']);
    await second.kill();
    const third = await bench.start({ image, tmp: first.tmp });
    expect(await third.invoke({ scar: { version: 1, script: 'true' } })).toMatchObject({
      coldStart: true,
      image: { pulled: false },
    });
  });

  it('is what the runner found out about programs, but not beyond a crash that all of its users died in', async () => {
    const image = busyboxImage();
    const first = await bench.start({ image });
    await first.run({ script: 'true' });
    const images = join(first.tmp, 'scar/images');
    const [folder = ''] = readdirSync(images).filter((name) => name !== 'lock');
    const code = join(images, folder, 'code');
    expect(readdirSync(code).length).toBeGreaterThan(1);
    const mark = join(code, 'mark');
    writeFileSync(mark, '');
    const second = await bench.start({ image, tmp: first.tmp });
    await second.run({ script: 'true' });
    expect(existsSync(mark)).toBe(true);
    await first.kill();
    await second.kill();
    const third = await bench.start({ image, tmp: first.tmp });
    expect(await third.run({ script: 'true' })).toMatchObject({ status: 'succeeded' });
    expect(existsSync(mark)).toBe(false);
    expect(readdirSync(code).length).toBeGreaterThan(1);
  });
});

/** Executables in the environment's `/tmp` that run there: of its containers, and of what starts them. */
function processesOf({ tmp }: FunctionEnvironment): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    try {
      const executable = /^\d+$/.test(pid) ? readlinkSync(`/proc/${pid}/exe`) : '';
      return executable.startsWith(`${tmp}/`) ? [executable] : [];
    } catch {
      return [];
    }
  });
}

const containersOf = (environment: FunctionEnvironment) =>
  processesOf(environment).filter((executable) => !executable.endsWith('/launcher'));
