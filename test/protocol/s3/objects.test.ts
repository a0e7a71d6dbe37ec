import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  ChecksumAlgorithm,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  NoSuchBucket,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type S3Engine, startS3Engine } from '../../support/s3-engine.js';

const Bucket = 'objects';
let s3: S3Engine;

beforeAll(async () => {
  s3 = await startS3Engine();
  await s3.client.send(new CreateBucketCommand({ Bucket }));
});

afterAll(async () => {
  await s3.close();
  expect(s3.failures).toEqual([]);
});

const put = (Key: string, Body: PutObjectCommandInput['Body'], rest: Partial<PutObjectCommandInput> = {}) =>
  s3.client.send(new PutObjectCommand({ Bucket, Key, Body, ...rest }));

async function get(Key: string): Promise<Buffer> {
  const { Body } = await s3.client.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

const md5 = (data: Buffer) => createHash('md5').update(data).digest('hex');

describe('putting and getting', () => {
  it.each([0, 1, 255, 65_536, 262_144, 262_145, 9_000_000])('gives back %i bytes', async (size) => {
    const data = randomBytes(size);
    const { ETag } = await put(`size/${size}`, data);
    expect(ETag).toBe(`"${md5(data)}"`);
    expect((await get(`size/${size}`)).equals(data)).toBe(true);
    const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key: `size/${size}` }));
    expect(head).toMatchObject({ ContentLength: size, ETag });
  });

  it('takes a stream as it comes', async () => {
    const chunks = Array.from({ length: 20 }, (_, index) => randomBytes(index * 10_007));
    const data = Buffer.concat(chunks);
    await put('stream', Readable.from(chunks), { ContentLength: data.length });
    expect((await get('stream')).equals(data)).toBe(true);
  });

  it.each(Object.values(ChecksumAlgorithm).filter((name) => /^(CRC|SHA1|SHA256)/.test(name)))(
    'verifies, keeps and gives back %s, from a header and from a trailer',
    async (algorithm) => {
      const data = randomBytes(100_003);
      const member = `Checksum${algorithm}` as 'ChecksumCRC32';
      const buffered = await put('checksum/buffer', data, { ChecksumAlgorithm: algorithm });
      const streamed = await put('checksum/stream', Readable.from([data]), {
        ChecksumAlgorithm: algorithm,
        ContentLength: data.length,
      });
      expect(buffered[member]).toMatch(/=$/);
      expect(streamed[member]).toBe(buffered[member]);
      // The client verifies it against the data as it reads.
      const command = new GetObjectCommand({ Bucket, Key: 'checksum/stream', ChecksumMode: 'ENABLED' });
      const read = await s3.client.send(command);
      expect(read).toMatchObject({ [member]: buffered[member], ChecksumType: 'FULL_OBJECT' });
      expect(Buffer.from((await read.Body?.transformToByteArray()) ?? []).equals(data)).toBe(true);
    },
  );

  it('refuses data that is not what its checksum says, and keeps what was there', async () => {
    await put('verified', 'before');
    const wrong = put('verified', 'after', { ChecksumCRC32: 'AAAAAA==' });
    await expect(wrong).rejects.toMatchObject({ name: 'BadDigest', $metadata: { httpStatusCode: 400 } });
    const wrongMd5 = put('verified', 'after', { ContentMD5: Buffer.alloc(16).toString('base64') });
    await expect(wrongMd5).rejects.toMatchObject({ name: 'BadDigest' });
    await expect(put('verified', 'after', { ContentMD5: 'bm8=' })).rejects.toMatchObject({ name: 'InvalidDigest' });
    expect((await get('verified')).toString()).toBe('before');
  });

  it.each([
    ['spaces and plus', 'a b+c  d'],
    ['what URLs reserve', '!\'()*~&=?#%25@:;,$[]\\^`{}|<>"'],
    ['text beyond ASCII', 'été/日本語/🎞️.mp4'],
    ['dots that a file system would follow', '../../etc/passwd'],
    ['nothing but dots', '..'],
    ['empty segments', 'a//b///c'],
    ['a slash at the end', 'folder/'],
    ['a slash at the start', '/rooted'],
    ['names that objects have already', '__proto__'],
    ['1,024 bytes', 'x'.repeat(1024)],
    ['1,024 bytes of UTF-8', 'é'.repeat(512)],
  ])('takes keys with %s', async (_, Key) => {
    await put(Key, Key);
    expect((await get(Key)).toString()).toBe(Key);
    await s3.client.send(new DeleteObjectCommand({ Bucket, Key }));
    await expect(get(Key)).rejects.toBeInstanceOf(NoSuchKey);
  });

  it('refuses a key of more than 1,024 bytes', async () => {
    await expect(put('é'.repeat(513), '')).rejects.toMatchObject({ name: 'KeyTooLongError' });
  });

  it('keeps headers and metadata as they came', async () => {
    const described = {
      ContentType: 'text/x-thing; charset=utf-8',
      CacheControl: 'max-age=60',
      ContentDisposition: 'attachment; filename="a.txt"',
      ContentEncoding: 'gzip',
      ContentLanguage: 'ca',
      Expires: new Date('2030-01-02T03:04:05Z'),
      Metadata: { one: '1', 'two-words': 'a b' },
    };
    await put('described', Readable.from(['x']), { ...described, ContentLength: 1 });
    const { Expires, ...head } = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'described' }));
    const { Expires: given, ...rest } = described;
    expect(head).toMatchObject({ ...rest, AcceptRanges: 'bytes' });
    expect(new Date(head.ExpiresString ?? '')).toEqual(given);
    const other = new GetObjectCommand({ Bucket, Key: 'described', ResponseContentType: 'image/png' });
    expect((await s3.client.send(other)).ContentType).toBe('image/png');
  });

  it('knows what is not there', async () => {
    await expect(get('missing')).rejects.toBeInstanceOf(NoSuchKey);
    await expect(s3.client.send(new HeadObjectCommand({ Bucket, Key: 'missing' }))).rejects.toBeInstanceOf(NotFound);
    const elsewhere = new GetObjectCommand({ Bucket: 'no-such-bucket', Key: 'k' });
    await expect(s3.client.send(elsewhere)).rejects.toBeInstanceOf(NoSuchBucket);
  });

  it('refuses by name what would be ignored otherwise', async () => {
    const refused = (rest: Partial<PutObjectCommandInput>) => expect(put('k', '', rest)).rejects;
    await refused({ ACL: 'public-read' }).toMatchObject({
      name: 'NotImplemented',
      message: expect.stringMatching(/ACL public-read/),
    });
    await refused({ ServerSideEncryption: 'aws:kms' }).toMatchObject({ name: 'NotImplemented' });
    await refused({ StorageClass: 'GLACIER' }).toMatchObject({
      message: expect.stringMatching(/StorageClass GLACIER/),
    });
    await refused({ ExpectedBucketOwner: '111111111111' }).toMatchObject({ name: 'AccessDenied' });
  });
});

describe('ranges', () => {
  const data = Buffer.from('0123456789');
  const read = async (Range: string, Key = 'ten') => {
    const output = await s3.client.send(new GetObjectCommand({ Bucket, Key, Range }));
    return {
      text: await output.Body?.transformToString(),
      range: output.ContentRange,
      status: output.$metadata.httpStatusCode,
    };
  };
  beforeAll(() => put('ten', data));

  it.each([
    ['bytes=0-0', '0', 'bytes 0-0/10'],
    ['bytes=2-4', '234', 'bytes 2-4/10'],
    ['bytes=7-', '789', 'bytes 7-9/10'],
    ['bytes=7-1000', '789', 'bytes 7-9/10'],
    ['bytes=-3', '789', 'bytes 7-9/10'],
    ['bytes=-1000', '0123456789', 'bytes 0-9/10'],
  ])('%s', async (header, text, range) => expect(await read(header)).toEqual({ text, range, status: 206 }));

  it.each(['bytes=10-', 'bytes=10-11', 'bytes=-0'])('%s is beyond the end', async (header) => {
    await expect(read(header)).rejects.toMatchObject({
      name: 'InvalidRange',
      $metadata: { httpStatusCode: 416 },
    });
  });

  it.each(['bytes=4-2', 'bytes=0-1,3-4', 'items=0-1', 'bytes=a-b', 'bytes=-'])('%s is ignored', async (header) => {
    expect(await read(header)).toMatchObject({ text: '0123456789', status: 200 });
  });

  it('an empty object has no bytes to give', async () => {
    await put('empty', '');
    await expect(read('bytes=0-', 'empty')).rejects.toMatchObject({ name: 'InvalidRange' });
  });

  it('reads the middle of a large object', async () => {
    const large = randomBytes(3_000_000);
    await put('large', large);
    const command = new GetObjectCommand({ Bucket, Key: 'large', Range: 'bytes=1000000-2500000' });
    const bytes = await (await s3.client.send(command)).Body?.transformToByteArray();
    expect(Buffer.from(bytes ?? []).equals(large.subarray(1_000_000, 2_500_001))).toBe(true);
  });
});

describe('conditions on reading', () => {
  let etag: string;
  let modified: Date;
  beforeAll(async () => {
    await put('conditional', 'x');
    const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'conditional' }));
    etag = head.ETag ?? '';
    modified = head.LastModified ?? new Date(0);
  });
  const status = async (conditions: object) => {
    const command = new GetObjectCommand({ Bucket, Key: 'conditional', ...conditions });
    const output = await s3.client.send(command).catch((error) => error);
    return output.$metadata.httpStatusCode;
  };
  const later = (ms: number) => new Date(modified.getTime() + ms);

  it('If-Match', async () => {
    expect(await status({ IfMatch: etag })).toBe(200);
    expect(await status({ IfMatch: '*' })).toBe(200);
    expect(await status({ IfMatch: '"other"' })).toBe(412);
  });

  it('If-None-Match', async () => {
    expect(await status({ IfNoneMatch: etag })).toBe(304);
    expect(await status({ IfNoneMatch: '"other"' })).toBe(200);
  });

  it('If-Modified-Since and If-Unmodified-Since', async () => {
    expect(await status({ IfModifiedSince: modified })).toBe(304);
    expect(await status({ IfModifiedSince: later(-5000) })).toBe(200);
    expect(await status({ IfUnmodifiedSince: modified })).toBe(200);
    expect(await status({ IfUnmodifiedSince: later(-5000) })).toBe(412);
  });

  it('entity tags go before dates', async () => {
    expect(await status({ IfMatch: etag, IfUnmodifiedSince: later(-5000) })).toBe(200);
    expect(await status({ IfNoneMatch: '"other"', IfModifiedSince: modified })).toBe(200);
  });
});

describe('conditions on writing', () => {
  it('If-None-Match: * creates only', async () => {
    await put('once', 'first', { IfNoneMatch: '*' });
    const second = put('once', 'second', { IfNoneMatch: '*' });
    await expect(second).rejects.toMatchObject({ name: 'PreconditionFailed', $metadata: { httpStatusCode: 412 } });
    expect((await get('once')).toString()).toBe('first');
  });

  it('of many creations at once, one succeeds', async () => {
    const contents = Array.from({ length: 50 }, (_, index) => `writer ${index} `.repeat(1 + index * 1000));
    const settled = await Promise.allSettled(contents.map((text) => put('raced', text, { IfNoneMatch: '*' })));
    const winners = contents.filter((_, index) => settled[index]?.status === 'fulfilled');
    expect(winners).toHaveLength(1);
    expect((await get('raced')).toString()).toBe(winners[0]);
  });

  it('what counts is the moment when the data is whole', async () => {
    const size = 3_000_000;
    // The client waits for "100 Continue" before it reads its stream: then the engine has seen that the key is free.
    const upload = (fill: string) => {
      let begin = () => {};
      let finish = () => {};
      const begun = new Promise<void>((resolve) => {
        begin = resolve;
      });
      const gate = new Promise<void>((resolve) => {
        finish = resolve;
      });
      const body = Readable.from(
        (async function* () {
          begin();
          await gate;
          yield Buffer.alloc(size, fill);
        })(),
      );
      return { begun, finish, done: put('late', body, { ContentLength: size, IfNoneMatch: '*' }) };
    };
    const [first, second] = [upload('a'), upload('b')];
    await Promise.all([first.begun, second.begun]);
    second.finish();
    await second.done;
    first.finish();
    await expect(first.done).rejects.toMatchObject({ name: 'PreconditionFailed' });
    expect((await get('late')).equals(Buffer.alloc(size, 'b'))).toBe(true);
  });

  it('If-Match replaces that version only', async () => {
    const { ETag: first } = await put('versioned', 'first');
    const { ETag: second } = await put('versioned', 'second', { IfMatch: first });
    await expect(put('versioned', 'third', { IfMatch: first })).rejects.toMatchObject({ name: 'PreconditionFailed' });
    expect((await get('versioned')).toString()).toBe('second');
    await expect(put('not-there', 'x', { IfMatch: second })).rejects.toBeInstanceOf(NoSuchKey);
  });

  it('counts with If-Match: no increment is lost', async () => {
    await put('counter', '0');
    const increment = async () => {
      for (;;) {
        const { Body, ETag } = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'counter' }));
        const next = Number(await Body?.transformToString()) + 1;
        const failure = await put('counter', String(next), { IfMatch: ETag }).catch((error: Error) => error);
        if (!(failure instanceof Error)) return;
        expect(failure.name).toBe('PreconditionFailed');
      }
    };
    await Promise.all(Array.from({ length: 20 }, increment));
    expect((await get('counter')).toString()).toBe('20');
  });

  it('If-Match on a deletion', async () => {
    const { ETag } = await put('guarded', 'x');
    const remove = (IfMatch?: string) => s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'guarded', IfMatch }));
    await expect(remove('"other"')).rejects.toMatchObject({ name: 'PreconditionFailed' });
    await remove(ETag);
    await expect(get('guarded')).rejects.toBeInstanceOf(NoSuchKey);
  });
});

describe('deleting', () => {
  it('is done also when there is nothing', async () => {
    const output = await s3.client.send(new DeleteObjectCommand({ Bucket, Key: 'never-was' }));
    expect(output.$metadata.httpStatusCode).toBe(204);
  });

  it('removes a thousand at once', async () => {
    const keys = Array.from({ length: 1000 }, (_, index) => `many/${index} &<>"'+é`);
    for (let at = 0; at < keys.length; at += 100)
      await Promise.all(keys.slice(at, at + 100).map((key) => put(key, 'x')));
    const Objects = keys.map((Key) => ({ Key }));
    const { Deleted, Errors } = await s3.client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(Deleted?.map(({ Key }) => Key)).toEqual(keys);
    expect(Errors).toBeUndefined();
    await expect(get(keys[0] ?? '')).rejects.toBeInstanceOf(NoSuchKey);
  });

  it('says what of a list could not be removed, and keeps quiet about the rest if told so', async () => {
    const { ETag } = await put('listed/a', 'x');
    await put('listed/b', 'x');
    const Objects = [{ Key: 'listed/a', ETag }, { Key: 'listed/b', ETag: '"other"' }, { Key: 'listed/c' }];
    const output = await s3.client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
    expect(output.Deleted).toBeUndefined();
    expect(output.Errors).toMatchObject([{ Key: 'listed/b', Code: 'PreconditionFailed' }]);
    expect((await get('listed/b')).toString()).toBe('x');
  });

  it('refuses more than a thousand, and none', async () => {
    const remove = (count: number) => {
      const Objects = Array.from({ length: count }, (_, index) => ({ Key: `k${index}` }));
      return s3.client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    };
    await expect(remove(1001)).rejects.toMatchObject({ name: 'MalformedXML' });
    await expect(remove(0)).rejects.toMatchObject({ name: 'MalformedXML' });
  });
});

it('tells attributes', async () => {
  const { ETag } = await put('attributes', 'hello');
  const output = await s3.client.send(
    new GetObjectAttributesCommand({
      Bucket,
      Key: 'attributes',
      ObjectAttributes: ['ETag', 'Checksum', 'ObjectSize', 'StorageClass'],
    }),
  );
  expect(output).toMatchObject({
    ETag: ETag?.replaceAll('"', ''),
    ObjectSize: 5,
    StorageClass: 'STANDARD',
    Checksum: { ChecksumCRC32: 'NhCmhg==', ChecksumType: 'FULL_OBJECT' },
  });
});
