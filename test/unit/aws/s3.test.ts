import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NoSuchBucket,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { mockClient } from 'aws-sdk-client-mock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { objectStore, PART_BYTES } from '../../../src/aws/s3.js';

const s3 = mockClient(S3Client);
const store = objectStore(new S3Client({ region: 'eu-west-1' }));
let folder: string;

beforeEach(async () => {
  s3.reset();
  folder = await mkdtemp(join(tmpdir(), 'scar-s3-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function serviceError(name: string, status: number): S3ServiceException {
  return new S3ServiceException({ name, $fault: 'client', message: name, $metadata: { httpStatusCode: status } });
}

/** A body as the SDK types it: the mixin's methods are not what we use. */
function body(...chunks: (string | Error)[]): never {
  const stream = Readable.from(
    (function* () {
      for (const chunk of chunks) {
        if (chunk instanceof Error) throw chunk;
        yield Buffer.from(chunk);
      }
    })(),
  );
  return stream as never;
}

describe('reading', () => {
  it('tells a missing bucket from a missing key when HEAD answers a bare 404', async () => {
    s3.on(HeadObjectCommand).rejects(serviceError('NotFound', 404));
    s3.on(HeadBucketCommand, { Bucket: 'here' }).resolves({});
    s3.on(HeadBucketCommand, { Bucket: 'nowhere' }).rejects(serviceError('NotFound', 404));
    await expect(store.head({ bucket: 'here', key: 'a b' })).rejects.toMatchObject({
      code: 'object-not-found',
      message: expect.stringContaining('"a b"'),
    });
    await expect(store.head({ bucket: 'nowhere', key: 'a' })).rejects.toMatchObject({ code: 'bucket-not-found' });
  });

  it('names the permission that is missing', async () => {
    s3.on(GetObjectCommand).rejects(serviceError('AccessDenied', 403));
    await expect(store.read({ bucket: 'b', key: 'k' })).rejects.toMatchObject({
      code: 'permission-denied',
      message: expect.stringContaining('s3:GetObject '),
    });
    await expect(store.read({ bucket: 'b', key: 'k', versionId: '3' })).rejects.toMatchObject({
      message: expect.stringContaining('s3:GetObjectVersion'),
    });
  });

  it('does not blame a permission when the credentials are refused', async () => {
    s3.on(GetObjectCommand).rejects(serviceError('ExpiredToken', 403));
    await expect(store.read({ bucket: 'b', key: 'k' })).rejects.toMatchObject({
      code: 'permission-denied',
      message: expect.stringContaining('credentials were refused'),
    });
  });

  it.each([
    [503, 'service', true],
    [429, 'throttled', true],
    [400, 'service', false],
  ])('an answer of %i is %s, retryable: %s', async (status, code, retryable) => {
    s3.on(GetObjectCommand).rejects(serviceError('Trouble', status));
    await expect(store.read({ bucket: 'b', key: 'k' })).rejects.toMatchObject({ code, retryable });
  });

  it('throws the reason of an abort', async () => {
    s3.on(GetObjectCommand).rejects(Object.assign(new Error('Request aborted'), { name: 'AbortError' }));
    const reason = new Error('enough');
    await expect(store.read({ bucket: 'b', key: 'k' }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('asks for a range with both ends included', async () => {
    s3.on(GetObjectCommand).callsFake(() => ({ Body: body('x'), ContentLength: 1 }));
    await store.read({ bucket: 'b', key: 'k' }, { range: { start: 5, end: 9 } });
    await store.read({ bucket: 'b', key: 'k' }, { range: { start: 5 } });
    expect(s3.commandCalls(GetObjectCommand).map((call) => call.args[0].input.Range)).toEqual([
      'bytes=5-9',
      'bytes=5-',
    ]);
  });
});

describe('reading a range', () => {
  it('goes on where a connection broke, up to its end', async () => {
    s3.on(GetObjectCommand)
      .resolvesOnce({ Body: body('abc', new Error('reset')), ContentLength: 6, ETag: '"1"' })
      .resolvesOnce({ Body: body('def'), ContentLength: 3, ETag: '"1"' });
    const read = await store.read({ bucket: 'b', key: 'k' }, { range: { start: 10, end: 15 }, ifMatch: '"1"' });
    expect(Buffer.concat(await read.body.toArray()).toString()).toBe('abcdef');
    expect(s3.commandCalls(GetObjectCommand).map((call) => call.args[0].input)).toMatchObject([
      { Range: 'bytes=10-15', IfMatch: '"1"' },
      { Range: 'bytes=13-15', IfMatch: '"1"' },
    ]);
  });
});

describe('reading into a file', () => {
  it('goes on where a connection broke, and only with the same object', async () => {
    s3.on(GetObjectCommand)
      .resolvesOnce({ Body: body('abc', new Error('reset')), ContentLength: 6, ETag: '"1"' })
      .resolvesOnce({ Body: body('def'), ContentLength: 3, ETag: '"1"' });
    const file = join(folder, 'f');
    expect(await store.readFile({ bucket: 'b', key: 'k' }, file)).toMatchObject({ bytes: 6 });
    expect(await readFile(file, 'utf8')).toBe('abcdef');
    expect(s3.commandCalls(GetObjectCommand)[1]?.args[0].input).toMatchObject({ Range: 'bytes=3-', IfMatch: '"1"' });
  });

  it('gives up after a few broken connections, saying why', async () => {
    s3.on(GetObjectCommand).callsFake(() => ({ Body: body(new Error('reset')), ContentLength: 6, ETag: '"1"' }));
    await expect(store.readFile({ bucket: 'b', key: 'k' }, join(folder, 'f'))).rejects.toMatchObject({
      code: 'service',
      message: expect.stringContaining('reset'),
    });
    expect(s3.commandCalls(GetObjectCommand)).toHaveLength(4);
  });

  it('does not take a short body for whole', async () => {
    s3.on(GetObjectCommand).callsFake(() => ({ Body: body(), ContentLength: 6, ETag: '"1"' }));
    await expect(store.readFile({ bucket: 'b', key: 'k' }, join(folder, 'f'))).rejects.toThrow('0 of 6 bytes');
  });

  it('replaces the file, also with an empty object', async () => {
    const file = join(folder, 'f');
    await writeFile(file, 'old');
    s3.on(GetObjectCommand).resolves({ Body: body(), ContentLength: 0 });
    await store.readFile({ bucket: 'b', key: 'k' }, file);
    expect(await readFile(file, 'utf8')).toBe('');
  });

  it('throws errors of the file system as they are', async () => {
    s3.on(GetObjectCommand).resolves({ Body: body('x'), ContentLength: 1 });
    await expect(store.readFile({ bucket: 'b', key: 'k' }, join(folder, 'no', 'f'))).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});

describe('writing', () => {
  it('sends type and metadata, and no ACL', async () => {
    s3.on(PutObjectCommand).resolves({});
    await store.write({ bucket: 'b', key: 'k' }, 'text', { contentType: 'text/plain', metadata: { who: 'me' } });
    expect(s3.commandCalls(PutObjectCommand)[0]?.args[0].input).toEqual({
      Bucket: 'b',
      Key: 'k',
      Body: Buffer.from('text'),
      ContentType: 'text/plain',
      Metadata: { who: 'me' },
    });
  });

  it('sends an empty text with its length, of which the SDK warns otherwise', async () => {
    s3.on(PutObjectCommand).resolves({});
    await store.write({ bucket: 'b', key: 'k' }, '');
    expect(s3.commandCalls(PutObjectCommand)[0]?.args[0].input.Body).toEqual(Buffer.alloc(0));
  });

  it('says whether the condition of a write held, and tries again after a conflict with another writer', async () => {
    const object = { bucket: 'b', key: 'k' };
    const conflict = serviceError('ConditionalRequestConflict', 409);
    s3.on(PutObjectCommand).rejectsOnce(conflict).rejectsOnce(conflict).resolves({});
    expect(await store.write(object, '', { ifNoneMatch: '*' })).toBe(true);
    const inputs = s3.commandCalls(PutObjectCommand).map(({ args: [{ input }] }) => input);
    expect(inputs.map(({ IfNoneMatch }) => IfNoneMatch)).toEqual(['*', '*', '*']);
    s3.on(PutObjectCommand).rejects(serviceError('PreconditionFailed', 412));
    expect(await store.write(object, '', { ifNoneMatch: '*' })).toBe(false);
    s3.on(PutObjectCommand).rejects(new NoSuchKey({ message: 'no', $metadata: { httpStatusCode: 404 } }));
    expect(await store.write(object, '', { ifMatch: '"e"' })).toBe(false);
  });

  it('ends the wait after a conflict when it is aborted', async () => {
    const controller = new AbortController();
    s3.on(PutObjectCommand).callsFake(() => {
      controller.abort(new Error('enough'));
      throw serviceError('ConditionalRequestConflict', 409);
    });
    const { signal } = controller;
    await expect(store.write({ bucket: 'b', key: 'k' }, '', { ifNoneMatch: '*', signal })).rejects.toThrow('enough');
    expect(s3.commandCalls(PutObjectCommand)).toHaveLength(1);
  });

  it('finds the missing bucket and permission', async () => {
    s3.on(PutObjectCommand, { Bucket: 'nowhere' }).rejects(
      new NoSuchBucket({ message: 'no', $metadata: { httpStatusCode: 404 } }),
    );
    s3.on(PutObjectCommand, { Bucket: 'denied' }).rejects(serviceError('AccessDenied', 403));
    await expect(store.write({ bucket: 'nowhere', key: 'k' }, '')).rejects.toMatchObject({ code: 'bucket-not-found' });
    await expect(store.write({ bucket: 'denied', key: 'k' }, '')).rejects.toMatchObject({
      message: expect.stringContaining('s3:PutObject'),
    });
  });

  it('sends a file at the threshold in one request', async () => {
    const file = await sparse(PART_BYTES);
    s3.on(PutObjectCommand).resolves({});
    expect(await store.writeFile({ bucket: 'b', key: 'k' }, file)).toEqual({ bytes: PART_BYTES });
    expect(s3.commandCalls(CreateMultipartUploadCommand)).toHaveLength(0);
  });

  it('sends a larger file in parts', async () => {
    const file = await sparse(PART_BYTES + 1);
    s3.on(CreateMultipartUploadCommand).resolves({ UploadId: 'u' });
    s3.on(UploadPartCommand).resolves({ ETag: '"p"' });
    s3.on(CompleteMultipartUploadCommand).resolves({});
    const options = { contentType: 'image/png', metadata: { a: 'b' } };
    expect(await store.writeFile({ bucket: 'b', key: 'k' }, file, options)).toEqual({ bytes: PART_BYTES + 1 });
    expect(s3.commandCalls(UploadPartCommand)).toHaveLength(2);
    expect(s3.commandCalls(CreateMultipartUploadCommand)[0]?.args[0].input).toMatchObject({
      ContentType: 'image/png',
      Metadata: { a: 'b' },
    });
  });

  it('leaves no parts behind when one fails', async () => {
    const file = await sparse(PART_BYTES + 1);
    s3.on(CreateMultipartUploadCommand).resolves({ UploadId: 'u' });
    s3.on(UploadPartCommand).rejects(serviceError('AccessDenied', 403));
    s3.on(AbortMultipartUploadCommand).resolves({});
    await expect(store.writeFile({ bucket: 'b', key: 'k' }, file)).rejects.toMatchObject({ code: 'permission-denied' });
    expect(s3.commandCalls(AbortMultipartUploadCommand)).toHaveLength(1);
  });

  async function sparse(bytes: number): Promise<string> {
    const file = join(folder, 'sparse');
    const handle = await open(file, 'w');
    await handle.truncate(bytes);
    await handle.close();
    return file;
  }
});

describe('listing', () => {
  it('asks for the next page only when it is wanted, and decodes keys only if they are encoded', async () => {
    s3.on(ListObjectsV2Command)
      .resolvesOnce({
        EncodingType: 'url',
        Contents: [{ Key: 'a+b%2B%0A', Size: 1, ETag: '"e"' }],
        IsTruncated: true,
        NextContinuationToken: 't',
      })
      .resolvesOnce({ Contents: [{ Key: 'a+b', Size: 2 }] });
    const pages = store.list('b', { prefix: 'a', startAfter: '0', pageSize: 1 })[Symbol.asyncIterator]();
    expect((await pages.next()).value).toEqual([{ key: 'a b+\n', bytes: 1, eTag: '"e"', lastModified: undefined }]);
    expect(s3.commandCalls(ListObjectsV2Command)).toHaveLength(1);
    expect((await pages.next()).value).toMatchObject([{ key: 'a+b', bytes: 2 }]);
    expect((await pages.next()).done).toBe(true);
    expect(s3.commandCalls(ListObjectsV2Command)[1]?.args[0].input).toMatchObject({
      Prefix: 'a',
      StartAfter: '0',
      MaxKeys: 1,
      ContinuationToken: 't',
    });
  });

  it('says which bucket is missing', async () => {
    s3.on(ListObjectsV2Command).rejects(new NoSuchBucket({ message: 'no', $metadata: { httpStatusCode: 404 } }));
    await expect(store.list('gone')[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'bucket-not-found',
      context: { bucket: 'gone' },
    });
  });
});

describe('deleting', () => {
  it('goes in batches of 1,000, tries them all, and throws the first refusal', async () => {
    s3.on(DeleteObjectsCommand)
      .resolvesOnce({ Errors: [{ Key: 'k0', Code: 'AccessDenied', Message: 'Access Denied' }] })
      .resolves({});
    const keys = Array.from({ length: 2_001 }, (_, index) => `k${index}`);
    await expect(store.deleteAll('b', keys)).rejects.toMatchObject({
      code: 'permission-denied',
      message: expect.stringContaining('s3:DeleteObject'),
    });
    const sizes = s3.commandCalls(DeleteObjectsCommand).map((call) => call.args[0].input.Delete?.Objects?.length);
    expect(sizes).toEqual([1_000, 1_000, 1]);
  });
});

it('keeps the service error as the cause', async () => {
  const cause = new NoSuchKey({ message: 'no', $metadata: { httpStatusCode: 404 } });
  s3.on(GetObjectCommand).rejects(cause);
  await expect(store.read({ bucket: 'b', key: 'k' })).rejects.toMatchObject({ code: 'object-not-found', cause });
});
