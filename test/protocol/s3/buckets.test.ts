import {
  BucketAlreadyOwnedByYou,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetBucketLocationCommand,
  GetBucketVersioningCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  NoSuchBucket,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type S3Engine, startS3Engine } from '../../support/s3-engine.js';

describe('in us-east-1', () => {
  let s3: S3Engine;
  beforeAll(async () => {
    s3 = await startS3Engine({ region: 'us-east-1' });
  });
  afterAll(() => s3.close());

  it('a bucket goes from creation to deletion', async () => {
    const Bucket = 'my.first-bucket';
    expect(await s3.client.send(new CreateBucketCommand({ Bucket }))).toMatchObject({ Location: `/${Bucket}` });
    expect(await s3.client.send(new HeadBucketCommand({ Bucket }))).toMatchObject({ BucketRegion: 'us-east-1' });
    const location = await s3.client.send(new GetBucketLocationCommand({ Bucket }));
    expect(location.LocationConstraint).toBeUndefined();
    expect((await s3.client.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBeUndefined();
    await s3.client.send(new DeleteBucketCommand({ Bucket }));
    await expect(s3.client.send(new HeadBucketCommand({ Bucket }))).rejects.toMatchObject({ name: 'NotFound' });
    await expect(s3.client.send(new ListObjectsV2Command({ Bucket }))).rejects.toBeInstanceOf(NoSuchBucket);
  });

  it('is deleted only when it is empty', async () => {
    const Bucket = 'not-empty';
    await s3.client.send(new CreateBucketCommand({ Bucket }));
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' }));
    const remove = () => s3.client.send(new DeleteBucketCommand({ Bucket }));
    await expect(remove()).rejects.toMatchObject({ name: 'BucketNotEmpty', $metadata: { httpStatusCode: 409 } });
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'k' }));
    await remove();
    await expect(remove()).rejects.toBeInstanceOf(NoSuchBucket);
  });

  it('comes back empty when made anew', async () => {
    const Bucket = 'again';
    await s3.client.send(new CreateBucketCommand({ Bucket }));
    await s3.client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' }));
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'k' }));
    await s3.client.send(new DeleteBucketCommand({ Bucket }));
    await s3.client.send(new CreateBucketCommand({ Bucket }));
    expect((await s3.client.send(new ListObjectsV2Command({ Bucket }))).KeyCount).toBe(0);
  });

  it('takes no LocationConstraint, and lets its owner create a bucket twice', async () => {
    const constrained = new CreateBucketCommand({
      Bucket: 'constrained',
      CreateBucketConfiguration: { LocationConstraint: 'us-east-1' as never },
    });
    await expect(s3.client.send(constrained)).rejects.toMatchObject({ name: 'InvalidLocationConstraint' });
    await s3.client.send(new CreateBucketCommand({ Bucket: 'twice' }));
    await s3.client.send(new PutObjectCommand({ Bucket: 'twice', Key: 'k', Body: 'x' }));
    await s3.client.send(new CreateBucketCommand({ Bucket: 'twice' }));
    expect((await s3.client.send(new ListObjectsV2Command({ Bucket: 'twice' }))).KeyCount).toBe(1);
  });

  it.each(['ab', 'UPPER', 'a..b', '-a-', 'a_b', '192.168.0.1', 'xn--abc', 'a'.repeat(64), 'x-s3alias'])(
    'refuses the name %s',
    async (Bucket) => {
      const create = s3.client.send(new CreateBucketCommand({ Bucket }));
      await expect(create).rejects.toMatchObject({ name: 'InvalidBucketName', $metadata: { httpStatusCode: 400 } });
    },
  );

  it('lists buckets by name, in pages', async () => {
    const names = ['list-a', 'list-b', 'list-c'];
    for (const Bucket of names) await s3.client.send(new CreateBucketCommand({ Bucket }));
    const first = await s3.client.send(new ListBucketsCommand({ Prefix: 'list-', MaxBuckets: 2 }));
    expect(first.Buckets?.map(({ Name }) => Name)).toEqual(['list-a', 'list-b']);
    expect(first.Buckets?.[0]?.CreationDate).toBeInstanceOf(Date);
    const { ContinuationToken } = first;
    const second = await s3.client.send(new ListBucketsCommand({ Prefix: 'list-', MaxBuckets: 2, ContinuationToken }));
    expect(second.Buckets?.map(({ Name }) => Name)).toEqual(['list-c']);
    expect(second.ContinuationToken).toBeUndefined();
  });
});

describe('in any other Region', () => {
  let s3: S3Engine;
  beforeAll(async () => {
    s3 = await startS3Engine({ region: 'eu-west-1' });
  });
  afterAll(() => s3.close());

  const create = (Bucket: string, LocationConstraint?: string) =>
    s3.client.send(
      new CreateBucketCommand({
        Bucket,
        ...(LocationConstraint && { CreateBucketConfiguration: { LocationConstraint: LocationConstraint as never } }),
      }),
    );

  it('needs its own LocationConstraint', async () => {
    // The client fills in its own Region when the configuration is left out.
    await create('here', 'eu-west-1');
    await expect(create('there', 'eu-west-3')).rejects.toMatchObject({ name: 'IllegalLocationConstraintException' });
    const location = await s3.client.send(new GetBucketLocationCommand({ Bucket: 'here' }));
    expect(location.LocationConstraint).toBe('eu-west-1');
  });

  it('refuses to create a bucket twice', async () => {
    await create('twice', 'eu-west-1');
    await expect(create('twice', 'eu-west-1')).rejects.toBeInstanceOf(BucketAlreadyOwnedByYou);
  });
});
