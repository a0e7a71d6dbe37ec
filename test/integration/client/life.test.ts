import { randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { ListFunctionsCommand } from '@aws-sdk/client-lambda';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LogEvent, MapItem, ProgressEvent, ScarClient, WarningEvent } from '../../../src/index.js';
import { removeTree } from '../../../src/util/remove-tree.js';
import { built } from '../../support/built.js';
import { busyboxImage, busyboxLayout, busyboxMissing } from '../../support/busybox.js';
import { file } from '../../support/tar.js';

let folder: string;
let image: string;
let scar: ScarClient;

beforeAll(async () => {
  if (busyboxMissing) return;
  folder = mkdtempSync(join(tmpdir(), 'scar-life-'));
  const config = { Env: ['PATH=/bin', 'FROM_IMAGE=yes'], Cmd: ['echo', 'hello from the image'] };
  image = await busyboxLayout(join(folder, 'image'), busyboxImage(config));
  const { ScarClient } = await built();
  scar = await ScarClient.local({ dataDir: join(folder, 'data'), concurrentExecutions: 4 });
  await scar.s3.send(new CreateBucketCommand({ Bucket: 'files' }));
});
afterAll(async () => {
  await scar?.close();
  if (folder) await removeTree(folder);
});

const put = (key: string, body: string) =>
  scar.s3.send(new PutObjectCommand({ Bucket: 'files', Key: key, Body: body, ContentLength: body.length }));
async function text(key: string): Promise<string> {
  const { Body } = await scar.s3.send(new GetObjectCommand({ Bucket: 'files', Key: key }));
  return (await Body?.transformToString()) ?? '';
}
async function keys(bucket: string, prefix = ''): Promise<string[]> {
  const { Buckets = [] } = await scar.s3.send(new ListBucketsCommand({}));
  // Small images need none.
  if (!Buckets.some(({ Name }) => Name === bucket)) return [];
  const { Contents = [] } = await scar.s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
  return Contents.map(({ Key }) => Key ?? '');
}
const IMAGES = 'scar-images-000000000000-us-east-1';

/** Copies its input in upper case. */
const SHOUT = 'tr a-z A-Z < "$SCAR_INPUT_FILE" > "$SCAR_OUTPUT_DIR/$(basename "$SCAR_INPUT_FILE")"\necho done $WORD\n';

describe.skipIf(busyboxMissing)('a function on the engine', () => {
  it('lives from its creation to its removal, and leaves nothing behind', async () => {
    const steps: ProgressEvent['step'][] = [];
    scar.on('progress', ({ step }) => steps.push(step));
    const created = await scar.createFunction({
      name: 'shout',
      image,
      script: { inline: SHOUT },
      environment: { WORD: 'first' },
      memoryMiB: 256,
      timeoutSeconds: 60,
      output: [{ bucket: 'files', prefix: 'shouted/' }],
      tags: { team: 'letters' },
    });
    expect(created).toMatchObject({ name: 'shout', state: 'Active', memoryMiB: 256, environment: { WORD: 'first' } });
    expect(steps).toEqual(
      expect.arrayContaining(['resolve-image', 'upload-image', 'create-function', 'wait-until-ready']),
    );
    expect(await scar.getFunction('shout')).toMatchObject({
      image: created.image,
      triggers: [],
      tags: { team: 'letters' },
    });
    expect((await scar.listFunctions()).map(({ name }) => name)).toEqual(['shout']);
    await expect(scar.createFunction({ name: 'shout', image })).rejects.toMatchObject({ code: 'function-exists' });

    await put('letters/ann b+c.txt', 'dear ann');
    const result = await scar.invoke('shout', { input: { bucket: 'files', key: 'letters/ann b+c.txt' } });
    expect(result).toMatchObject({ status: 'succeeded', exitCode: 0, coldStart: true, pulled: true });
    expect(result.outputs).toEqual([{ bucket: 'files', key: 'shouted/ann b+c.txt', bytes: 8 }]);
    expect(result.stdout.text).toBe('done first\n');
    expect(result.billedMs).toBeGreaterThan(0);
    expect(result.maxMemoryMiB).toBeGreaterThan(0);
    expect(result.logs).toContain(`REPORT RequestId: ${result.requestId}`);
    expect(await text('shouted/ann b+c.txt')).toBe('DEAR ANN');

    const updated = await scar.updateFunction('shout', { environment: { WORD: 'second' }, memoryMiB: 512 });
    expect(updated).toMatchObject({ memoryMiB: 512, environment: { WORD: 'second' } });
    await scar.updateFunction('shout', { script: { inline: 'echo "$WORD $1"; exit 3' }, args: ['x'] });
    const second = await scar.invoke('shout');
    expect(second).toMatchObject({ status: 'failed', reason: 'exit', exitCode: 3 });
    expect(second.stdout.text).toContain('second');
    await scar.updateFunction('shout', { script: null, args: null });
    expect((await scar.invoke('shout')).stdout.text).toBe('hello from the image\n');

    expect(await scar.deleteFunction('shout')).toMatchObject({ function: true, logGroup: true, triggers: [] });
    expect(await scar.deleteFunction('shout')).toMatchObject({ function: false, logGroup: false });
    expect(await keys(IMAGES)).toEqual([]);
    expect((await scar.lambda.send(new ListFunctionsCommand({}))).Functions).toEqual([]);
    expect((await scar.logs.send(new DescribeLogGroupsCommand({}))).logGroups).toEqual([]);
  });

  it('keeps an image that another function uses', async () => {
    // Too large for the package, and nothing that gzip makes smaller.
    const ballast = file('ballast', randomBytes(9 * 1024 * 1024));
    const large = await busyboxLayout(join(folder, 'large'), busyboxImage({ Cmd: ['true'] }, ballast));
    await scar.createFunction({ name: 'one', image: large });
    const uploaded = await keys(IMAGES);
    await scar.createFunction({ name: 'two', image: large });
    expect((await scar.deleteFunction('one')).imageKeys).toEqual([]);
    expect(await scar.invoke('two')).toMatchObject({ status: 'succeeded', pulled: true });
    expect((await scar.deleteFunction('two')).imageKeys).toEqual(uploaded.filter((key) => key.includes('/rootfs/')));
    expect(await keys(IMAGES)).toEqual([]);
  });

  it('leaves nothing behind when its creation fails', async () => {
    const broken = { name: 'broken', image, trigger: { bucket: 'no-such-bucket', prefix: 'in/' } };
    await expect(scar.createFunction(broken)).rejects.toMatchObject({ code: 'bucket-not-found' });
    expect(await keys(IMAGES)).toEqual([]);
    expect((await scar.lambda.send(new ListFunctionsCommand({}))).Functions).toEqual([]);
    expect((await scar.logs.send(new DescribeLogGroupsCommand({}))).logGroups).toEqual([]);
  });
});

describe.skipIf(busyboxMissing)('invocations on the engine', () => {
  beforeAll(async () => {
    await scar.createFunction({ name: 'probe', image, timeoutSeconds: 20, environment: { WHO: 'function' } });
  });
  afterAll(() => scar.deleteFunction('probe'));

  const ends: [string, Parameters<ScarClient['invoke']>[1], Record<string, unknown>][] = [
    ['its own command', {}, { status: 'succeeded', stdout: { text: 'hello from the image\n', bytes: 21 } }],
    ['other arguments', { args: ['echo', 'others'] }, { status: 'succeeded', stdout: { text: 'others\n', bytes: 7 } }],
    ['a script that exits 3', { script: { inline: 'exit 3' } }, { status: 'failed', reason: 'exit', exitCode: 3 }],
    [
      'a script that a signal ends',
      { script: { inline: 'kill -TERM $$' } },
      { status: 'failed', reason: 'signal', signal: 'SIGTERM' },
    ],
    [
      'a program that is not there',
      { args: ['no-such-program'] },
      { status: 'failed', reason: 'not-started', exitCode: null },
    ],
    ['no output', { script: { inline: 'true' } }, { status: 'succeeded', outputs: [] }],
    [
      'an input that is not there',
      { input: { bucket: 'files', key: 'no/such' } },
      { status: 'failed', reason: 'stage-in', exitCode: null },
    ],
  ];
  it.each(ends)('end as data: %s', async (_, options, expected) => {
    expect(await scar.invoke('probe', options)).toMatchObject(expected);
  });

  it('read a script from a file, and set variables for one container only', async () => {
    const script = join(folder, 'script.sh');
    writeFileSync(script, '#!/bin/sh\necho "$WHO $FROM_IMAGE"\n');
    expect((await scar.invoke('probe', { script, environment: { WHO: 'invocation' } })).stdout.text).toBe(
      'invocation yes\n',
    );
    expect((await scar.invoke('probe', { script })).stdout.text).toBe('function yes\n');
  });

  it('tell of the time that ran out', async () => {
    await scar.updateFunction('probe', { timeoutSeconds: 2 });
    const result = await scar.invoke('probe', { args: ['sleep', '30'] });
    expect(result).toMatchObject({ status: 'failed', reason: 'timeout' });
    await scar.updateFunction('probe', { timeoutSeconds: 20 });
  });

  it('end when the caller has had enough', async () => {
    const abort = new AbortController();
    const waiting = scar.invoke('probe', { args: ['sleep', '5'], signal: abort.signal });
    setTimeout(() => abort.abort(new Error('enough')), 300);
    await expect(waiting).rejects.toThrow('enough');
  });
});

describe.skipIf(busyboxMissing)('a map on the engine', () => {
  const names = Array.from({ length: 30 }, (_, n) => `many/${String(n).padStart(2, '0')}.txt`);

  beforeAll(async () => {
    await put('many/', '');
    for (const name of names) await put(name, `text of ${name}`);
    await scar.createFunction({
      name: 'many',
      image,
      script: { inline: `case "$SCAR_INPUT_FILE" in */13.txt) exit 13;; esac\n${SHOUT}` },
      output: [{ bucket: 'files', prefix: 'out/' }],
    });
  });
  afterAll(() => scar.deleteFunction('many'));

  it('preheats distinct environments', async () => {
    const result = await scar.preheat('many', { environments: 3 });
    expect(result).toMatchObject({ requested: 3, errors: [] });
    expect(result.environments).toBeGreaterThanOrEqual(3);
  });

  it('gives each object its result, whatever it is, and puts every output where it belongs', async () => {
    const run = scar.mapOverBucket('many', { bucket: 'files', prefix: 'many/', concurrency: 50 });
    const warnings: string[] = [];
    run.on('warning', ({ code }) => warnings.push(code));
    const items: MapItem[] = [];
    for await (const item of run) items.push(item);
    expect(items.map(({ key }) => key).toSorted()).toEqual(names);
    const failed = items.filter(({ status }) => status === 'failed');
    expect(failed).toMatchObject([{ key: 'many/13.txt', reason: 'exit', exitCode: 13 }]);
    expect(run.summary).toMatchObject({
      complete: true,
      listed: 31,
      skipped: 1,
      succeeded: 29,
      failed: 1,
      concurrency: 4,
    });
    expect(run.summary.costUsd.total).toBeGreaterThan(0);
    expect(warnings).toEqual(['concurrency-capped']);
    expect(await keys('files', 'out/')).toHaveLength(29);
    expect(await text('out/07.txt')).toBe('TEXT OF MANY/07.TXT');
  });

  it('maps over what a manifest lists, and has planned it before', async () => {
    const rows = ['many/02.txt', 'many/13.txt', 'many/none.txt'].map((key) => `files,${key}\n`);
    await put('lists/some.csv', rows.join(''));
    const run = scar.mapOverBucket('many', { bucket: 'files', manifest: { bucket: 'files', key: 'lists/some.csv' } });
    expect(await run.plan()).toMatchObject({ objects: 3, skipped: 0 });
    const items: MapItem[] = [];
    for await (const item of run) items.push(item);
    items.sort((a, b) => a.key.localeCompare(b.key));
    const size = (key: string) => items.find((item) => item.key === key)?.size;
    expect(items.map(({ key, status, reason }) => [key, reason ?? status])).toEqual([
      ['many/02.txt', 'succeeded'],
      ['many/13.txt', 'exit'],
      ['many/none.txt', 'stage-in'],
    ]);
    expect(size('many/02.txt')).toBeGreaterThan(0);
    expect(size('many/none.txt')).toBeUndefined();
  });

  it('cancels what is in flight on break', async () => {
    const run = scar.mapOverBucket('many', {
      bucket: 'files',
      prefix: 'many/',
      args: ['sleep', '1'],
      script: { inline: 'sleep 1' },
    });
    for await (const _ of run) break;
    expect(run.summary.complete).toBe(false);
    expect(run.summary.succeeded + run.summary.failed + run.summary.cancelled).toBeLessThan(12);
    expect(await scar.invoke('many', { script: { inline: 'true' } })).toMatchObject({ status: 'succeeded' });
  });

  it('reads the log of one invocation to its end', async () => {
    const { requestId } = await scar.invoke('many', { script: { inline: 'echo one; echo two' } });
    const events: LogEvent[] = [];
    for await (const event of scar.streamLogs('many', { requestId, follow: true, pollIntervalMs: 100 }))
      events.push(event);
    const messages = events.map(({ message }) => message);
    expect(messages[0]).toContain(`START RequestId: ${requestId}`);
    expect(messages).toEqual(expect.arrayContaining(['one', 'two']));
    expect(events.find(({ report }) => report)?.report).toMatchObject({ requestId });
    expect(new Set(events.map(({ requestId: id }) => id))).toEqual(new Set([requestId]));
  });

  it('follows a log while it is written, each line once', async () => {
    const from = Date.now();
    const lines: string[] = [];
    const following = (async () => {
      for await (const { message } of scar.streamLogs('many', { follow: true, since: from, pollIntervalMs: 100 })) {
        if (message.startsWith('line ')) lines.push(message);
        if (lines.length === 20) return;
      }
    })();
    for (let n = 0; n < 10; n++) await scar.invoke('many', { script: { inline: `echo line ${n}a; echo line ${n}b` } });
    await following;
    expect(lines.toSorted()).toEqual(Array.from({ length: 10 }, (_, n) => [`line ${n}a`, `line ${n}b`]).flat());
  });

  it('has Live Tail bring lines before a pass is due, and tells none twice', async () => {
    const warnings: string[] = [];
    const warn = ({ message }: WarningEvent) => void warnings.push(message);
    scar.on('warning', warn);
    // No pass would come within the minute.
    const log = scar.streamLogs('many', { follow: true, since: Date.now(), pollIntervalMs: 60_000 });
    const told: string[] = [];
    const following = (async () => {
      for await (const { message, eventId } of log) {
        if (!message.startsWith('tailed ')) continue;
        told.push(message);
        // Only Live Tail's events have none.
        if (eventId === undefined) return;
      }
    })();
    for (let n = 0, over = false; !over; n++) {
      await scar.invoke('many', { script: { inline: `echo tailed ${n}` } });
      over = await Promise.race([following.then(() => true), sleep(300, false)]);
    }
    scar.off('warning', warn);
    expect(new Set(told).size).toBe(told.length);
    expect(warnings).toEqual([]);
  });

  it('reads the log of a result, and those of a map while its loop goes on', async () => {
    const result = await scar.invoke('many', { script: { inline: 'echo of a result' } });
    const alone: string[] = [];
    for await (const { message, requestId } of scar.streamLogs('many', { item: result })) {
      expect(requestId).toBe(result.requestId);
      alone.push(message);
    }
    expect(alone).toEqual(result.logs.replace(/\n$/, '').split('\n'));

    for (let n = 0; n < 6; n++) await put(`logged/${n}`, `${n}`);
    const run = scar.mapOverBucket('many', {
      bucket: 'files',
      prefix: 'logged/',
      script: { inline: 'echo "$STORAGE_OBJECT_KEY"' },
      output: [],
    });
    const events: LogEvent[] = [];
    const logging = (async () => {
      for await (const event of scar.streamLogs('many', { run, pollIntervalMs: 100 })) events.push(event);
    })();
    const items: MapItem[] = [];
    for await (const item of run) items.push(item);
    await logging;
    expect(items).toHaveLength(6);
    for (const { key, requestId, logs } of items) {
      const own = events.filter((event) => event.requestId === requestId).map(({ message }) => message);
      expect(own).toEqual(logs.replace(/\n$/, '').split('\n'));
      expect(own).toContain(key);
    }
    expect(new Set(events.map(({ eventId }) => eventId)).size).toBe(events.length);
  });

  it('runs on its own when an object comes into the bucket, until the trigger is taken away', async () => {
    await scar.putTrigger('many', { bucket: 'files', prefix: 'triggered/', suffix: '.txt' });
    expect((await scar.getFunction('many')).triggers).toMatchObject([
      { bucket: 'files', prefix: 'triggered/', suffix: '.txt' },
    ]);
    await put('triggered/a.txt', 'by itself');
    for (let n = 0; n < 100 && !(await keys('files', 'out/a.txt')).length; n++) await sleep(100);
    expect(await text('out/a.txt')).toBe('BY ITSELF');
    expect(await scar.deleteTrigger('many', { bucket: 'files' })).toHaveLength(1);
    expect((await scar.getFunction('many')).triggers).toEqual([]);
    await expect(scar.putTrigger('many', { bucket: 'files', prefix: 'out/' })).rejects.toThrow(
      /invoke itself for ever/,
    );
  });

  it('fails before its first object when there is no such bucket or function', async () => {
    const first = (run: ReturnType<ScarClient['mapOverBucket']>) => run[Symbol.asyncIterator]().next();
    await expect(first(scar.mapOverBucket('many', { bucket: 'no-such-bucket' }))).rejects.toMatchObject({
      code: 'bucket-not-found',
    });
    await expect(first(scar.mapOverBucket('none', { bucket: 'files' }))).rejects.toMatchObject({
      code: 'function-not-found',
    });
  });
});

describe.skipIf(busyboxMissing)('a client of the engine', () => {
  it('ends what it does when it is closed, and stops the engine', async () => {
    const { ScarClient } = await built();
    const mine = await ScarClient.local();
    await mine.createFunction({ name: 'slow', image, args: ['sleep', '20'] });
    const waiting = mine.invoke('slow').catch((error: unknown) => error);
    await sleep(300);
    await mine.close();
    expect(await waiting).toMatchObject({ code: 'aborted' });
    await mine.close();
  });

  it('refuses options that nobody reads', async () => {
    const { ScarClient } = await built();
    await expect(ScarClient.local({ endpoint: 'http://x' } as object)).rejects.toThrow(
      /local must have only the options/,
    );
    await expect(ScarClient.local({ imagePrefix: '/x' })).rejects.toThrow(/^imagePrefix/);
  });
});
