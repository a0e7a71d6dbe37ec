import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  NoSuchUpload,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type S3Engine, startS3Engine } from '../../support/s3-engine.js';

const Bucket = 'multipart';
const MiB = 1024 * 1024;
let s3: S3Engine;

beforeAll(async () => {
  s3 = await startS3Engine();
  await s3.client.send(new CreateBucketCommand({ Bucket }));
});

afterAll(async () => {
  await s3.close();
  expect(s3.failures).toEqual([]);
});

async function begin(Key: string, rest: Partial<CreateMultipartUploadCommandInput> = {}) {
  const { UploadId } = await s3.client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...rest }));
  const place = { Bucket, Key, UploadId };
  return {
    UploadId,
    part: (PartNumber: number, Body: Buffer, more: object = {}) =>
      s3.client.send(new UploadPartCommand({ ...place, PartNumber, Body, ...more })),
    complete: (Parts: CompletedPart[], more: object = {}) =>
      s3.client.send(new CompleteMultipartUploadCommand({ ...place, MultipartUpload: { Parts }, ...more })),
    abort: () => s3.client.send(new AbortMultipartUploadCommand(place)),
    list: (more: object = {}) => s3.client.send(new ListPartsCommand({ ...place, ...more })),
  };
}

async function get(Key: string, more: object = {}): Promise<Buffer> {
  const { Body } = await s3.client.send(new GetObjectCommand({ Bucket, Key, ...more }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

const md5 = (...data: Buffer[]) => {
  const hash = createHash('md5');
  for (const piece of data) hash.update(piece);
  return hash.digest();
};

it("takes 30 MB from lib-storage's Upload, a stream of unknown length", async () => {
  const data = randomBytes(30_000_000);
  const chunks = Array.from({ length: 300 }, (_, index) => data.subarray(index * 100_000, (index + 1) * 100_000));
  const upload = new Upload({
    client: s3.client,
    params: { Bucket, Key: 'upload', Body: Readable.from(chunks), ContentType: 'image/x-test', Metadata: { a: 'b' } },
  });
  const { ETag } = await upload.done();
  const parts = Array.from({ length: 6 }, (_, index) => md5(data.subarray(index * 5 * MiB, (index + 1) * 5 * MiB)));
  expect(ETag).toBe(`"${md5(...parts).toString('hex')}-6"`);
  expect((await get('upload')).equals(data)).toBe(true);
  const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'upload', ChecksumMode: 'ENABLED' }));
  expect(head).toMatchObject({ ContentType: 'image/x-test', Metadata: { a: 'b' }, ContentLength: data.length });
  expect(head).toMatchObject({ ChecksumType: 'COMPOSITE', ChecksumCRC32: expect.stringMatching(/-6$/) });
});

describe('an object of three parts', () => {
  const pieces = [randomBytes(5 * MiB), randomBytes(5 * MiB + 1), randomBytes(10)] as const;
  const data = Buffer.concat(pieces);
  beforeAll(async () => {
    const { part, complete } = await begin('three');
    const parts: CompletedPart[] = [];
    // Out of order, with a gap, and one of them twice.
    for (const [PartNumber, piece] of [
      [7, pieces[2]],
      [2, randomBytes(9)],
      [2, pieces[0]],
      [5, pieces[1]],
    ] as const) {
      const { ETag } = await part(PartNumber, piece);
      parts.push({ PartNumber, ETag });
    }
    const [third, , first, second] = parts;
    await complete([first, second, third] as CompletedPart[]);
  });

  it('is read as one, also across the seams', async () => {
    expect((await get('three')).equals(data)).toBe(true);
    for (const [from, to] of [
      [5 * MiB - 3, 5 * MiB + 3],
      [0, data.length - 1],
      [10 * MiB - 5, data.length - 1],
    ] as const) {
      const bytes = await get('three', { Range: `bytes=${from}-${to}` });
      expect(bytes.equals(data.subarray(from, to + 1)), `${from}-${to}`).toBe(true);
    }
  });

  it('is read by part', async () => {
    expect((await get('three', { PartNumber: 2 })).equals(pieces[1])).toBe(true);
    const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'three', PartNumber: 3 }));
    expect(head).toMatchObject({ PartsCount: 3, ContentLength: 10, $metadata: { httpStatusCode: 206 } });
    await expect(get('three', { PartNumber: 4 })).rejects.toMatchObject({ $metadata: { httpStatusCode: 416 } });
  });

  it('tells its parts', async () => {
    const command = new GetObjectAttributesCommand({
      Bucket,
      Key: 'three',
      ObjectAttributes: ['ObjectParts', 'ObjectSize'],
    });
    const { ObjectParts, ObjectSize } = await s3.client.send(command);
    expect(ObjectSize).toBe(data.length);
    expect(ObjectParts).toMatchObject({ TotalPartsCount: 3, IsTruncated: false });
    expect(ObjectParts?.Parts?.map(({ Size }) => Size)).toEqual(pieces.map(({ length }) => length));
  });
});

describe('checksums of the whole', () => {
  const pieces = [randomBytes(5 * MiB), randomBytes(5 * MiB), randomBytes(12_345)] as const;
  const data = Buffer.concat(pieces);
  const upload = async (Key: string, rest: Partial<CreateMultipartUploadCommandInput>) => {
    const { part, complete } = await begin(Key, rest);
    const parts: CompletedPart[] = [];
    for (const [index, piece] of pieces.entries()) {
      const { $metadata, ...output } = await part(index + 1, piece, { ChecksumAlgorithm: rest.ChecksumAlgorithm });
      parts.push({ PartNumber: index + 1, ...output });
    }
    return complete(parts);
  };

  it.each(['CRC32', 'CRC32C', 'CRC64NVME'] as const)(
    '%s over the full object is that of one PUT',
    async (algorithm) => {
      const member = `Checksum${algorithm}` as 'ChecksumCRC32';
      const put = new PutObjectCommand({ Bucket, Key: 'whole', Body: data, ChecksumAlgorithm: algorithm });
      const whole = await s3.client.send(put);
      const output = await upload('full', { ChecksumAlgorithm: algorithm, ChecksumType: 'FULL_OBJECT' });
      expect(output).toMatchObject({ ChecksumType: 'FULL_OBJECT', [member]: whole[member] });
      // The client verifies it as it reads.
      expect((await get('full', { ChecksumMode: 'ENABLED' })).equals(data)).toBe(true);
    },
  );

  it('SHA256 is composed of its parts', async () => {
    const output = await upload('composite', { ChecksumAlgorithm: 'SHA256' });
    const composed = createHash('sha256');
    for (const piece of pieces) composed.update(createHash('sha256').update(piece).digest());
    expect(output.ChecksumSHA256).toBe(`${composed.digest('base64')}-3`);
    expect(output.ChecksumType).toBe('COMPOSITE');
  });

  it('refuses what cannot be', async () => {
    const refused = { name: 'InvalidRequest' };
    await expect(begin('k', { ChecksumAlgorithm: 'SHA1', ChecksumType: 'FULL_OBJECT' })).rejects.toMatchObject(refused);
    await expect(begin('k', { ChecksumAlgorithm: 'CRC64NVME', ChecksumType: 'COMPOSITE' })).rejects.toMatchObject(
      refused,
    );
  });
});

describe('what is refused', () => {
  it('parts that are not there, or not the same', async () => {
    const { part, complete, abort } = await begin('refused');
    const { ETag } = await part(1, Buffer.from('x'));
    await expect(complete([{ PartNumber: 2, ETag }])).rejects.toMatchObject({ name: 'InvalidPart' });
    await expect(complete([{ PartNumber: 1, ETag: '"other"' }])).rejects.toMatchObject({ name: 'InvalidPart' });
    await expect(complete([])).rejects.toMatchObject({ name: 'MalformedXML' });
    await abort();
  });

  it('parts out of order, and small ones before the last', async () => {
    const { part, complete, abort } = await begin('order');
    const first = { PartNumber: 1, ETag: (await part(1, Buffer.from('x'))).ETag };
    const second = { PartNumber: 2, ETag: (await part(2, Buffer.from('y'))).ETag };
    await expect(complete([second, first])).rejects.toMatchObject({ name: 'InvalidPartOrder' });
    await expect(complete([first, second])).rejects.toMatchObject({ name: 'EntityTooSmall' });
    await abort();
  });

  it('part numbers beyond 10,000', async () => {
    const { part, abort } = await begin('numbers');
    await expect(part(10_001, Buffer.from('x'))).rejects.toMatchObject({ name: 'InvalidArgument' });
    await expect(part(0, Buffer.from('x'))).rejects.toMatchObject({ name: 'InvalidArgument' });
    await abort();
  });

  it('uploads that have ended', async () => {
    const aborted = await begin('ended');
    const { ETag } = await aborted.part(1, Buffer.from('x'));
    await aborted.abort();
    await expect(aborted.part(2, Buffer.from('x'))).rejects.toBeInstanceOf(NoSuchUpload);
    await expect(aborted.complete([{ PartNumber: 1, ETag }])).rejects.toBeInstanceOf(NoSuchUpload);
    await expect(aborted.abort()).rejects.toBeInstanceOf(NoSuchUpload);
    await expect(get('ended')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  it('completion when the condition does not hold; the upload goes on', async () => {
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'taken', Body: 'x' }));
    const { part, complete, list, abort } = await begin('taken');
    const { ETag } = await part(1, Buffer.from('y'));
    const completion = complete([{ PartNumber: 1, ETag }], { IfNoneMatch: '*' });
    await expect(completion).rejects.toMatchObject({ name: 'PreconditionFailed' });
    expect((await list()).Parts).toHaveLength(1);
    expect((await get('taken')).toString()).toBe('x');
    await abort();
  });
});

it('lets a reader finish that has begun', async () => {
  const pieces = Array.from({ length: 6 }, () => randomBytes(5 * MiB));
  const { part, complete } = await begin('read-on');
  const parts: CompletedPart[] = [];
  for (const [index, piece] of pieces.entries()) {
    parts.push({ PartNumber: index + 1, ETag: (await part(index + 1, piece)).ETag });
  }
  await complete(parts);
  const { Body } = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'read-on' }));
  await s3.client.send(new PutObjectCommand({ Bucket, Key: 'read-on', Body: 'new' }));
  expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(Buffer.concat(pieces))).toBe(true);
  expect((await get('read-on')).toString()).toBe('new');
});

it('lists parts in pages', async () => {
  const { part, list, abort } = await begin('parts');
  for (const number of [3, 1, 2]) await part(number, Buffer.from(`part ${number}`));
  const first = await list({ MaxParts: 2 });
  expect(first).toMatchObject({ IsTruncated: true, NextPartNumberMarker: '2' });
  expect(first.Parts?.map(({ PartNumber }) => PartNumber)).toEqual([1, 2]);
  const second = await list({ MaxParts: 2, PartNumberMarker: first.NextPartNumberMarker });
  expect(second).toMatchObject({ IsTruncated: false, Parts: [{ PartNumber: 3, Size: 6 }] });
  await abort();
});

it('lists uploads in pages, with prefix and delimiter', async () => {
  const uploads = [];
  for (const key of ['list/a/1', 'list/b', 'list/b', 'list/c/1', 'list/c/2']) uploads.push(await begin(key));
  const seen: string[] = [];
  let markers: { KeyMarker?: string; UploadIdMarker?: string } = {};
  for (;;) {
    const page = await s3.client.send(
      new ListMultipartUploadsCommand({ Bucket, Prefix: 'list/', Delimiter: '/', MaxUploads: 1, ...markers }),
    );
    seen.push(
      ...(page.Uploads ?? []).map(({ Key }) => Key ?? ''),
      ...(page.CommonPrefixes ?? []).map((p) => p.Prefix ?? ''),
    );
    if (!page.IsTruncated) break;
    markers = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
  }
  expect(seen).toEqual(['list/a/', 'list/b', 'list/b', 'list/c/']);
  for (const { abort } of uploads) await abort();
});

it('copies parts from other objects, whole and in ranges', async () => {
  const source = randomBytes(6 * MiB);
  await s3.client.send(new PutObjectCommand({ Bucket, Key: 'source é+', Body: source }));
  const { UploadId, complete } = await begin('copied');
  const copy = async (PartNumber: number, CopySourceRange?: string) => {
    const CopySource = `${Bucket}/${encodeURIComponent('source é+')}`;
    const command = new UploadPartCopyCommand({
      Bucket,
      Key: 'copied',
      UploadId,
      PartNumber,
      CopySource,
      CopySourceRange,
    });
    const { CopyPartResult } = await s3.client.send(command);
    return { PartNumber, ETag: CopyPartResult?.ETag };
  };
  await expect(copy(1, `bytes=0-${source.length}`)).rejects.toMatchObject({ name: 'InvalidArgument' });
  await complete([await copy(1), await copy(2, 'bytes=100-199')]);
  expect((await get('copied')).equals(Buffer.concat([source, source.subarray(100, 200)]))).toBe(true);
});
