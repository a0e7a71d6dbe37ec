import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { busyboxImage, busyboxMissing } from '../../support/busybox-image.js';
import {
  FunctionBench,
  type FunctionEnvironment,
  notification,
  supervisorMissing,
} from '../../support/function-bench.js';
import { jailMissing } from '../../support/jail/jail.js';
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
    expect(outcomes).toMatchObject([
      { status: 'succeeded', outputs: [{ key: 'output/b' }], stdout: { text: '993\n' } },
    ]);
    expect((await bench.text('data', 'output/b')).trim()).toBe('olleh');
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
    const [identity = ''] = readdirSync(join(environment.tmp, 'scar/run'));
    expect(readdirSync(join(environment.tmp, 'scar/run', identity))).toEqual(['inroot']);
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
