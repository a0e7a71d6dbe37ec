import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { ScarClient } from 'scar-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MapItem } from '../../../src/client/map/item.js';
import { missingPackage } from '../../support/built-package.js';
import { busyboxMissing } from '../../support/busybox.js';
import { type LocalClient, startLocalClient } from '../../support/local-client.js';

const missing = missingPackage ?? busyboxMissing;
const results = { bucket: 'results' };
const OBJECTS = 40;

/** Notes each run of its container by an object of its own; every tenth fails once. */
const script = `
n=$(basename "$SCAR_INPUT_FILE")
echo > "$SCAR_OUTPUT_DIR/$n-$REQUEST_ID"
case $n in *7) exit 3;; esac
echo "$n"
`;

describe.skipIf(missing)(`a map in Lambda's queue (${missing ?? 'on the engine'})`, () => {
  let local: LocalClient;

  beforeAll(async () => {
    local = await startLocalClient();
    const { scar } = local;
    for (const Bucket of ['files', 'results']) await scar.s3.send(new CreateBucketCommand({ Bucket }));
    for (let n = 0; n < OBJECTS; n++) {
      await scar.s3.send(new PutObjectCommand({ Bucket: 'files', Key: `in/${n}`, Body: `${n}` }));
    }
    const output = [{ bucket: 'files', prefix: 'out/' }];
    await scar.createFunction({ name: 'noter', image: local.image, script: { inline: script }, output });
  });
  afterAll(() => local?.close());

  /** One whose end leaves the engine alone. */
  const anotherClient = () => {
    const { lambda, s3, logs } = local.scar;
    return new ScarClient({ clients: { lambda, s3, logs } });
  };

  const map = (more = {}) =>
    local.scar.mapOverBucket('noter', { bucket: 'files', prefix: 'in/', mode: 'async', results, ...more });

  async function runs(): Promise<string[]> {
    const { Contents = [] } = await local.scar.s3.send(new ListObjectsV2Command({ Bucket: 'files', Prefix: 'out/' }));
    return Contents.map(({ Key = '' }) => Key.replace(/^out\/(\d+)-.*/, '$1'));
  }

  async function collect(run: AsyncIterable<MapItem>): Promise<MapItem[]> {
    const items: MapItem[] = [];
    for await (const item of run) items.push(item);
    return items.toSorted((a, b) => Number(a.key.slice(3)) - Number(b.key.slice(3)));
  }
  const all = Array.from({ length: OBJECTS }, (_, n) => `in/${n}`);

  it('gives every result, to who sent and to who looks on', async () => {
    const run = map();
    let sent = 0;
    run.on('sent', (events) => {
      sent = events;
    });
    const items = await collect(run);
    expect(sent).toBe(OBJECTS);
    expect(items.map(({ key }) => key)).toEqual(all);
    expect(items.filter(({ status }) => status === 'failed').map(({ key }) => key)).toEqual([
      'in/7',
      'in/17',
      'in/27',
      'in/37',
    ]);
    expect(items[5]).toMatchObject({ status: 'succeeded', value: 5, attempts: 1, size: 1, stdout: { text: '5\n' } });
    expect(items[7]).toMatchObject({ status: 'failed', reason: 'exit', exitCode: 3 });
    expect(run.summary).toMatchObject({ complete: true, succeeded: 36, failed: 4 });
    expect((await runs()).toSorted()).toEqual(all.map((key) => key.slice(3)).toSorted());

    const other = anotherClient();
    const attached = other.attachMap(run.runId, { results });
    const seen = await collect(attached);
    expect(seen.map(({ attempts: _, ...item }) => item)).toEqual(items.map(({ attempts: _, ...item }) => item));
    expect(attached.summary).toMatchObject({ complete: true, functionName: 'noter', succeeded: 36, failed: 4 });
    await other.close();
    expect(await runs()).toHaveLength(OBJECTS);
  });

  it('goes on without the client that sent it', async () => {
    const before = (await runs()).length;
    const sender = anotherClient();
    const run = sender.mapOverBucket('noter', { bucket: 'files', prefix: 'in/', mode: 'async', results });
    const sent = new Promise((resolve) => run.on('sent', resolve));
    const first = run[Symbol.asyncIterator]().next();
    await sent;
    await first;
    await sender.close();
    const items = await collect(local.scar.attachMap(run.runId, { results }));
    expect(items.map(({ key }) => key)).toEqual(all);
    expect((await runs()).length - before).toBe(OBJECTS);
  });

  it('is gone on with where its sender was ended in the middle', async () => {
    const before = (await runs()).length;
    const sender = anotherClient();
    const run = sender.mapOverBucket('noter', {
      bucket: 'files',
      prefix: 'in/',
      mode: 'async',
      results,
      queueLimit: 3,
      retry: { failures: 1 },
    });
    for await (const _ of run) break;
    await sender.close();
    const resumed = local.scar.resumeMap(run.runId, { journal: results });
    const items = await collect(resumed);
    expect(items.map(({ key }) => key)).toEqual(all);
    expect(resumed.summary).toMatchObject({ complete: true, succeeded: 36, failed: 4 });
    // The failures ran twice, and nothing else did.
    expect((await runs()).length - before).toBe(OBJECTS + 4);
  });
});
