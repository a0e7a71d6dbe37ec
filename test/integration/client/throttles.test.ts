import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MapRun, ScarClient } from '../../../src/index.js';
import { removeTree } from '../../../src/util/remove-tree.js';
import { built } from '../../support/built.js';
import { busyboxLayout, busyboxMissing } from '../../support/busybox.js';

const OBJECTS = 60;

let folder: string;
let scar: ScarClient;

beforeAll(async () => {
  if (busyboxMissing) return;
  folder = mkdtempSync(join(tmpdir(), 'scar-throttles-'));
  const { ScarClient } = await built();
  scar = await ScarClient.local({ dataDir: join(folder, 'data'), concurrentExecutions: 4 });
  await scar.s3.send(new CreateBucketCommand({ Bucket: 'files' }));
  for (let n = 0; n < OBJECTS; n++) {
    await scar.s3.send(new PutObjectCommand({ Bucket: 'files', Key: `in/${n}`, Body: 'x', ContentLength: 1 }));
  }
  const image = await busyboxLayout(join(folder, 'image'));
  await scar.createFunction({ name: 'nap', image, script: { inline: 'sleep 0.02' } });
});
afterAll(async () => {
  await scar?.close();
  if (folder) await removeTree(folder);
});

async function collect(run: MapRun) {
  const items = [];
  for await (const item of run) items.push(item);
  return { items, summary: run.summary };
}

describe.skipIf(busyboxMissing)('maps that share what the account allows', () => {
  it('are throttled by the engine as by Lambda, and lose no object and no attempt', async () => {
    const map = () =>
      scar.mapOverBucket('nap', { bucket: 'files', prefix: 'in/', concurrency: 4, retry: { attempts: 1 } });
    const runs = await Promise.all([collect(map()), collect(map())]);
    for (const { items, summary } of runs) {
      expect(new Set(items.map(({ key }) => key)).size).toBe(OBJECTS);
      expect(summary).toMatchObject({ complete: true, succeeded: OBJECTS, failed: 0 });
      expect(summary.attempts).toBe(OBJECTS + summary.throttles);
    }
    expect(runs.reduce((sum, { summary }) => sum + summary.throttles, 0)).toBeGreaterThan(0);
  });
});
