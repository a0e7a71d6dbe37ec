import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type S3Engine, startS3Engine } from '../../support/s3-engine.js';
import { collect, names } from './mapped-bucket.js';
import { queuedBucket } from './queued-bucket.js';

let s3: S3Engine;
beforeAll(async () => {
  s3 = await startS3Engine();
});
afterAll(async () => {
  expect(s3.failures).toEqual([]);
  await s3.close();
});

describe('the bill of an asynchronous run', () => {
  it('is said to be unknown, by who sent it and by who looks on', async () => {
    const { map, attach, ran } = await queuedBucket(s3, names(4));
    const run = map();
    const items = await collect(run);
    expect(ran).toHaveLength(4);
    expect(items.every((item) => item.billedMs === undefined && item.timings.containerMs >= 0)).toBe(true);
    expect(run.summary).toMatchObject({ complete: true, succeeded: 4, withoutBill: 4, billedMs: 0, gbSeconds: 0 });
    expect(run.summary.costUsd).toMatchObject({ compute: 0, requests: expect.closeTo(4 * 2e-7) });

    const attached = attach(run.runId);
    const progress: number[] = [];
    attached.on('progress', ({ withoutBill }) => progress.push(withoutBill));
    expect(await collect(attached)).toHaveLength(4);
    expect(attached.summary).toMatchObject({ complete: true, withoutBill: 4, costUsd: { total: 0 } });
    expect(progress.at(-1)).toBe(4);
  });
});
