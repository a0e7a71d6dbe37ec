import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { busyboxImage, busyboxMissing } from '../../support/busybox.js';
import {
  FunctionBench,
  type FunctionEnvironment,
  notification,
  supervisorMissing,
} from '../../support/function-bench.js';
import { jailMissing } from '../../support/jail/jail.js';
import { containerLeftovers } from '../../support/leftovers.js';
import { file, folder } from '../../support/tar.js';

const missing = supervisorMissing ?? busyboxMissing ?? jailMissing;

describe.skipIf(missing)(`the built supervisor under Lambda's restrictions (${missing ?? 'in the jail'})`, () => {
  let bench: FunctionBench;
  let environment: FunctionEnvironment;

  beforeAll(async () => {
    bench = await FunctionBench.open();
    await bench.createBucket('data');
    const closed = [folder('opt/closed', 0o555), file('opt/closed/secret', 'kept', { mode: 0 })];
    environment = await bench.start({ image: busyboxImage({}, ...closed), jailed: true });
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  const run = (script: string, more = {}) => environment.run({ script, ...more });

  it('takes an object to its output', async () => {
    await bench.store.write({ bucket: 'data', key: 'input/a' }, 'hello');
    const script = 'rev "$SCAR_INPUT_FILE" > "$SCAR_OUTPUT_DIR/b"; id -u';
    const { outcomes } = await environment.invoke(notification('data', ['input/a'], { version: 1, script }));
    expect(outcomes).toMatchObject([{ status: 'succeeded', outputs: [{ key: 'output/b' }], stdout: { text: '0\n' } }]);
    expect((await bench.text('data', 'output/b')).trim()).toBe('olleh');
  });

  it('lets root be root, by appearance', async () => {
    const script = `
      chown www:5 /etc/passwd && chmod 4755 /bin/busybox && mknod "$SCAR_OUTPUT_DIR/null" c 1 3 || exit
      stat -c "%u:%g %a" /etc/passwd /bin/busybox; stat -c %F "$SCAR_OUTPUT_DIR/null"
      echo kept > /tmp/f; chmod 0 /tmp/f; cat /tmp/f`;
    expect(await run(script)).toMatchObject({
      stdout: { text: '33:5 644\n0:0 4755\ncharacter special file\nkept\n' },
    });
    expect(await run('stat -c "%u:%g %a" /etc/passwd /bin/busybox')).toMatchObject({
      stdout: { text: '0:0 644\n0:0 755\n' },
    });
  });

  it("shows the image's USER, whose the files are", async () => {
    const image = busyboxImage({ User: 'www' });
    const script = `
      id -u; id -g; cd "$SCAR_OUTPUT_DIR" && test -w . && : > made && stat -c %u:%g . made; chown 0 made 2>&1`;
    const user = await bench.start({ image, script, jailed: true });
    const denied = 'chown: made: Operation not permitted';
    expect(await user.run()).toMatchObject({ stdout: { text: `33\n33\n33:33\n33:33\n${denied}\n` } });
    expect(user.log).not.toContain('USER');
    const nobody = await bench.start({ image: busyboxImage({ User: 'nobody-knows' }), script, jailed: true });
    expect(await nobody.run()).toMatchObject({
      reason: 'not-started',
      message: expect.stringContaining('/etc/passwd'),
    });
  });

  it('shows the truth where that is wanted', async () => {
    const image = busyboxImage({ User: 'www' });
    const truth = await bench.start({ image, spec: { fakeRoot: false }, jailed: true });
    const script = 'id -u; : > /tmp/f; stat -c %u:%g /tmp/f; chown 0 /tmp/f 2>&1';
    const denied = 'chown: /tmp/f: Operation not permitted';
    expect(await truth.run({ script })).toMatchObject({ stdout: { text: `993\n993:990\n${denied}\n` } });
    expect(truth.log).toContain("the image's USER www is not shown: fakeRoot is false");
  });

  it('gives a /dev/shm where there is none, and a /dev/stdout', async () => {
    expect(await run('echo segment > /dev/shm/x && cat /dev/shm/x > /dev/stdout')).toMatchObject({
      status: 'succeeded',
      stdout: { text: 'segment\n' },
    });
  });

  it('removes what a container closed to its own user, and stages it out before', async () => {
    const script = `
      mkdir -p /tmp/a/b $SCAR_OUTPUT_DIR/c; echo 1 > /tmp/a/b/x; echo 2 > $SCAR_OUTPUT_DIR/c/y
      chmod 000 $SCAR_OUTPUT_DIR/c/y $SCAR_OUTPUT_DIR/c /tmp/a/b; chmod 555 /tmp/a $SCAR_OUTPUT_DIR; chmod 000 /tmp/$REQUEST_ID`;
    const outcome = await run(script, { output: [{ bucket: 'data', prefix: 'closed/' }] });
    expect(outcome).toMatchObject({ status: 'succeeded', outputs: [{ key: 'closed/c/y', bytes: 2 }] });
    expect(containerLeftovers(environment.tmp)).toEqual([]);
  });

  it('clears an empty folder that the container closed, for the next one', async () => {
    expect(await run('rm -r /tmp/$REQUEST_ID/*; chmod 0 /tmp/$REQUEST_ID /dev/shm /tmp')).toMatchObject({
      status: 'succeeded',
    });
    expect(containerLeftovers(environment.tmp)).toEqual([]);
    expect(environment.log).not.toContain('could not be removed');
    expect(await run('stat -c "%a %n" /tmp /dev/shm')).toMatchObject({
      stdout: { text: '1777 /tmp\n1777 /dev/shm\n' },
    });
  });

  it('reads what the image closed, as its owner', async () => {
    expect(await run('cat /opt/closed/secret')).toMatchObject({ stdout: { text: 'kept' } });
  });

  it('stops a container in time, daemons too', async () => {
    const script = '(setsid sleep 1000 &); trap "" TERM; echo started; while :; do sleep 0.1; done';
    expect(await environment.run({ script }, { timeoutMs: 2_000 })).toMatchObject({
      reason: 'timeout',
      signal: 'SIGKILL',
      stdout: { text: 'started\n' },
    });
    expect(await run('ps | grep -c "[s]leep 1000"')).toMatchObject({ stdout: { text: '0\n' } });
  });

  it.each([
    ['exit 3', { reason: 'exit', exitCode: 3 }],
    ['kill -ABRT $$', { reason: 'signal', signal: 'SIGABRT' }],
    ['#!/no/shell', { reason: 'not-started' }],
  ])('tells how %j ends', async (script, expected) => expect(await run(script)).toMatchObject(expected));
});
