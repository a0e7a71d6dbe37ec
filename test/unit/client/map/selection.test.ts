import { setImmediate as turn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../../../src/aws/object-store.js';
import { objectStore } from '../../../../src/aws/s3.js';
import { checkSelection, type ObjectSelection, selectObjects } from '../../../../src/client/map/selection.js';
import { type S3Engine, startS3Engine } from '../../../support/s3-engine.js';
import { mockedContext } from '../fixtures.js';

let s3: S3Engine;
let store: ObjectStore;
const tree = { 'in/': 0, 'in/a.jpg': 1, 'in/b.png': 2, 'in/deep/c.jpg': 3, 'in/empty': 0, 'on/d.jpg': 4 };

beforeAll(async () => {
  s3 = await startS3Engine();
  store = objectStore(s3.client);
  for (const Bucket of ['photos', 'lists']) await s3.client.send(new CreateBucketCommand({ Bucket }));
  for (const [key, bytes] of Object.entries(tree)) await store.write({ bucket: 'photos', key }, 'x'.repeat(bytes));
});

afterAll(async () => {
  await s3.close();
  expect(s3.failures).toEqual([]);
});

const signal = () => new AbortController().signal;

/** What passes, and how many objects were read. */
async function select(options: Partial<ObjectSelection>, from = store) {
  const selection = { bucket: 'photos', ...options };
  checkSelection(selection);
  const objects: { key: string; versionId?: string | undefined }[] = [];
  let read = 0;
  for await (const { object, passes } of selectObjects(from, selection, signal())) {
    read++;
    if (passes) objects.push(object);
  }
  return { objects, keys: objects.map(({ key }) => key), read };
}

describe('a selection by listing', () => {
  const cases: [string, Partial<ObjectSelection>, string[], number][] = [
    ['everything but folder markers', {}, ['in/a.jpg', 'in/b.png', 'in/deep/c.jpg', 'in/empty', 'on/d.jpg'], 6],
    ['by prefix and suffix', { prefix: 'in/', suffix: '.jpg' }, ['in/a.jpg', 'in/deep/c.jpg'], 5],
    ['after a key', { startAfter: 'in/deep/c.jpg' }, ['in/empty', 'on/d.jpg'], 2],
    ['by glob, listing only what begins as it does', { glob: 'in/*.jpg' }, ['in/a.jpg'], 5],
    ['by glob and a longer prefix', { glob: 'in/**', prefix: 'in/d' }, ['in/deep/c.jpg'], 1],
    ['by glob and a shorter prefix', { glob: 'in/d*/**', prefix: 'i' }, ['in/deep/c.jpg'], 1],
    ['from a size on', { size: { min: 3 } }, ['in/deep/c.jpg', 'on/d.jpg'], 6],
    ['up to a size', { size: { max: 1 } }, ['in/a.jpg', 'in/empty'], 6],
    ['of one size', { size: { min: 2, max: 2 } }, ['in/b.png'], 6],
    ['by all of them', { glob: '**/*.jpg', size: { min: 2 }, startAfter: 'in/e' }, ['on/d.jpg'], 2],
  ];
  it.each(cases)('%s', async (_, options, keys, read) => {
    expect(await select(options)).toMatchObject({ keys, read });
  });

  it('by the time of the last change', async () => {
    const { context, s3: mocked } = mockedContext();
    const times = { before: 999, at: 1000, after: 1001 };
    const Contents = Object.entries(times).map(([Key, ms]) => ({ Key, Size: 1, LastModified: new Date(ms) }));
    mocked.on(ListObjectsV2Command).resolves({ Contents });
    const { keys } = await select({ modifiedSince: new Date(1000) }, context.objects);
    expect(keys).toEqual(['at', 'after']);
  });

  it('asks for no more than the limit, or for whole pages if it must look for what passes', async () => {
    const { context, s3: mocked } = mockedContext();
    mocked.on(ListObjectsV2Command).resolves({});
    await select({ limit: 5 }, context.objects);
    await select({ limit: 5, glob: '**.jpg' }, context.objects);
    expect(mocked.commandCalls(ListObjectsV2Command).map(({ args }) => args[0].input.MaxKeys)).toEqual([5, 1000]);
  });
});

describe('a selection by keys', () => {
  it('takes keys and versions in their order, from any iterable', async () => {
    const keys = ['z', { key: 'a', versionId: 'v1' }, { key: 'a' }];
    const expected = [{ key: 'z' }, { key: 'a', versionId: 'v1' }, { key: 'a' }];
    for (const given of [
      keys,
      new Set(keys),
      keys.values(),
      ReadableStream.from(keys) as unknown as AsyncIterable<string>,
    ]) {
      expect((await select({ keys: given })).objects).toEqual(expected);
    }
  });

  it('applies what a key tells', async () => {
    const keys = ['in/', 'in/a.jpg', 'in/b.png', 'on/c.jpg'];
    expect(await select({ keys, prefix: 'in/', suffix: '.jpg' })).toMatchObject({ keys: ['in/a.jpg'], read: 4 });
    expect(await select({ keys, glob: '*/?.jpg' })).toMatchObject({ keys: ['in/a.jpg', 'on/c.jpg'], read: 4 });
  });

  it('reads none ahead, and closes the list', async () => {
    const told: string[] = [];
    function* list() {
      try {
        for (const key of ['a', 'b', 'c']) {
          told.push(key);
          yield key;
        }
      } finally {
        told.push('closed');
      }
    }
    const selection = selectObjects(store, { bucket: 'photos', keys: list() }, signal());
    expect(told).toEqual([]);
    await selection.next();
    await selection.next();
    await turn();
    expect(told).toEqual(['a', 'b']);
    await selection.return(undefined);
    expect(told).toEqual(['a', 'b', 'closed']);
  });

  it('does not wait for a list that hangs when it is aborted, and closes it when it goes on', async () => {
    let goOn = () => {};
    let closed = false;
    async function* list() {
      try {
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
        yield 'late';
      } finally {
        closed = true;
      }
    }
    const abort = new AbortController();
    const next = selectObjects(store, { bucket: 'photos', keys: list() }, abort.signal).next();
    next.catch(() => {});
    await turn();
    abort.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
    goOn();
    await turn();
    expect(closed).toBe(true);
  });

  it('can be aborted in the midst of a list without end', async () => {
    function* endless() {
      for (;;) yield 'a.txt';
    }
    const abort = new AbortController();
    setImmediate(() => abort.abort(new Error('enough')));
    const drain = async () => {
      for await (const _ of selectObjects(store, { bucket: 'photos', keys: endless() }, abort.signal));
    };
    await expect(drain()).rejects.toThrow('enough');
  });

  it('fails as its list does, which it does not close then', async () => {
    let returns = 0;
    const keys = {
      [Symbol.iterator]: () => ({
        next(): IteratorResult<string> {
          throw new Error('no more paper');
        },
        return: () => ({ done: true as const, value: String(++returns) }),
      }),
    };
    await expect(select({ keys })).rejects.toThrow('no more paper');
    expect(returns).toBe(0);
  });

  it.each([
    [[''], /^keys\[0\] must be a string that is not empty/],
    [['a', 7], /^keys\[1\] must be an object of options; received 7/],
    [[{ Key: 'a' }], /^keys\[0\] must have only the options key, versionId; received "Key"/],
    [[{ key: 'a', versionId: '' }], /^keys\[0\]\.versionId must be a string that is not empty/],
    [['é'.repeat(513)], /^keys\[0\] must have at most 1024 bytes/],
  ])('refuses %j when it comes to it', async (keys, message) => {
    await expect(select({ keys: keys as string[] })).rejects.toThrow(message);
  });
});

describe('a selection by manifest', () => {
  async function fromManifest(key: string, body: string | Buffer, options: Partial<ObjectSelection> = {}) {
    await s3.client.send(new PutObjectCommand({ Bucket: 'lists', Key: key, Body: body }));
    return select({ manifest: { bucket: 'lists', key }, ...options });
  }

  it('reads CSV as S3 Batch Operations and S3 Inventory write it', async () => {
    const csv = '\uFEFFphotos,in/a%20b.jpg\r\n"photos","c+%2B%C3%A9.jpg","v ""1"""\n\nphotos,"d,e.jpg",\nphotos,plain';
    const expected = [
      { key: 'in/a b.jpg' },
      { key: 'c +é.jpg', versionId: 'v "1"' },
      { key: 'd,e.jpg' },
      { key: 'plain' },
    ];
    expect((await fromManifest('a.csv', csv)).objects).toEqual(expected);
    expect((await fromManifest('a.csv.gz', gzipSync(csv))).objects).toEqual(expected);
  });

  it('reads lines of JSON, whose keys are as they are', async () => {
    const lines = [
      { key: 'a%20+b.jpg' },
      { key: 'c\né', versionId: 'v1', size: 3 },
      { bucket: 'photos', key: 'd', versionId: null },
    ];
    const text = lines.map((line) => JSON.stringify(line)).join('\n');
    const expected = [{ key: 'a%20+b.jpg' }, { key: 'c\né', versionId: 'v1' }, { key: 'd' }];
    expect((await fromManifest('a.jsonl', text)).objects).toEqual(expected);
  });

  it.each([
    ['empty.csv', Buffer.alloc(0)],
    ['empty.csv.gz', gzipSync('')],
  ])('may be empty: %s', async (key, body) => {
    expect(await fromManifest(key, body)).toEqual({ objects: [], keys: [], read: 0 });
  });

  const many = Array.from({ length: 60_000 }, (_, n) => `in/some/longer/name/${n}/é.jpg`);
  const rows = `${many.map((key) => `photos,${encodeURIComponent(key)}`).join('\n')}\n`;

  it.each([
    ['many.csv', rows],
    ['many.csv.gz', gzipSync(rows)],
  ])('is read in pieces, through any length: %s', async (key, body) => {
    expect((await fromManifest(key, body)).keys).toEqual(many);
  });

  it.each([
    ['lazy.csv', rows, 1],
    // The stream that inflates is a piece ahead.
    ['lazy.csv.gz', gzipSync(rows, { level: 0 }), 2],
  ])('is read no further than needed, and closed: %s', async (key, body, pieces) => {
    await s3.client.send(new PutObjectCommand({ Bucket: 'lists', Key: key, Body: body }));
    const ranges: unknown[] = [];
    const counting: ObjectStore = Object.assign(Object.create(store), {
      head: store.head.bind(store),
      read: (...args: Parameters<ObjectStore['read']>) => {
        ranges.push(args[1]?.range);
        return store.read(...args);
      },
    });
    const selection = selectObjects(counting, { bucket: 'photos', manifest: { bucket: 'lists', key } }, signal());
    for (const expected of many.slice(0, 100))
      expect(await selection.next()).toMatchObject({ value: { object: { key: expected } } });
    await selection.return(undefined);
    const asked = ranges.length;
    expect(asked).toBeLessThanOrEqual(pieces);
    await s3.client.send(new ListObjectsV2Command({ Bucket: 'lists' }));
    expect(ranges.length).toBe(asked);
  });

  it.each([
    [
      'a column too few',
      'photos,a\nphotos\n',
      /^Line 2 of the manifest s3:\/\/lists\/bad must be bucket,key.*received "photos"/,
    ],
    ['a column too many', 'photos,a,v,w', /^Line 1 .* must be bucket,key/],
    ['a quote out of place', 'photos,a"b', /^Line 1 .* must be bucket,key/],
    [
      'a key that is not encoded',
      'photos,100%.jpg',
      /^Line 1 .* must have its key URL-encoded; received "100%\.jpg".*%25/,
    ],
    ['no key', 'photos,', /^Line 1 .*: the key must be a string that is not empty/],
    ['another bucket', 'photos,a\n\nvideos,b', /^Line 3 .* must be about the bucket photos; received "videos"/],
    ['another bucket in JSON', '{"bucket":"videos","key":"a"}', /^Line 1 .* must be about the bucket photos/],
    ['a heading', 'bucket,key\nphotos,a', /^Line 1 .* must be about the bucket photos; received "bucket"/],
    ['half a JSON', '{"key":"a"}\n{"key":', /^Line 2 .* must be a JSON object/],
    [
      "an inventory's manifest.json",
      '{\n  "sourceBucket": "photos"\n}',
      /^Line 1 .* on one line; received "{"\. .*Inventory/,
    ],
    ['a key that is a number', '{"key":7}', /^Line 1 .*: the key must be a string.*received 7/],
    ['a version that is a number', '{"key":"a","versionId":7}', /^Line 1 .*: the versionId must be a string/],
    ['a line without end', 'x'.repeat(200_000), /^Line 1 .* must have at most 65536 bytes/],
    ['gzip without its name', gzipSync(rows), /^Line 1 .* must be UTF-8.*ends in \.gz/],
  ])('refuses %s', async (_, body, message) => {
    await expect(fromManifest('bad', body)).rejects.toThrow(message);
  });

  it.each([
    ['text', Buffer.from(rows)],
    ['half of it', gzipSync(rows).subarray(0, 1000)],
  ])('refuses %s for gzip', async (_, body) => {
    await expect(fromManifest('bad.csv.gz', body)).rejects.toThrow(
      /s3:\/\/lists\/bad\.csv\.gz must be whole and in gzip/,
    );
  });

  it.each(['none.csv', 'none.csv.gz'])('says so if it is missing: %s', async (key) => {
    await expect(select({ manifest: { bucket: 'lists', key } })).rejects.toMatchObject({ code: 'object-not-found' });
  });
});

describe('a selection refuses at once', () => {
  it.each([
    [{ glob: 7 }, /^glob must be a string; received 7/],
    [{ glob: '*.jpg', prefix: 'in/' }, /^glob must match keys that begin with the prefix "in\/"; received "\*\.jpg"/],
    [{ size: 5 }, /^size must be an object of options; received 5/],
    [{ size: { least: 5 } }, /^size must have only the options min, max; received "least"/],
    [{ size: { min: -1 } }, /^size\.min must be an integer of at least 0; received -1/],
    [{ size: { min: 5, max: 4 } }, /^size\.max must be an integer of at least 5; received 4/],
    [{ modifiedSince: '2026-01-01' }, /^modifiedSince must be a valid Date; received "2026-01-01"/],
    [{ modifiedSince: new Date('never') }, /^modifiedSince must be a valid Date/],
    [{ keys: 'a.jpg' }, /^keys must be an array, or another iterable.*received "a\.jpg"/],
    [{ keys: null }, /^keys must be an array/],
    [{ manifest: 's3://lists/a.csv' }, /^manifest must be an object of options/],
    [{ manifest: { bucket: 'lists' } }, /^manifest\.key must be a string that is not empty; received nothing/],
    [{ manifest: { bucket: 'L', key: 'a' } }, /^manifest\.bucket must be the name of a bucket/],
    [{ keys: [], manifest: { bucket: 'lists', key: 'a' } }, /^keys must not be given together with manifest/],
    [{ keys: [], size: {} }, /^keys must not be given together with size.*listing/],
    [{ keys: [], modifiedSince: new Date() }, /^keys must not be given together with modifiedSince/],
    [
      { manifest: { bucket: 'lists', key: 'a' }, startAfter: 'a' },
      /^manifest must not be given together with startAfter/,
    ],
  ])('%j', (options, message) => {
    expect(() => checkSelection({ bucket: 'photos', ...options } as ObjectSelection)).toThrow(message);
  });
});
