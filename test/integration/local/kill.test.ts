import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { missingProgram, type ScarLocal, startScarLocal } from '../../support/scar-local.js';
import { temporaryFolder } from '../../support/temporary.js';

const Bucket = 'killed';

/** What a writer knows of its key: the digests that it may find there. */
interface Knowledge {
  /** The last state that was answered; null for deleted. */
  acknowledged: string | null;
  /** The state that was asked for and not answered, if any. */
  asked?: string | null;
}

const digest = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

describe.skipIf(missingProgram)('an engine that is killed', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let local: ScarLocal;

  beforeEach(async () => {
    folder = await temporaryFolder();
    local = await startScarLocal(['--port', '0', '--data', folder.path]);
    await local.client.send(new CreateBucketCommand({ Bucket }));
  });

  afterEach(async () => {
    await local.stop('SIGKILL');
    await folder[Symbol.asyncDispose]();
  });

  async function restart(): Promise<void> {
    local = await startScarLocal(['--port', '0', '--data', folder.path]);
  }

  const files = () =>
    readdirSync(join(folder.path, 's3'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());

  /** Writes, overwrites and deletes its key until the engine is gone. */
  async function write(Key: string, knowledge: Map<string, Knowledge>): Promise<void> {
    const { client } = local;
    const known: Knowledge = { acknowledged: null };
    knowledge.set(Key, known);
    for (let round = 0; ; round++) {
      const Body = round % 7 === 6 ? undefined : randomBytes(Math.floor(Math.random() ** 4 * 3_000_000));
      known.asked = Body ? digest(Body) : null;
      try {
        if (Body) await client.send(new PutObjectCommand({ Bucket, Key, Body }));
        else await client.send(new DeleteObjectCommand({ Bucket, Key }));
      } catch {
        return;
      }
      known.acknowledged = known.asked;
      delete known.asked;
    }
  }

  it.each([150, 400, 900])('after %i ms of writing keeps what it answered, whole, and nothing else', async (ms) => {
    const knowledge = new Map<string, Knowledge>();
    const writers = Array.from({ length: 12 }, (_, index) => write(`writer/${index}`, knowledge));
    await new Promise((resolve) => setTimeout(resolve, ms));
    await local.stop('SIGKILL');
    await Promise.all(writers);
    await restart();

    const listed = new Set<string>();
    for await (const page of paginateListObjectsV2({ client: local.client }, { Bucket })) {
      for (const { Key } of page.Contents ?? []) listed.add(Key ?? '');
    }
    for (const [Key, { acknowledged, asked }] of knowledge) {
      const possible = asked === undefined ? [acknowledged] : [acknowledged, asked];
      const output = await local.client.send(new GetObjectCommand({ Bucket, Key })).catch((error) => {
        expect(error.name).toBe('NoSuchKey');
      });
      const found = output?.Body ? digest(await output.Body.transformToByteArray()) : null;
      expect(possible, Key).toContain(found);
      expect(listed.has(Key)).toBe(found !== null);
    }
    // One file for each object that has data, the journal, the bucket's own: what was half-written is gone.
    const inUse = [...listed].length;
    expect(files().length).toBeLessThanOrEqual(inUse + 2);
  });

  it('goes on with an upload in parts', async () => {
    const place = { Bucket, Key: 'parts' };
    const { UploadId } = await local.client.send(new CreateMultipartUploadCommand(place));
    const pieces = [randomBytes(5 * 1024 * 1024), randomBytes(1000)] as const;
    const upload = (PartNumber: number, Body: Buffer) =>
      local.client.send(new UploadPartCommand({ ...place, UploadId, PartNumber, Body }));
    const first = await upload(1, pieces[0]);
    await local.stop('SIGKILL');
    await restart();
    const second = await upload(2, pieces[1]);
    const Parts = [first, second].map(({ ETag }, index) => ({ PartNumber: index + 1, ETag }));
    await local.client.send(new CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload: { Parts } }));
    await local.stop('SIGKILL');
    await restart();
    const { Body } = await local.client.send(new GetObjectCommand(place));
    expect(digest((await Body?.transformToByteArray()) ?? Buffer.alloc(0))).toBe(digest(Buffer.concat(pieces)));
  });
});
