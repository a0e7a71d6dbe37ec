import { FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { AddPermissionCommand } from '@aws-sdk/client-lambda';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListObjectsV2Command,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MapItem, MapOptions, MapRun } from '../../../src/index.js';
import { missingPackage } from '../../support/built-package.js';
import { busyboxMissing } from '../../support/busybox.js';
import { containerLeftovers } from '../../support/leftovers.js';
import { errorOf, type LocalClient, startLocalClient } from '../../support/local-client.js';

const missing = missingPackage ?? busyboxMissing;
const OBJECTS = 8;

describe.skipIf(missing)('a map on a bad day', () => {
  let local: LocalClient;

  beforeAll(async () => {
    local = await startLocalClient({ asyncRetryDelaysMs: [10, 10] });
  });
  afterAll(() => local.close());

  const keysOf = async (Bucket: string) =>
    ((await local.scar.s3.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map(({ Key = '' }) => Key);
  const put = (Bucket: string, Key: string) => local.scar.s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }));

  async function emptyBucket(Bucket: string): Promise<void> {
    for (const Key of await keysOf(Bucket)) await local.scar.s3.send(new DeleteObjectCommand({ Bucket, Key }));
  }

  /** A function and a bucket with objects, for one test. */
  async function withMap(name: string, inline: string, test: () => Promise<void>): Promise<void> {
    const { scar, image } = local;
    await scar.s3.send(new CreateBucketCommand({ Bucket: name }));
    for (let number = 0; number < OBJECTS; number++) await put(name, `input/${number}`);
    await scar.createFunction({ name, image, script: { inline }, memoryMiB: 256, timeoutSeconds: 60 });
    await test();
    // An invocation whose caller left goes on to its end, as on Lambda, and cleans up then.
    await expect.poll(() => containerLeftovers(local.folder), { timeout: 20_000 }).toEqual([]);
    await scar.deleteFunction(name);
    await emptyBucket(name).catch((error) => expect(error.name).toBe('NoSuchBucket'));
    await scar.s3.send(new DeleteBucketCommand({ Bucket: name })).catch(() => {});
  }

  async function collect(run: MapRun, onItem = async (_: MapItem) => {}): Promise<MapItem[]> {
    const items: MapItem[] = [];
    for await (const item of run) {
      items.push(item);
      await onItem(item);
    }
    return items;
  }
  const map = (name: string, options: Partial<MapOptions> = {}) =>
    local.scar.mapOverBucket(name, { bucket: name, prefix: 'input/', concurrency: 2, ...options });

  /** Every object has exactly one result, whatever happened. */
  function expectAll(items: readonly MapItem[], run: MapRun): void {
    const keys = Array.from({ length: OBJECTS }, (_, number) => `input/${number}`);
    expect(items.map(({ key }) => key).sort()).toEqual(keys);
    expect(run.summary).toMatchObject({ complete: true, listed: OBJECTS, cancelled: 0 });
  }

  const messages = (items: readonly MapItem[]) => items.flatMap(({ error }) => (error ? [error.message] : []));

  it('no such bucket', () =>
    withMap('no-bucket', 'true', async () => {
      const error = await errorOf(collect(map('no-bucket', { bucket: 'no-such-bucket' })));
      expect(error.code).toBe('bucket-not-found');
      expect(error.message).toMatch(/no-such-bucket.*Create it, or correct its name/);
    }));

  it('no such function', async () => {
    const error = await errorOf(collect(map('nobody')));
    expect(error.code).toBe('function-not-found');
    expect(error.message).toMatch(/no function "nobody".*Create it, or correct its name/);
  });

  it('nothing to map', () =>
    withMap('nothing', 'true', async () => {
      const run = map('nothing', { prefix: 'inputs/' });
      expect(await collect(run)).toEqual([]);
      expect(run.summary).toMatchObject({ complete: true, listed: 0, succeeded: 0, attempts: 0 });
    }));

  it('some containers fail, some are killed: each object has its own result', () =>
    withMap('mixed', 'case $SCAR_INPUT_FILE in */3) exit 3;; */5) kill -TERM $$;; esac', async () => {
      const run = map('mixed');
      const items = await collect(run);
      expectAll(items, run);
      const failed = items.filter(({ status }) => status === 'failed').sort((a, b) => (a.key < b.key ? -1 : 1));
      expect(failed).toMatchObject([
        { key: 'input/3', reason: 'exit', exitCode: 3 },
        { key: 'input/5', reason: 'signal', signal: 'SIGTERM' },
      ]);
      expect(run.summary).toMatchObject({ succeeded: OBJECTS - 2, failed: 2, reasons: { exit: 1, signal: 1 } });
    }));

  it('an object is deleted between list and get', () =>
    withMap('vanishing', 'true', async () => {
      const run = map('vanishing', { concurrency: 1 });
      const Key = `input/${OBJECTS - 1}`;
      const items = await collect(run, async () => {
        await local.scar.s3.send(new DeleteObjectCommand({ Bucket: 'vanishing', Key }));
      });
      expectAll(items, run);
      expect(items.filter(({ status }) => status === 'failed')).toMatchObject([{ key: Key, reason: 'stage-in' }]);
      expect(messages(items)[0]).toMatch(new RegExp(`no object "${Key}"`));
    }));

  it('the bucket is deleted', () =>
    withMap('sinking', 'true', async () => {
      const run = map('sinking', { concurrency: 1 });
      let sunk = false;
      const items = await collect(run, async () => {
        if (sunk) return;
        sunk = true;
        await emptyBucket('sinking');
        await local.scar.s3.send(new DeleteBucketCommand({ Bucket: 'sinking' }));
      });
      expectAll(items, run);
      expect(run.summary.reasons).toEqual({ 'stage-in': run.summary.failed });
      expect(run.summary.failed).toBeGreaterThanOrEqual(OBJECTS - 3);
      for (const message of messages(items)) expect(message).toMatch(/no (bucket|object) ".*"/);
    }));

  it('the function is deleted', () =>
    withMap('leaving', 'true', async () => {
      const run = map('leaving', { concurrency: 1 });
      const items = await collect(run, async () => void (await local.scar.deleteFunction('leaving')));
      expectAll(items, run);
      expect(run.summary.failed).toBeGreaterThanOrEqual(OBJECTS - 3);
      for (const message of messages(items)) expect(message).toMatch(/no function "leaving"|leaving/);
      for (const { error } of items)
        if (error) expect(['function-not-found', 'invocation-failed']).toContain(error.code);
    }));

  it('leaving the loop: what is under way is awaited, and nothing else begins', () =>
    withMap('breaking', 'true', async () => {
      const run = map('breaking');
      for await (const item of run) {
        expect(item.status).toBe('succeeded');
        break;
      }
      expect(run.summary.complete).toBe(false);
      expect(run.summary.listed).toBeLessThan(OBJECTS);
    }));

  it('trigger recursion that no option shows: the outputs are refused as inputs, and it ends', () =>
    withMap('looping', 'echo 1 > $SCAR_OUTPUT_DIR/again', async () => {
      const { scar } = local;
      // A hand-made notification of everything in the bucket, where the outputs go as well.
      const { arn } = await scar.getFunction('looping');
      await scar.lambda.send(
        new AddPermissionCommand({
          FunctionName: 'looping',
          StatementId: 'by-hand',
          Action: 'lambda:InvokeFunction',
          Principal: 's3.amazonaws.com',
        }),
      );
      const LambdaFunctionConfigurations = [{ LambdaFunctionArn: arn, Events: ['s3:ObjectCreated:*' as const] }];
      const NotificationConfiguration = { LambdaFunctionConfigurations };
      await scar.s3.send(
        new PutBucketNotificationConfigurationCommand({ Bucket: 'looping', NotificationConfiguration }),
      );
      await put('looping', 'first');
      const group = { logGroupName: '/aws/lambda/looping' };
      const count = async (filterPattern: string) =>
        (await scar.logs.send(new FilterLogEventsCommand({ ...group, filterPattern }))).events?.length ?? 0;
      // The event of the output fails, and is repeated twice, as Lambda does.
      const options = { timeout: 20_000, interval: 200 };
      await expect.poll(() => count('REPORT'), options).toBe(4);
      expect(await count('"lies below the function\'s own output"')).toBeGreaterThanOrEqual(3);
      expect((await keysOf('looping')).filter((key) => !key.startsWith('input/'))).toEqual(['first', 'output/again']);
    }));
});
