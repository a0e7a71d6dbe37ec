import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { busyboxImage, busyboxMissing } from '../../support/busybox.js';
import { FunctionBench, notification, supervisorMissing } from '../../support/function-bench.js';
import { containerLeftovers } from '../../support/leftovers.js';

const missing = supervisorMissing ?? busyboxMissing;
const answered = { version: 1 } as const;

describe.skipIf(missing)(`the built supervisor (${missing ?? 'runs'})`, () => {
  let bench: FunctionBench;

  beforeAll(async () => {
    bench = await FunctionBench.open();
    for (const bucket of ['data', 'other']) await bench.createBucket(bucket);
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  const write = (key: string, text: string) => bench.store.write({ bucket: 'data', key }, text);

  it('takes an object through the container to its output', async () => {
    const script = 'tr a-z A-Z < "$SCAR_INPUT_FILE" > "$SCAR_OUTPUT_DIR/$(basename "$SCAR_INPUT_FILE")"';
    const environment = await bench.start({ image: busyboxImage(), script });
    await write('input/some file+1.txt', 'hello');
    const response = await environment.invoke(notification('data', ['input/some file+1.txt'], answered), {
      requestId: 'req-1',
    });
    expect(response).toMatchObject({
      scar: 1,
      requestId: 'req-1',
      coldStart: true,
      image: { pulled: true },
      runner: 'in-process',
      outcomes: [
        {
          status: 'succeeded',
          exitCode: 0,
          signal: null,
          input: { bucket: 'data', key: 'input/some file+1.txt', bytes: 5 },
          outputs: [{ bucket: 'data', key: 'output/some file+1.txt', bytes: 5 }],
        },
      ],
    });
    expect(await bench.text('data', 'output/some file+1.txt')).toBe('HELLO');
    expect(await bench.store.head({ bucket: 'data', key: 'output/some file+1.txt' })).toMatchObject({
      contentType: 'text/plain',
      metadata: { 'scar-request-id': 'req-1', 'scar-outcome': 'succeeded' },
    });
    expect(containerLeftovers(environment.tmp)).toEqual([]);
    const again = await environment.invoke(notification('data', ['input/some file+1.txt'], answered));
    expect(again).toMatchObject({ coldStart: false, image: { pulled: false } });
    expect(again.outcomes[0]?.timings.pullMs).toBeLessThan(50);
  });

  it('serves every record, each in a folder of its own, and fails the invocation at the end', async () => {
    const script = `
      ls "$TMP_INPUT_DIR" > "$SCAR_OUTPUT_DIR/$(basename "$SCAR_INPUT_FILE").list"
      echo "$EVENT" > "$SCAR_OUTPUT_DIR/$(basename "$SCAR_INPUT_FILE").event"
      [ "$(cat "$SCAR_INPUT_FILE")" != bad ]`;
    const output = [{ bucket: 'other', prefix: 'many/' }];
    const environment = await bench.start({ image: busyboxImage(), script, spec: { output } });
    await write('many/1', 'good');
    await write('many/2', 'bad');
    await write('many/4', 'good');
    const keys = ['many/1', 'many/2', 'many/3', 'many/4'];
    await expect(environment.invoke(notification('data', keys))).rejects.toMatchObject({
      message: expect.stringMatching(
        /^2 of 4 containers failed: s3:\/\/data\/many\/2 failed \(exit\).*many\/3.*stage-in/,
      ),
    });
    expect(await bench.keys('other', 'many/')).toEqual(
      ['1', '2', '4'].flatMap((name) => [`many/${name}.event`, `many/${name}.list`]),
    );
    for (const name of ['1', '2', '4']) {
      expect(await bench.text('other', `many/${name}.list`)).toBe(`${name}\n`);
      expect(JSON.parse(await bench.text('other', `many/${name}.event`))).toEqual(
        notification('data', [`many/${name}`]),
      );
    }
    const { metadata } = await bench.store.head({ bucket: 'other', key: 'many/2.list' });
    expect(metadata['scar-outcome']).toBe('exit');
    const { outcomes } = await environment.invoke(notification('data', keys, answered));
    expect(outcomes.map((outcome) => (outcome.status === 'failed' ? outcome.reason : outcome.status))).toEqual([
      'succeeded',
      'exit',
      'stage-in',
      'succeeded',
    ]);
  });

  it('gives the container the contract of SCAR and nothing of its own', async () => {
    const image = busyboxImage({
      Env: ['PATH=/bin', 'FROM_IMAGE=1', 'LEVEL=image'],
      WorkingDir: '/srv/app',
      User: 'www',
      Cmd: ['/bin/sh', '-c', 'env; echo "PWD is $(pwd)"; cat /tmp/$REQUEST_ID/event.json; ls -A /tmp /tmp/$REQUEST_ID'],
    });
    const environment = await bench.start({
      image,
      variables: { LEVEL: 'function', TOKEN: 'user' },
      environment: { NODE_OPTIONS: '--no-warnings', SECRET_OF_SUPERVISOR: 'x', LAMBDA_LOCAL_MEMORY_EVENTS: '/x' },
    });
    await write('in/a.png', 'x');
    const event = notification('data', ['in/a.png'], { version: 1, environment: { LEVEL: 'event' } });
    const { outcomes } = await environment.invoke(event, { requestId: 'r7' });
    const text = outcomes[0]?.stdout.text ?? '';
    const lines = text.split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'REQUEST_ID=r7',
        'SCAR_INPUT_FILE=/tmp/r7/input/a.png',
        'INPUT_FILE_PATH=/tmp/r7/input/a.png',
        'TMP_INPUT_DIR=/tmp/r7/input',
        'SCAR_OUTPUT_DIR=/tmp/r7/output',
        'TMP_OUTPUT_DIR=/tmp/r7/output',
        'STORAGE_OBJECT_KEY=in/a.png',
        'EVENT_TIME=2026-01-02T03:04:05.678Z',
        `EVENT=${JSON.stringify(event)}`,
        'FROM_IMAGE=1',
        'LEVEL=event',
        'TOKEN=user',
        'HOME=/var/www',
        'AWS_REGION=us-east-1',
        'PWD is /srv/app',
      ]),
    );
    expect(text).toMatch(/^INSTANCE_IP=[\d.]+$/m);
    expect(text).toMatch(/^AWS_SECRET_ACCESS_KEY=/m);
    expect(text).not.toMatch(/NODE_OPTIONS|SECRET_OF_SUPERVISOR|CONT_VAR_|LAMBDA|TMPDIR|AWS_LAMBDA/);
    expect(text).toContain(`${JSON.stringify(event)}/tmp:\nr7\n\n/tmp/r7:\nevent.json\ninput\noutput\n`);
  });

  it('shows the container root, or the truth', async () => {
    const script = 'id -u; : > /tmp/f; chown 1:2 /tmp/f && stat -c %u:%g /tmp/f';
    const root = await bench.start({ image: busyboxImage(), script });
    expect(await root.run()).toMatchObject({ stdout: { text: '0\n1:2\n' } });
    expect(containerLeftovers(root.tmp)).toEqual([]);
    const truth = await bench.start({ image: busyboxImage(), script: 'id -u', spec: { fakeRoot: false } });
    expect(await truth.run()).toMatchObject({ stdout: { text: `${process.getuid?.()}\n` } });
  });

  it('runs what the event says, then the function, then the image', async () => {
    const image = busyboxImage({ Entrypoint: ['/bin/echo', 'entry'], Cmd: ['cmd'] });
    const plain = await bench.start({ image });
    const withArgs = await bench.start({ image, spec: { args: ['function', 'args'] } });
    const withScript = await bench.start({
      image,
      script: '#!/bin/sh -e\necho function script $0',
      spec: { args: ['x'] },
    });
    const out = async (environment: typeof plain, event = {}) => (await environment.run(event)).stdout.text.trim();
    expect(await out(plain)).toBe('entry cmd');
    expect(await out(withArgs)).toBe('entry function args');
    expect(await out(withScript)).toMatch(/^function script \/tmp\/request-0\/script$/);
    expect(await out(withScript, { args: ['event'] })).toBe('entry event');
    expect(await out(withScript, { args: ['event'], script: 'echo event script' })).toBe('event script');
  });

  it('stages out trees, links as the container sees them, and names of every kind', async () => {
    const script = `
      cd "$SCAR_OUTPUT_DIR"; mkdir -p a/b "ü 日本"; echo 1 > a/b/deep; echo 2 > "ü 日本/+%.txt"
      : > empty; echo 3 > closed; chmod 000 closed a
      ln -s /etc/passwd absolute; ln -s ../../../etc/passwd up; ln -s nothing dangling; ln -s a folder; ln -s /dev/zero zero
      mkfifo pipe`;
    const output = [{ bucket: 'other', prefix: 'tree/' }];
    const environment = await bench.start({ image: busyboxImage(), script, spec: { output } });
    const outcome = await environment.run();
    expect(outcome).toMatchObject({ status: 'succeeded' });
    expect(await bench.keys('other', 'tree/')).toEqual(
      ['a/b/deep', 'absolute', 'closed', 'empty', 'up', 'ü 日本/+%.txt'].map((path) => `tree/${path}`),
    );
    expect(await bench.text('other', 'tree/absolute')).toContain('/var/www');
    expect(await bench.text('other', 'tree/up')).toContain('/var/www');
    for (const name of ['dangling', 'folder', 'zero', 'pipe']) {
      expect(environment.log).toContain(`scar: output ${name} is left out`);
    }
  });

  it('sends large outputs in parts, and large inputs whole', async () => {
    const output = [{ bucket: 'other', prefix: 'large/' }];
    const script = 'cat "$SCAR_INPUT_FILE" "$SCAR_INPUT_FILE" > "$SCAR_OUTPUT_DIR/double"; md5sum < "$SCAR_INPUT_FILE"';
    const environment = await bench.start({ image: busyboxImage(), script, spec: { output } });
    const bytes = Buffer.alloc(9 * 1024 * 1024, 'scar');
    await bench.store.write({ bucket: 'data', key: 'big/1' }, bytes);
    const { outcomes } = await environment.invoke(notification('data', ['big/1'], answered));
    expect(outcomes[0]).toMatchObject({
      status: 'succeeded',
      outputs: [{ key: 'large/double', bytes: 18 * 1024 * 1024 }],
    });
    expect(await bench.text('other', 'large/double')).toBe(bytes.toString() + bytes.toString());
  });

  it('filters outputs by suffix and target', async () => {
    const environment = await bench.start({
      image: busyboxImage(),
      script: 'cd $SCAR_OUTPUT_DIR; touch a.txt b.log c',
    });
    const output = [
      { bucket: 'other', prefix: 'all/' },
      { bucket: 'data', prefix: 'logs/', suffixes: ['.log'] },
    ];
    expect(await environment.run({ output })).toMatchObject({
      outputs: [
        { bucket: 'other', key: 'all/a.txt' },
        { bucket: 'other', key: 'all/b.log' },
        { bucket: 'other', key: 'all/c' },
        { bucket: 'data', key: 'logs/b.log' },
      ].map((object) => expect.objectContaining(object)),
    });
  });

  it('runs nothing for the mark of a folder', async () => {
    const environment = await bench.start({ image: busyboxImage(), script: 'echo ran' });
    const response = await environment.invoke(notification('data', ['input/']));
    expect(response.outcomes).toMatchObject([{ status: 'succeeded', exitCode: null, outputs: [] }]);
    expect(environment.log).toContain('marks a folder');
    expect(environment.log).not.toContain('ran\n');
  });

  it('refuses to feed itself', async () => {
    const environment = await bench.start({ image: busyboxImage(), script: 'echo ran' });
    await expect(environment.invoke(notification('data', ['output/x']))).rejects.toThrow('for ever');
    expect(environment.log).not.toContain('ran\n');
  });

  it('preheats: brings the image in, holds the environment, runs nothing', async () => {
    const environment = await bench.start({ image: busyboxImage(), script: 'echo ran' });
    const started = Date.now();
    const response = await environment.invoke({ scar: { version: 1, action: 'preheat', holdMs: 300 } });
    expect(Date.now() - started).toBeGreaterThanOrEqual(300);
    expect(response).toMatchObject({ image: { pulled: true }, outcomes: [{ status: 'succeeded', exitCode: null }] });
    const next = await environment.invoke({ scar: { version: 1 } });
    expect(next).toMatchObject({ coldStart: false, image: { pulled: false } });
  });

  it('shares one rootfs with another function that has the same image, also when both bring it in at once', async () => {
    const first = await bench.start({ image: busyboxImage(), script: 'echo first' });
    const second = await bench.start({ image: busyboxImage(), script: 'echo second', tmp: first.tmp });
    const responses = await Promise.all(
      [first, second].map((environment) => environment.invoke({ scar: { version: 1 } })),
    );
    expect(responses.map(({ outcomes: [outcome] }) => outcome?.stdout.text)).toEqual(['first\n', 'second\n']);
    expect(responses.filter(({ image }) => image.pulled)).toHaveLength(1);
    const images = readdirSync(join(first.tmp, 'scar/images')).filter((name) => name !== 'lock');
    expect(images).toHaveLength(1);
  });

  it('answers events that are none of ours by saying so', async () => {
    const environment = await bench.start({ image: busyboxImage() });
    await expect(environment.invoke({ key1: 'value1' })).rejects.toThrow('received an object with key1');
    const { outcomes } = await environment.invoke({ scar: { version: 2 } });
    expect(outcomes).toMatchObject([{ status: 'failed', reason: 'event' }]);
    expect(existsSync(join(environment.tmp, 'scar/images'))).toBe(false);
  });
});
