import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { objectStore } from '../../../src/aws/s3.js';
import { type S3Engine, startS3Engine } from '../../support/s3-engine.js';

let s3: S3Engine;
beforeAll(async () => {
  s3 = await startS3Engine();
});
afterAll(() => s3.close());

it.each([
  [{ date: 'Fri, 02 Jan 2026 03:05:05 GMT', 'last-modified': 'Fri, 02 Jan 2026 03:04:05 GMT' }, 60_000],
  [{ 'last-modified': 'Fri, 02 Jan 2026 03:04:05 GMT' }, undefined],
  [{ date: 'Fri, 02 Jan 2026 03:05:05 GMT' }, undefined],
])("with %j an object's age is %j, whatever the clock here says", async (headers, ageMs) => {
  const server = createServer((_, answer) => {
    answer.sendDate = false;
    answer.writeHead(200, { 'content-length': '3', ...headers }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 's' },
    forcePathStyle: true,
  });
  try {
    expect(await objectStore(client).head({ bucket: 'b', key: 'k' })).toMatchObject({ bytes: 3, ageMs });
  } finally {
    client.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

it('is known of objects in the engine', async () => {
  const store = objectStore(s3.client);
  const bucket = 'aged';
  await s3.client.send(new CreateBucketCommand({ Bucket: bucket }));
  await store.write({ bucket, key: 'k' }, 'x');
  const { ageMs } = await store.head({ bucket, key: 'k' });
  expect(ageMs).toBeGreaterThanOrEqual(0);
  expect(s3.failures).toEqual([]);
});
