import {
  CreateBucketCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  PutObjectCommand,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type S3Engine, startS3Engine } from '../../support/s3-engine.js';

const Bucket = 'listing';
const tree = [
  'a',
  'b/1',
  'b/2',
  'b/c/3',
  'b/c/4',
  'd',
  'e/',
  'e/5',
  'f&<>"\'',
  'g h+i',
  'j\u0001k',
  'é/6',
  '\uff5e',
  '🎞️',
];
let s3: S3Engine;

beforeAll(async () => {
  s3 = await startS3Engine();
  await s3.client.send(new CreateBucketCommand({ Bucket }));
  for (const Key of tree) await s3.client.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
});

afterAll(async () => {
  await s3.close();
  expect(s3.failures).toEqual([]);
});

const list = async (input: Partial<ListObjectsV2CommandInput> = {}) => {
  const output = await s3.client.send(new ListObjectsV2Command({ Bucket, ...input }));
  return {
    ...output,
    keys: output.Contents?.map(({ Key }) => Key) ?? [],
    prefixes: output.CommonPrefixes?.map(({ Prefix }) => Prefix) ?? [],
  };
};

it('lists every key, by the bytes of its UTF-8, with what belongs to it', async () => {
  const { keys, Contents, ...head } = await list();
  // A surrogate pair sorts behind U+FF5E in UTF-8, and before it in UTF-16.
  expect(keys).toEqual(tree);
  expect(head).toMatchObject({ Name: Bucket, KeyCount: tree.length, MaxKeys: 1000, IsTruncated: false });
  expect(Contents?.[0]).toMatchObject({
    Key: 'a',
    ETag: '"0cc175b9c0f1b6a831c399e269772661"',
    Size: 1,
    StorageClass: 'STANDARD',
    ChecksumAlgorithm: ['CRC32'],
    ChecksumType: 'FULL_OBJECT',
  });
  expect(Math.abs((Contents?.[0]?.LastModified?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
});

it('prefix', async () => {
  expect((await list({ Prefix: 'b/' })).keys).toEqual(['b/1', 'b/2', 'b/c/3', 'b/c/4']);
  expect((await list({ Prefix: 'b/c' })).keys).toEqual(['b/c/3', 'b/c/4']);
  expect((await list({ Prefix: 'nothing' })).keys).toEqual([]);
  expect((await list({ Prefix: 'é' })).keys).toEqual(['é/6']);
});

it('delimiter', async () => {
  expect(await list({ Delimiter: '/' })).toMatchObject({
    keys: ['a', 'd', 'f&<>"\'', 'g h+i', 'j\u0001k', '\uff5e', '🎞️'],
    prefixes: ['b/', 'e/', 'é/'],
    KeyCount: 10,
  });
  expect(await list({ Prefix: 'b/', Delimiter: '/' })).toMatchObject({ keys: ['b/1', 'b/2'], prefixes: ['b/c/'] });
  expect(await list({ Prefix: 'e/', Delimiter: '/' })).toMatchObject({ keys: ['e/', 'e/5'], prefixes: [] });
  expect(await list({ Prefix: 'b', Delimiter: '/' })).toMatchObject({ keys: [], prefixes: ['b/'] });
});

it('start-after, which need not be a key', async () => {
  expect((await list({ StartAfter: 'b/2' })).keys).toEqual(tree.slice(3));
  expect((await list({ StartAfter: 'b/25' })).keys).toEqual(tree.slice(3));
  expect((await list({ StartAfter: '🎞️' })).keys).toEqual([]);
  // Common prefixes that do not sort after it are left out.
  expect((await list({ StartAfter: 'b/1', Delimiter: '/' })).prefixes).toEqual(['e/', 'é/']);
});

it.each([1, 2, 3, 5, 100])('pages of %i are the whole, once', async (pageSize) => {
  const seen: (string | undefined)[] = [];
  for await (const page of paginateListObjectsV2({ client: s3.client, pageSize }, { Bucket, Delimiter: '/' })) {
    const items = [...(page.Contents ?? []).map(({ Key }) => Key), ...(page.CommonPrefixes ?? []).map((p) => p.Prefix)];
    expect(items.length).toBeLessThanOrEqual(pageSize);
    expect(page.KeyCount).toBe(items.length);
    seen.push(...items);
  }
  const whole = await list({ Delimiter: '/' });
  expect(seen.sort()).toEqual([...whole.keys, ...whole.prefixes].sort());
});

it('max-keys 0 is an empty page, and the end', async () => {
  expect(await list({ MaxKeys: 0 })).toMatchObject({ keys: [], IsTruncated: false, KeyCount: 0 });
  await expect(list({ MaxKeys: -1 })).rejects.toMatchObject({ name: 'InvalidArgument' });
});

it('encoding-type=url', async () => {
  const { keys } = await list({ EncodingType: 'url', Prefix: 'g' });
  expect(keys).toEqual(['g+h%2Bi']);
  const nested = await list({ EncodingType: 'url', Prefix: 'é', Delimiter: '/' });
  expect(nested).toMatchObject({ Prefix: '%C3%A9', Delimiter: '/', prefixes: ['%C3%A9/'] });
});

it('refuses a token that is none', async () => {
  await expect(list({ ContinuationToken: 'x' })).rejects.toMatchObject({ name: 'InvalidArgument' });
});

it('names the owner when asked', async () => {
  expect((await list({ MaxKeys: 1 })).Contents?.[0]?.Owner).toBeUndefined();
  expect((await list({ MaxKeys: 1, FetchOwner: true })).Contents?.[0]?.Owner?.ID).toBe('000000000000');
});

it('version 1 goes on by markers', async () => {
  const seen: (string | undefined)[] = [];
  let Marker: string | undefined;
  do {
    const page = await s3.client.send(new ListObjectsCommand({ Bucket, Delimiter: '/', MaxKeys: 2, Marker }));
    seen.push(...(page.Contents ?? []).map(({ Key }) => Key), ...(page.CommonPrefixes ?? []).map((p) => p.Prefix));
    expect(page.NextMarker !== undefined).toBe(page.IsTruncated);
    Marker = page.NextMarker;
  } while (Marker !== undefined);
  expect(seen).toHaveLength(10);
  expect(new Set(seen)).toEqual(new Set(['a', 'b/', 'd', 'e/', 'é/', 'f&<>"\'', 'g h+i', 'j\u0001k', '\uff5e', '🎞️']));
  const plain = await s3.client.send(new ListObjectsCommand({ Bucket, MaxKeys: 2 }));
  expect(plain.IsTruncated).toBe(true);
  expect(plain.NextMarker).toBeUndefined();
});
