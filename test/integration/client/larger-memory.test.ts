import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingPackage } from '../../support/built-package.js';
import { busyboxMissing } from '../../support/busybox.js';
import { type LocalClient, startLocalClient } from '../../support/local-client.js';

const missing = missingPackage ?? busyboxMissing;

describe.skipIf(missing)(`objects that need more memory (${missing ?? 'on the engine'})`, () => {
  let local: LocalClient;

  beforeAll(async () => {
    local = await startLocalClient();
    const { scar, image } = local;
    await scar.s3.send(new CreateBucketCommand({ Bucket: 'files' }));
    for (const [key, bytes] of Object.entries({ small: 1_000_000, large: 300_000_000, huge: 3_000_000_000 })) {
      await scar.s3.send(new PutObjectCommand({ Bucket: 'files', Key: key, Body: Buffer.from(`${bytes}`) }));
    }
    // It keeps as many bytes as it may have to print.
    const script = 'n=$(cat "$SCAR_INPUT_FILE"); head -c "$n" /dev/zero | tail -c "$n" > /dev/null';
    await scar.createFunction({ name: 'eater', image, script: { inline: script }, memoryMiB: 256, timeoutSeconds: 60 });
  });
  afterAll(() => local?.close());

  it('run again in a copy of the function, which is gone afterwards', async () => {
    const { scar } = local;
    const retry = { failures: { 'out-of-memory': 1 }, memoryMiB: 1_024 };
    await local.leavesNothing(async () => {
      const run = scar.mapOverBucket('eater', { bucket: 'files', retry, concurrency: 1 });
      const items = new Map<string, { status: string; reason?: string | undefined; attempts: number }>();
      for await (const { key, status, reason, attempts } of run) items.set(key, { status, reason, attempts });
      expect(items.get('small')).toEqual({ status: 'succeeded', reason: undefined, attempts: 1 });
      expect(items.get('large')).toEqual({ status: 'succeeded', reason: undefined, attempts: 2 });
      expect(items.get('huge')).toEqual({ status: 'failed', reason: 'out-of-memory', attempts: 2 });
      const { gbSeconds, billedMs } = run.summary;
      expect(gbSeconds).toBeGreaterThan((billedMs / 1000) * (256 / 1024));
    });
  });

  it('are refused what means nothing', async () => {
    const { scar } = local;
    const less = scar.mapOverBucket('eater', {
      bucket: 'files',
      retry: { failures: { 'out-of-memory': 1 }, memoryMiB: 200 },
    });
    await expect(less[Symbol.asyncIterator]().next()).rejects.toThrow(
      /^retry\.memoryMiB must be more than the function has, 256/,
    );
    const none = () =>
      scar.mapOverBucket('eater', { bucket: 'files', retry: { failures: { timeout: 1 }, memoryMiB: 512 } });
    expect(none).toThrow(/^retry\.memoryMiB must come with failures/);
  });
});
