import { InvokeCommand } from '@aws-sdk/client-lambda';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InvocationFailureReason, InvokeOptions } from '../../../src/index.js';
import { builtPackage, missingPackage } from '../../support/built-package.js';
import { busyboxMissing } from '../../support/busybox.js';
import { containerLeftovers, processesBelow } from '../../support/leftovers.js';
import { errorOf, type LocalClient, startLocalClient } from '../../support/local-client.js';

const missing = missingPackage ?? busyboxMissing;

const script = (...lines: string[]): Pick<InvokeOptions, 'script'> => ({ script: { inline: lines.join('\n') } });

interface Case {
  name: string;
  options: InvokeOptions;
  reason: InvocationFailureReason;
  says: RegExp[];
  exitCode?: number | null;
  signal?: string;
  /** Default `worker`, which has all the time that a busy machine may need. */
  worker?: 'hurried';
}

const input = { bucket: 'data', key: 'in/a.txt' };

const cases: Case[] = [
  {
    name: 'script that exits 3',
    options: script('echo what is wrong >&2', 'exit 3'),
    reason: 'exit',
    says: [/^\/bin\/sh ended with exit code 3; its output says why$/],
    exitCode: 3,
  },
  {
    name: 'script killed by a signal',
    options: script('kill -TERM $$'),
    reason: 'signal',
    says: [/was ended by SIGTERM$/],
    signal: 'SIGTERM',
  },
  {
    name: 'script that crashes',
    options: script('kill -SEGV $$'),
    reason: 'signal',
    says: [/was ended by SIGSEGV$/],
    signal: 'SIGSEGV',
  },
  {
    name: 'script killed by SIGKILL, nobody knows why',
    options: script('kill -KILL $$'),
    reason: 'signal',
    says: [/was ended by SIGKILL/, /perhaps the memory ran out/],
    signal: 'SIGKILL',
  },
  {
    name: 'script whose interpreter the image does not have',
    options: script('#!/usr/bin/python3', 'print(1)'),
    reason: 'not-started',
    says: [/\/usr\/bin\/python3 could not be started: the image has no such program/],
  },
  {
    name: 'image without any command',
    options: { args: [] },
    reason: 'not-started',
    says: [/There is nothing to run: oci:.* has neither ENTRYPOINT nor CMD/, /Give one of them/],
  },
  {
    name: 'program that the image does not have',
    options: { args: ['ffmpeg'] },
    reason: 'not-started',
    says: [/^ffmpeg could not be started: the image has no such program/],
  },
  {
    name: 'program that is a folder',
    options: { args: ['/etc'] },
    reason: 'not-started',
    says: [/^\/etc could not be started: it cannot be executed/],
  },
  {
    name: 'variable that no program can be started with',
    options: { ...script('true'), environment: { LARGE: 'x'.repeat(140_000) } },
    reason: 'not-started',
    says: [/^The variable LARGE must have at most 131071 bytes/, /received 140000/, /in a file instead/],
  },
  {
    name: 'no such bucket for the input',
    options: { ...script('true'), input: { bucket: 'no-such-bucket', key: 'a' } },
    reason: 'stage-in',
    says: [/s3:\/\/no-such-bucket\/a/, /no bucket "no-such-bucket"/, /Create it, or correct its name/],
  },
  {
    name: 'no such object',
    options: { ...script('true'), input: { bucket: 'data', key: 'in/none' } },
    reason: 'stage-in',
    says: [/no object "in\/none"/, /case-sensitive/],
  },
  {
    name: 'no such bucket for the output',
    options: { ...script('echo 1 > $SCAR_OUTPUT_DIR/one'), input, output: [{ bucket: 'no-such-bucket' }] },
    reason: 'stage-out',
    says: [/s3:\/\/no-such-bucket\/output\/one/, /Create it, or correct its name/],
    exitCode: 0,
  },
  {
    name: 'outputs that go nowhere',
    options: script('echo 1 > $SCAR_OUTPUT_DIR/one'),
    reason: 'stage-out',
    says: [
      /left the file one in its output folder, and the function has no output target/,
      /an output, or an empty list/,
    ],
    exitCode: 0,
  },
  {
    name: 'an output that would replace its input',
    options: { ...script('cp $SCAR_INPUT_FILE $SCAR_OUTPUT_DIR'), input, output: [{ bucket: 'data', prefix: 'in/' }] },
    reason: 'stage-out',
    says: [/s3:\/\/data\/in\/a\.txt would replace its input/, /Give the output a prefix of its own$/],
    exitCode: 0,
  },
  {
    name: 'timeout',
    options: script('sleep 600 & sleep 600'),
    worker: 'hurried',
    reason: 'timeout',
    says: [/stopped because the function's time ran out/, /Raise its timeout/],
    signal: 'SIGTERM',
  },
  {
    name: 'out of memory',
    options: script('exec tail -c 2000000000 /dev/zero'),
    reason: 'out-of-memory',
    says: [/killed because the function's 160\.0 MiB of memory ran out/, /Raise the function's memory$/],
    signal: 'SIGKILL',
  },
  {
    name: 'out of memory, behind a shell',
    options: script('tail -c 2000000000 /dev/zero', 'exit $?'),
    reason: 'out-of-memory',
    says: [/killed because the function's 160\.0 MiB of memory ran out/, /Raise the function's memory$/],
    exitCode: 137,
  },
];

describe.skipIf(missing)('a container that fails', () => {
  let local: LocalClient;
  const put = (Key: string, Body: string | Uint8Array = '') =>
    local.scar.s3.send(new PutObjectCommand({ Bucket: 'data', Key, Body }));
  const read = async (Key: string) =>
    (await local.scar.s3.send(new GetObjectCommand({ Bucket: 'data', Key }))).Body?.transformToString();

  beforeAll(async () => {
    local = await startLocalClient();
    await local.scar.s3.send(new CreateBucketCommand({ Bucket: 'data' }));
    await put('in/a.txt', 'a');
    const settings = { image: local.image, memoryMiB: 160 };
    await local.scar.createFunction({ name: 'worker', ...settings });
    await local.scar.createFunction({ name: 'hurried', ...settings, timeoutSeconds: 10, reserveSeconds: 5 });
  });
  afterAll(async () => {
    for (const name of ['worker', 'hurried']) await local.scar.deleteFunction(name);
    await local.close();
  });

  /** What every invocation leaves, however it ended: nothing in `/tmp` but the cache, and no process. */
  function nothingIsLeft(): void {
    expect(containerLeftovers(local.folder), 'what containers left').toEqual([]);
    expect(processesBelow(local.folder).filter((line) => line.includes('inroot') || /sleep|tail/.test(line))).toEqual(
      [],
    );
  }

  it.each(cases)('$name', async ({ options, reason, says, exitCode = null, signal = null, worker = 'worker' }) => {
    const { FunctionError } = await builtPackage();
    const result = await local.leavesNothing(() => local.scar.invoke(worker, options));
    expect(result.status).toBe('failed');
    if (result.status !== 'failed') return;
    expect(result.reason, result.error.message).toBe(reason);
    expect(result.error).toBeInstanceOf(FunctionError);
    expect(result.error.code).toBe('invocation-failed');
    for (const part of says) expect(result.error.message).toMatch(part);
    expect({ exitCode: result.exitCode, signal: result.signal }).toEqual({ exitCode, signal });
    expect(result.outputs).toEqual([]);
    nothingIsLeft();
    // The next one has a sound environment, and sees nothing of the one before.
    const next = await local.scar.invoke(worker, script('ls /tmp/$REQUEST_ID/output; ls /tmp | wc -l'));
    expect(next).toMatchObject({ status: 'succeeded', stdout: { text: '1\n' } });
  });

  it('output folder empty: succeeds, has no outputs, and its log says where to put them', async () => {
    const result = await local.leavesNothing(() => local.scar.invoke('worker', { ...script('true'), input }));
    expect(result).toMatchObject({ status: 'succeeded', outputs: [] });
    expect(result.logs).toMatch(/left no files in its output folder.*\$SCAR_OUTPUT_DIR/);
  });

  it('an empty list of outputs: keeps nothing, whatever the input says, and the log tells it', async () => {
    const options = { ...script('echo 1 > $SCAR_OUTPUT_DIR/unwanted'), output: [] };
    for (const each of [options, { ...options, input }]) {
      const result = await local.leavesNothing(() => local.scar.invoke('worker', each));
      expect(result).toMatchObject({ status: 'succeeded', outputs: [] });
      expect(result.logs).toContain('not kept, as the list of outputs is empty: the file unwanted');
    }
    await expect(read('output/unwanted')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  it('what a failing script wrote is kept, with its reason', async () => {
    const options = { ...script('echo half > $SCAR_OUTPUT_DIR/half.txt', 'exit 3'), input };
    const result = await local.scar.invoke('worker', options);
    expect(result).toMatchObject({ status: 'failed', reason: 'exit', exitCode: 3 });
    expect(result.outputs).toEqual([{ bucket: 'data', key: 'output/half.txt', bytes: 5 }]);
    expect(await read('output/half.txt')).toBe('half\n');
    nothingIsLeft();
  });

  it('processes left in the background end with the container', async () => {
    const result = await local.scar.invoke('worker', script('sleep 600 &', '(sleep 600 &) ', 'echo started'));
    expect(result).toMatchObject({ status: 'succeeded', stdout: { text: 'started\n' } });
    nothingIsLeft();
  });

  it('huge output: 50 MB, of which the result has the end and the count', async () => {
    await local.scar.createFunction({ name: 'patient', image: local.image, memoryMiB: 512, timeoutSeconds: 120 });
    const result = await local.scar.invoke('patient', script('dd if=/dev/zero bs=1M count=50 2>/dev/null', 'echo end'));
    await local.scar.deleteFunction('patient');
    expect(result).toMatchObject({ status: 'succeeded', stdout: { bytes: 50 * 2 ** 20 + 4 } });
    expect(result.stdout.text).toMatch(/\0end\n$/);
    expect(Buffer.byteLength(result.stdout.text)).toBeLessThanOrEqual(64 * 1024);
  });

  it('binary output: counted as it is, shown as text', async () => {
    const result = await local.scar.invoke('worker', script("printf 'a\\377\\376\\000b\\033[31m'"));
    expect(result).toMatchObject({ status: 'succeeded', stdout: { bytes: 10 } });
    expect(result.stdout.text).toBe('a\uFFFD\uFFFD\0b\u001B[31m');
  });

  it('unknown function', async () => {
    const error = await errorOf(local.scar.invoke('nobody'));
    expect(error.code).toBe('function-not-found');
    expect(error.message).toMatch(/no function "nobody".*Create it, or correct its name/);
  });

  it.each([
    [
      'a CRLF shebang',
      '#!/bin/sh\r\necho hello\r\n',
      /first line that ends in CRLF; received "#!\/bin\/sh\\r"\. Save it with LF/,
    ],
    ['a byte order mark', '\uFEFF#!/bin/sh\necho hello', /byte order mark before #!.*without one/],
  ])('a script with %s is not even sent', async (_, text, says) => {
    const error = await errorOf(local.scar.invoke('worker', script(text)));
    expect(error.code).toBe('invalid-option');
    expect(error.message).toMatch(says);
  });

  it('an event that is too large', async () => {
    const error = await errorOf(local.scar.invoke('worker', script('#'.repeat(7_000_000))));
    expect(error.code).toBe('invalid-option');
    expect(error.message).toMatch(/^script must leave the event within 6291456 bytes; received "70000\d\d bytes"/);
  });

  describe('an event that is none of ours', () => {
    const send = async (payload: string) => {
      const answer = await local.scar.lambda.send(
        new InvokeCommand({ FunctionName: 'worker', Payload: Buffer.from(payload) }),
      );
      return {
        failed: answer.FunctionError !== undefined,
        said: JSON.parse(answer.Payload?.transformToString() ?? ''),
      };
    };

    it.each([
      ['text', '"hello"', /must be a JSON object; received "hello"/],
      ['another service', '{"detail-type":"Object Created","source":"aws.s3"}', /it looks like EventBridge/],
      ['another source', '{"Records":[{"EventSource":"aws:sns"}]}', /must come from S3.*a record of "aws:sns"/],
      ['no records', '{"Records":[]}', /at least one record in Records; received \[\]/],
      [
        'half a record',
        '{"Records":[{"eventSource":"aws:s3","s3":{}}]}',
        /must name s3\.bucket\.name and s3\.object\.key/,
      ],
    ])('%s fails the invocation, so that Lambda counts it', async (_, payload, says) => {
      const { failed, said } = await send(payload);
      expect(failed).toBe(true);
      expect(said.errorMessage).toMatch(says);
    });

    it.each([
      ['another version', '{"scar":{"version":9}}', /must have scar\.version 1; received 9/],
      ['arguments that are no strings', '{"scar":{"version":1,"args":[1]}}', /scar\.args must be an array of strings/],
      ['CRLF', '{"scar":{"version":1,"script":"#!/bin/sh\\r\\necho"}}', /CRLF \("#!\/bin\/sh\\r"\)/, 'not-started'],
    ])('%s, from who reads the answer: an outcome', async (_, payload, says, reason = 'event') => {
      const { failed, said } = await send(payload);
      expect(failed).toBe(false);
      expect(said.outcomes).toMatchObject([{ status: 'failed', reason, message: expect.stringMatching(says) }]);
    });

    it('no JSON at all: Lambda itself refuses it', async () => {
      expect((await errorOf(send('{"Records":'))).name).toBe('InvalidRequestContentException');
    });
  });

  it.each([
    ['a space and a plus', 'odd/a b+c.txt', 'a b+c.txt'],
    ['unicode', 'odd/größe-写真-🙂.txt', 'größe-写真-🙂.txt'],
    ['dots only', 'odd/..', '%2E%2E'],
    ['dots on its way', 'odd/../../etc/passwd', 'passwd'],
    ['shell characters', 'odd/$(reboot) `x` ;&|"\'.txt', '$(reboot) `x` ;&|"\'.txt'],
    ['a leading slash', '/odd/a.txt', 'a.txt'],
    ['percent signs', 'odd/100%25%2F.txt', '100%25%2F.txt'],
    ['a line break', 'odd/a\nb.txt', 'a\nb.txt'],
  ])('a key with %s is staged in as a file, and its copy staged out', async (_, key, name) => {
    await put(key, `content of ${key}`);
    const copy = script('printf %s "$SCAR_INPUT_FILE"', 'cp "$SCAR_INPUT_FILE" "$SCAR_OUTPUT_DIR/"');
    const output = [{ bucket: 'data', prefix: 'copies/' }];
    const result = await local.scar.invoke('worker', { ...copy, input: { bucket: 'data', key }, output });
    expect(result.error).toBeUndefined();
    expect(result.stdout.text).toBe(`/tmp/${result.requestId}/input/${name}`);
    expect(result.outputs.map((object) => object.key)).toEqual([`copies/${name}`]);
    expect(await read(`copies/${name}`)).toBe(`content of ${key}`);
  });

  it('the longest key, whose name no file can have', async () => {
    for (const each of [`odd/${'é'.repeat(500)}.jpeg`, `odd/${'x'.repeat(1_015)}.jpg`]) {
      await put(each, 'content');
      const result = await local.scar.invoke('worker', {
        ...script('cat "$SCAR_INPUT_FILE"; printf %s "$STORAGE_OBJECT_KEY" | wc -c'),
        input: { bucket: 'data', key: each },
      });
      expect(result.error).toBeUndefined();
      expect(result.stdout.text).toBe(`content${Buffer.byteLength(each)}\n`);
    }
  });

  it('a zero-byte object is an input like any other, and an empty output too', async () => {
    await put('empty/none.bin');
    const result = await local.scar.invoke('worker', {
      ...script('wc -c < "$SCAR_INPUT_FILE"', 'touch $SCAR_OUTPUT_DIR/empty.out'),
      input: { bucket: 'data', key: 'empty/none.bin' },
    });
    expect(result).toMatchObject({ status: 'succeeded', stdout: { text: '0\n' } });
    expect(result.outputs).toEqual([{ bucket: 'data', key: 'output/empty.out', bytes: 0 }]);
    expect(await read('output/empty.out')).toBe('');
    expect(result.logs, 'no warning of the SDK').not.toMatch(/unknown length/);
  });
});
