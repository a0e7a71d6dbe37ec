import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { busyboxImage, busyboxMissing } from '../../support/busybox.js';
import {
  FunctionBench,
  type FunctionEnvironment,
  notification,
  supervisorMissing,
} from '../../support/function-bench.js';
import { file } from '../../support/tar.js';
import { mountMissing, mountTmpfs } from '../../support/tmpfs.js';

const missing = supervisorMissing ?? busyboxMissing;
const output = [{ bucket: 'data', prefix: 'out/' }];

describe.skipIf(missing)(`how containers end (${missing ?? 'in the built supervisor'})`, () => {
  let bench: FunctionBench;
  let shell: FunctionEnvironment;

  beforeAll(async () => {
    bench = await FunctionBench.open();
    await bench.createBucket('data');
    shell = await bench.start({ image: busyboxImage() });
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  it.each([
    ['an exit code', 'echo out; echo err >&2; exit 3', { reason: 'exit', exitCode: 3, signal: null }],
    ["the shell's code for a missing program", 'nope', { reason: 'exit', exitCode: 127 }],
    ['a signal', 'kill -SEGV $$', { reason: 'signal', exitCode: null, signal: 'SIGSEGV' }],
    ['a kill', 'kill -KILL $$', { reason: 'signal', exitCode: null, signal: 'SIGKILL' }],
  ])('%s', async (_, script, expected) => {
    const outcome = await shell.run({ script });
    expect(outcome).toMatchObject({ status: 'failed', ...expected });
  });

  it.each([
    [{ args: ['nope', 'x'] }, 'nope'],
    [{ args: ['/no/such'] }, '/no/such'],
    [{ args: ['/etc/passwd'] }, '/etc/passwd'],
    [{ script: '#!/usr/bin/python3\nprint()' }, '/usr/bin/python3'],
    [{ script: '#!/bin/sh\r\necho' }, 'CRLF'],
    [{}, 'neither ENTRYPOINT nor CMD'],
  ])('%j is not started, saying %s', async (event, hint) => {
    const outcome = await shell.run(event);
    expect(outcome).toMatchObject({ status: 'failed', reason: 'not-started', exitCode: null });
    expect(outcome.status === 'failed' && outcome.message).toContain(hint);
  });

  it('keeps outputs of a failed container, and marks them', async () => {
    const outcome = await shell.run({ script: 'echo half > $SCAR_OUTPUT_DIR/half.txt; exit 4', output });
    expect(outcome).toMatchObject({ reason: 'exit', outputs: [{ bucket: 'data', key: 'out/half.txt', bytes: 5 }] });
    const { metadata } = await bench.store.head({ bucket: 'data', key: 'out/half.txt' });
    expect(metadata).toMatchObject({ 'scar-outcome': 'exit' });
  });

  it('succeeds with no outputs when the folder is empty', async () => {
    expect(await shell.run({ script: 'true', output })).toMatchObject({
      status: 'succeeded',
      exitCode: 0,
      outputs: [],
    });
  });

  it('says where files would have gone when nobody wants them', async () => {
    const outcome = await shell.run({ script: 'touch $SCAR_OUTPUT_DIR/a' });
    expect(outcome).toMatchObject({ reason: 'stage-out', message: expect.stringContaining('no output target') });
  });

  it('names the bucket that is missing, after the container ran', async () => {
    const outcome = await shell.run({
      script: 'touch $SCAR_OUTPUT_DIR/a',
      output: [{ bucket: 'nowhere', prefix: '' }],
    });
    expect(outcome).toMatchObject({ reason: 'stage-out', exitCode: 0, message: expect.stringContaining('"nowhere"') });
  });

  it('stops a container in time, and keeps what it made', async () => {
    const script = 'trap "echo bye" TERM; echo part > $SCAR_OUTPUT_DIR/part; echo started; sleep 60 & wait; exit 0';
    const outcome = await shell.run({ script, output }, { timeoutMs: 3_000 });
    expect(outcome).toMatchObject({
      status: 'failed',
      reason: 'timeout',
      exitCode: 0,
      stdout: { text: 'started\nbye\n' },
      outputs: [{ key: 'out/part' }],
    });
    const { metadata } = await bench.store.head({ bucket: 'data', key: 'out/part' });
    expect(metadata['scar-outcome']).toBe('timeout');
  });

  it('kills a container without its launcher, and starts the next by another', async () => {
    const script = '(setsid sleep 1001 &); kill -9 $PPID; sleep 1001';
    const outcome = await shell.run({ script });
    expect(outcome).toMatchObject({ status: 'failed', reason: 'signal', exitCode: null, signal: 'SIGKILL' });
    expect(outcome).toHaveProperty('message', expect.stringContaining('ended before it (SIGKILL)'));
    expect(await shell.run({ script: 'ps -o args' })).toMatchObject({
      status: 'succeeded',
      stdout: { text: expect.not.stringContaining('sleep 1001') },
    });
  });

  it('stops one in time that stopped its launcher', async () => {
    const outcome = await shell.run({ script: 'kill -STOP $PPID; echo stopped' }, { timeoutMs: 2_000 });
    expect(outcome).toMatchObject({ reason: 'timeout', exitCode: 0, stdout: { text: 'stopped\n' } });
    expect(await shell.run({ script: 'true' })).toMatchObject({ status: 'succeeded' });
  });

  it('kills one that does not listen', async () => {
    const script = 'trap "" TERM; while :; do sleep 0.1; done';
    const outcome = await shell.run({ script }, { timeoutMs: 2_000 });
    expect(outcome).toMatchObject({ reason: 'timeout', exitCode: null, signal: 'SIGKILL' });
  });

  it('gives the tails of a large output, keeps all of it in the log, and nothing in memory', async () => {
    const environment = await bench.start({ image: busyboxImage() });
    await environment.run({ args: ['true'] });
    const before = peakKiB(environment);
    const script =
      'i=0; while [ $i -lt 400 ]; do cat /bin/busybox | od -v -A x -t x1 | head -c 65536; i=$((i+1)); done; echo end';
    const { stdout } = await environment.run({ script: `${script}; printf tail` });
    expect(stdout.bytes).toBe(400 * 65_536 + 'end\ntail'.length);
    expect(stdout.text).toHaveLength(16 * 1024);
    expect(stdout.text).toMatch(/end\ntail$/);
    expect(environment.log.length).toBeGreaterThan(400 * 65_536);
    expect(environment.log).toMatch(/end\ntail\n$/);
    expect(peakKiB(environment) - before).toBeLessThan(40 * 1024);
  });

  it('says that memory ran out when that was counted before the container was killed', async () => {
    const events = join(bench.folder, 'memory.events');
    const count = (kills: number) => writeFileSync(events, `oom ${kills}\noom_kill ${kills}\n`);
    count(7);
    const environment = await bench.start({
      image: busyboxImage(),
      environment: { AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '32', LAMBDA_LOCAL_MEMORY_EVENTS: events },
    });
    const running = environment.run({ script: 'echo "container $$"; exec sleep 1000' });
    const pid = await vi.waitFor(
      () => Number(/^container (\d+)$/m.exec(environment.log)?.[1] ?? expect.fail()),
      10_000,
    );
    count(8);
    process.kill(pid, 'SIGKILL');
    const outcome = await running;
    expect(outcome).toMatchObject({ reason: 'out-of-memory', signal: 'SIGKILL' });
    expect(outcome.status === 'failed' && outcome.message).toMatch(/32\.0 MiB of memory ran out.*Raise/);
    const next = await environment.run({ script: 'kill -KILL $$' });
    expect(next, 'nothing was counted for this one').toMatchObject({ reason: 'signal', signal: 'SIGKILL' });
  });

  it('says which image cannot be had, and what is wrong with it', async () => {
    const bucket = 'images';
    const damaged = await bench.start({ image: busyboxImage() });
    const key = (await bench.keys(bucket)).at(-1) ?? '';
    const { body } = await bench.store.read({ bucket, key });
    const bytes = Buffer.concat(await body.toArray());
    bytes.writeUInt32LE(0, bytes.length / 2);
    await bench.store.write({ bucket, key }, bytes);
    expect(await damaged.run()).toMatchObject({ reason: 'image', message: expect.stringContaining('chunk 1 of') });
    expect(await damaged.run()).toMatchObject({ reason: 'image' });

    const gone = await bench.start({
      image: busyboxImage(),
      spec: { imageLocation: { archive: { type: 's3', bucket: 'data', key: 'none/rootfs' } } },
    });
    expect(await gone.run()).toMatchObject({
      reason: 'image',
      message: expect.stringContaining('s3://data/none/rootfs'),
    });

    const other = await bench.start({ image: busyboxImage(), spec: { imageDigest: `sha256:${'0'.repeat(64)}` } });
    expect(await other.run()).toMatchObject({ reason: 'image' });
  });

  it('says that the registry is down', async () => {
    const image = busyboxImage();
    const reference = `127.0.0.1:9/app@${image.resolved.digest}`;
    const environment = await bench.start({ image, spec: { imageLocation: { registry: { reference } } } });
    const outcome = await environment.run({}, { timeoutMs: 60_000 });
    expect(outcome).toMatchObject({ reason: 'image', message: expect.stringContaining('127.0.0.1:9') });
  });

  it.skipIf(mountMissing)('says what does not fit when the disk is full', async () => {
    using disk = mountTmpfs(8);
    const environment = await bench.start({ image: busyboxImage(), tmp: disk.path });
    const full = await environment.run({ script: 'cat /dev/zero > /tmp/fill' });
    expect(full).toMatchObject({ reason: 'no-space', message: expect.stringContaining('ephemeral storage') });
    expect(await environment.run({ script: 'ls /tmp' })).toMatchObject({ status: 'succeeded' });

    await bench.store.write({ bucket: 'data', key: 'in/large' }, Buffer.alloc(8 * 1024 * 1024));
    const event = notification('data', ['in/large'], { version: 1, args: ['true'] });
    expect((await environment.invoke(event)).outcomes).toMatchObject([
      { reason: 'no-space', message: expect.stringMatching(/MiB left, and s3:\/\/data\/in\/large is larger/) },
    ]);
    for (const record of event.Records ?? []) record.s3.object.size = 8 * 1024 * 1024;
    expect((await environment.invoke(event)).outcomes).toMatchObject([
      { reason: 'no-space', message: expect.stringMatching(/MiB left, and s3:\/\/data\/in\/large has 8\.0 MiB/) },
    ]);
    expect(await environment.run({ script: 'true' })).toMatchObject({ status: 'succeeded' });
    await environment.kill();

    const bulky = busyboxImage({}, file('bulk', randomBytes(7 * 1024 * 1024)));
    const next = await bench.start({ image: bulky, tmp: disk.path });
    expect(await next.run({ script: 'true' })).toMatchObject({ reason: 'no-space' });
    await next.kill();
  });

  it.skipIf(mountMissing)('evicts an image that nobody uses when another needs the room', async () => {
    using disk = mountTmpfs(8);
    const first = await bench.start({
      image: busyboxImage({}, file('a', randomBytes(3 * 1024 * 1024))),
      tmp: disk.path,
    });
    expect(await first.run({ script: 'true' })).toMatchObject({ status: 'succeeded' });
    await first.kill();
    const second = await bench.start({
      image: busyboxImage({}, file('b', randomBytes(3 * 1024 * 1024))),
      tmp: disk.path,
    });
    expect(await second.run({ script: 'ls /b' })).toMatchObject({ status: 'succeeded' });
    expect(second.log).toContain('removed to make room');
    await second.kill();
  });
});

/** Most memory that the environment's process ever held (proc_pid_status(5)). */
function peakKiB(environment: FunctionEnvironment): number {
  const status = readFileSync(`/proc/${environment.process.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]);
}
