import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { type S3Engine, startS3Engine } from '../../support/s3-engine.js';
import { temporaryFolder } from '../../support/temporary.js';

const missing = process.getuid?.() === 0 ? undefined : 'mounting a small file system needs root';

describe.skipIf(missing)('a full disk', () => {
  it('refuses what does not fit, keeps what is there, and goes on when there is room', async () => {
    await using folder = await temporaryFolder();
    const dataDir = join(folder.path, 'small');
    mkdirSync(dataDir);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', dataDir]);
    try {
      const s3 = await startS3Engine({ dataDir });
      try {
        await fill(s3);
      } finally {
        await s3.close();
      }
      expect(s3.failures).toEqual([]);
    } finally {
      execFileSync('umount', [dataDir]);
    }
  });
});

async function fill({ client }: S3Engine): Promise<void> {
  const Bucket = 'full';
  const put = (Key: string, Body: Buffer | Readable, more: object = {}) =>
    client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
  const noRoom = { message: "The engine's disk is full", $metadata: { httpStatusCode: 507 } };
  await client.send(new CreateBucketCommand({ Bucket }));
  const kept = randomBytes(3_000_000);
  await put('kept', kept);
  await expect(put('too-large', randomBytes(7_000_000))).rejects.toMatchObject(noRoom);
  const chunks = Array.from({ length: 100 }, () => randomBytes(300_000));
  const stream = put('stream', Readable.from(chunks), { ContentLength: 30_000_000 });
  await expect(stream).rejects.toMatchObject(noRoom);
  // The last bytes are taken by small objects, until not even a line of the journal fits.
  for (let index = 0; ; index++) {
    const failure = await put(`small/${index}`, randomBytes(200_000)).catch((error: Error) => error);
    if (failure instanceof Error) {
      expect(failure).toMatchObject(noRoom);
      break;
    }
  }
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'kept' }));
  expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(kept)).toBe(true);
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
  expect(Contents.map(({ Key }) => Key)).not.toContain('too-large');
  await client.send(new DeleteObjectCommand({ Bucket, Key: 'kept' }));
  await put('again', randomBytes(2_000_000));
}
