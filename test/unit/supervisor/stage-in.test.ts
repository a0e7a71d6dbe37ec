import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../../src/aws/object-store.js';
import { objectStore } from '../../../src/aws/s3.js';
import { gatherIn, inputFileName, isFolderMarker, stageIn } from '../../../supervisor/stage-in.js';
import { type S3Engine, startS3Engine } from '../../support/s3-engine.js';

describe('inputFileName', () => {
  it.each([
    ['input/a.png', 'a.png'],
    ['a b+c%41.png', 'a b+c%41.png'],
    ['ü/日本.txt', '日本.txt'],
    ['input/..', '%2E%2E'],
    ['.', '%2E'],
    ['input/...', '...'],
    ['input/.hidden', '.hidden'],
    ['a\0b', 'a%00b'],
    ['input/', ''],
  ])('%j becomes %j', (key, name) => expect(inputFileName(key)).toBe(name));

  it('keeps a name of 255 bytes, and cuts a longer one before its extension', () => {
    const fits = `${'a'.repeat(251)}.png`;
    expect(inputFileName(`input/${fits}`)).toBe(fits);
    const long = inputFileName(`input/${'ä'.repeat(300)}.tar.gz`);
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(255);
    expect(Buffer.byteLength(long)).toBeGreaterThan(250);
    expect(long).toMatch(/^ä+-[0-9a-f]{12}\.gz$/);
  });

  it('gives different long keys different names', () => {
    expect(inputFileName(`x/${'a'.repeat(300)}`)).not.toBe(inputFileName(`y/${'a'.repeat(300)}`));
  });

  it('does not take a whole long name for an extension', () => {
    expect(Buffer.byteLength(inputFileName(`a.${'b'.repeat(400)}`))).toBeLessThanOrEqual(255);
  });
});

describe('isFolderMarker', () => {
  it('is an empty object whose key ends in a slash', () => {
    expect(isFolderMarker({ bucket: 'b', key: 'input/', bytes: 0 })).toBe(true);
    expect(isFolderMarker({ bucket: 'b', key: 'input/' })).toBe(true);
    expect(isFolderMarker({ bucket: 'b', key: 'input/', bytes: 4 })).toBe(false);
    expect(isFolderMarker({ bucket: 'b', key: 'input/a', bytes: 0 })).toBe(false);
  });
});

describe('stageIn', () => {
  let s3: S3Engine;
  let store: ObjectStore;
  const folder = mkdtempSync(join(tmpdir(), 'scar-stage-in-'));
  const object = { bucket: 'data', key: 'in/lines.txt' };
  const signal = new AbortController().signal;

  beforeAll(async () => {
    s3 = await startS3Engine();
    store = objectStore(s3.client);
    await s3.client.send(new CreateBucketCommand({ Bucket: 'data' }));
  });
  afterAll(async () => {
    await s3.close();
    rmSync(folder, { recursive: true });
    expect(s3.failures).toEqual([]);
  });

  /** A chunk of the object as it is now. */
  async function chunk(start: number, end: number) {
    const { bytes, eTag = '' } = await store.head(object);
    return { start, end, index: 1, count: 3, delimiter: Buffer.from('\n'), objectBytes: bytes, ifMatch: eTag };
  }

  it('brings the lines of a chunk, under the name of the object, and tells where they are', async () => {
    await store.write(object, 'one\ntwo\nthree\n');
    const input = { ...object, bytes: 14 };
    expect(await stageIn(store, input, await chunk(2, 6), folder, { freeBytes: () => 1_000, signal })).toBe(
      'lines.txt',
    );
    expect(readFileSync(join(folder, 'lines.txt'), 'utf8')).toBe('two\n');
    expect(input).toEqual({ ...object, bytes: 14, chunk: { index: 1, count: 3, start: 4, end: 8 } });
    expect(await stageIn(store, input, await chunk(9, 12), folder, { freeBytes: () => 1_000, signal })).toBeUndefined();
    expect(input).toEqual({ ...object, bytes: 14, chunk: { index: 1, count: 3 } });
  });

  it('gathers objects side by side, in their order, whatever their names are', async () => {
    const gathered = mkdtempSync(join(folder, 'gathered-'));
    const keys = [
      'z/same',
      'a/same',
      `long/${'x'.repeat(300)}.csv`,
      'z/same',
      ...Array.from({ length: 20 }, (_, n) => `n/${n}`),
    ];
    for (const key of new Set(keys)) await store.write({ bucket: 'data', key }, key);
    const inputs = keys.map((key) => ({ bucket: 'data', key }));
    await gatherIn(store, inputs, gathered, { freeBytes: () => 100_000, signal });
    const names = readdirSync(gathered).toSorted();
    expect(names.map((name) => readFileSync(join(gathered, name), 'utf8'))).toEqual(keys);
    expect(names.slice(0, 2)).toEqual(['000000-same', '000001-same']);
    expect(Buffer.byteLength(names[2] ?? '')).toBe(255);
    const missing = [...inputs, { bucket: 'data', key: 'nowhere' }];
    await expect(gatherIn(store, missing, gathered, { freeBytes: () => 100_000, signal })).rejects.toMatchObject({
      reason: 'stage-in',
      message: expect.stringContaining('nowhere'),
    });
  });

  it('refuses a chunk of an object that was replaced after it was split', async () => {
    await store.write(object, 'one\ntwo\n');
    const before = await chunk(0, 4);
    await store.write(object, 'uno\ndue\n');
    const input = { ...object, chunk: { index: 1, count: 3 } };
    await expect(stageIn(store, input, before, folder, { freeBytes: () => 1_000, signal })).rejects.toMatchObject({
      reason: 'stage-in',
      message: expect.stringMatching(/^chunk 1 \(of 0 to 2\) of s3:\/\/data\/in\/lines\.txt .*replaced since.*again$/),
    });
  });

  it('needs room for the chunk, not for the object', async () => {
    await store.write(object, 'one\ntwo\nthree\n');
    const input = { ...object, bytes: 14, chunk: { index: 1, count: 3 } };
    const staging = async (free: number) =>
      stageIn(store, { ...input }, await chunk(4, 10), folder, { freeBytes: () => free, signal });
    expect(await staging(6)).toBe('lines.txt');
    await expect(staging(5)).rejects.toMatchObject({ reason: 'no-space', message: expect.stringContaining('6 B') });
  });
});
