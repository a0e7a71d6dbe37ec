import { randomBytes } from 'node:crypto';
import {
  CopyObjectCommand,
  type CopyObjectCommandInput,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectTaggingCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  NoSuchKey,
  PutObjectCommand,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type S3Engine, startS3Engine } from '../../support/s3-engine.js';

const Bucket = 'copies';
const key = 'from/a b+é';
const CopySource = `/${Bucket}/${encodeURIComponent(key)}`;
let s3: S3Engine;

beforeAll(async () => {
  s3 = await startS3Engine();
  await s3.client.send(new CreateBucketCommand({ Bucket }));
  await s3.client.send(new CreateBucketCommand({ Bucket: 'others' }));
  const described = { ContentType: 'text/plain', CacheControl: 'no-store', Metadata: { one: '1' }, Tagging: 't=1&u=2' };
  await s3.client.send(new PutObjectCommand({ Bucket, Key: key, Body: 'data', ...described }));
});

afterAll(async () => {
  await s3.close();
  expect(s3.failures).toEqual([]);
});

const copy = (Key: string, rest: Partial<CopyObjectCommandInput> = {}) =>
  s3.client.send(new CopyObjectCommand({ Bucket, Key, CopySource, ...rest }));
const head = (Key: string, more: object = {}) => s3.client.send(new HeadObjectCommand({ Bucket, Key, ...more }));
const read = async (Key: string, from = Bucket) => {
  const { Body } = await s3.client.send(new GetObjectCommand({ Bucket: from, Key }));
  return Body?.transformToString();
};

describe('copying', () => {
  it('takes everything along', async () => {
    const { CopyObjectResult } = await copy('to/same');
    const source = await head(key);
    expect(CopyObjectResult).toMatchObject({ ETag: source.ETag, LastModified: expect.any(Date) });
    expect(await head('to/same')).toMatchObject({
      ContentType: 'text/plain',
      CacheControl: 'no-store',
      Metadata: { one: '1' },
      TagCount: 2,
    });
    expect(await read('to/same')).toBe('data');
  });

  it('or replaces metadata and tags', async () => {
    const Metadata = { two: '2' };
    await copy('to/replaced', { MetadataDirective: 'REPLACE', Metadata, ContentType: 'image/png' });
    const replaced = await head('to/replaced');
    expect(replaced).toMatchObject({ ContentType: 'image/png', Metadata, TagCount: 2 });
    expect(replaced.CacheControl).toBeUndefined();
    await copy('to/retagged', { TaggingDirective: 'REPLACE', Tagging: 'v=3' });
    const { TagSet } = await s3.client.send(new GetObjectTaggingCommand({ Bucket, Key: 'to/retagged' }));
    expect(TagSet).toEqual([{ Key: 'v', Value: '3' }]);
  });

  it('is independent of its source, also in another bucket', async () => {
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'gone', Body: 'still there' }));
    const command = { Bucket: 'others', CopySource: `${Bucket}/gone` };
    await s3.client.send(new CopyObjectCommand({ ...command, Key: 'kept' }));
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'gone' }));
    expect(await read('kept', 'others')).toBe('still there');
    await expect(s3.client.send(new CopyObjectCommand({ ...command, Key: 'late' }))).rejects.toBeInstanceOf(NoSuchKey);
  });

  it('onto itself only when something changes', async () => {
    await expect(copy(key)).rejects.toMatchObject({ name: 'InvalidRequest' });
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'self', Body: 'x' }));
    const self = { CopySource: `${Bucket}/self` };
    await copy('self', { ...self, MetadataDirective: 'REPLACE', Metadata: { touched: 'yes' } });
    expect(await head('self')).toMatchObject({ Metadata: { touched: 'yes' } });
    expect(await read('self')).toBe('x');
  });

  it('under conditions on the source and on the target', async () => {
    const { ETag } = await head(key);
    const failed = { name: 'PreconditionFailed' };
    await copy('to/conditional', { CopySourceIfMatch: ETag, IfNoneMatch: '*' });
    await expect(copy('to/conditional', { IfNoneMatch: '*' })).rejects.toMatchObject(failed);
    await expect(copy('to/x', { CopySourceIfMatch: '"other"' })).rejects.toMatchObject(failed);
    await expect(copy('to/x', { CopySourceIfNoneMatch: ETag })).rejects.toMatchObject(failed);
    await expect(head('to/x')).rejects.toMatchObject({ name: 'NotFound' });
  });

  it('an upload of several parts becomes one piece', async () => {
    const data = randomBytes(6_000_000);
    await new Upload({ client: s3.client, params: { Bucket, Key: 'parts', Body: data } }).done();
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'piece', Body: data }));
    await copy('parts-copied', { CopySource: `${Bucket}/parts` });
    const [copied, piece] = await Promise.all(
      ['parts-copied', 'piece'].map((k) => head(k, { ChecksumMode: 'ENABLED' })),
    );
    expect(copied).toMatchObject({
      ETag: piece?.ETag,
      ChecksumCRC32: piece?.ChecksumCRC32,
      ChecksumType: 'FULL_OBJECT',
    });
    const other = await copy('sha', { CopySource: `${Bucket}/parts`, ChecksumAlgorithm: 'SHA256' });
    expect(other.CopyObjectResult?.ChecksumSHA256).toMatch(/^[\w+/]{43}=$/);
  });

  it('refuses a source that is none', async () => {
    await expect(copy('k', { CopySource: 'no-key' })).rejects.toMatchObject({ name: 'InvalidArgument' });
    await expect(copy('k', { CopySource: `${Bucket}/k?versionId=abc` })).rejects.toMatchObject({
      name: 'NotImplemented',
    });
  });
});

describe('tags', () => {
  const place = { Bucket, Key: 'tagged' };
  const tags = async () => (await s3.client.send(new GetObjectTaggingCommand(place))).TagSet;

  it('come with the object, are replaced and removed; the data stays', async () => {
    await s3.client.send(new PutObjectCommand({ ...place, Body: 'x', Tagging: 'a=b%20c&d=' }));
    expect(await tags()).toEqual([
      { Key: 'a', Value: 'b c' },
      { Key: 'd', Value: '' },
    ]);
    await s3.client.send(new PutObjectTaggingCommand({ ...place, Tagging: { TagSet: [{ Key: 'n', Value: '<&>' }] } }));
    expect(await tags()).toEqual([{ Key: 'n', Value: '<&>' }]);
    await s3.client.send(new DeleteObjectTaggingCommand(place));
    expect(await tags()).toEqual([]);
    expect(await read('tagged')).toBe('x');
  });

  it('are at most ten, each once', async () => {
    const put = (Tagging: string) => s3.client.send(new PutObjectCommand({ ...place, Body: 'x', Tagging }));
    await expect(put('a=1&a=2')).rejects.toMatchObject({ name: 'InvalidTag' });
    const many = Array.from({ length: 11 }, (_, index) => `t${index}=x`).join('&');
    await expect(put(many)).rejects.toMatchObject({ name: 'BadRequest' });
  });
});
