import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../../../src/aws/object-store.js';
import { objectStore } from '../../../../src/aws/s3.js';
import { checkSelection, type ObjectSelection, selectObjects } from '../../../../src/client/map/selection.js';
import { type S3Engine, startS3Engine } from '../../../support/s3-engine.js';

let s3: S3Engine;
let store: ObjectStore;

beforeAll(async () => {
  s3 = await startS3Engine();
  store = objectStore(s3.client);
  for (const Bucket of ['lists', 'photos']) await s3.client.send(new CreateBucketCommand({ Bucket }));
});

afterAll(async () => {
  await s3.close();
  expect(s3.failures).toEqual([]);
});

/** As S3 writes one of all versions. */
const SCHEMA = 'Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass';
const CURRENT = 'Bucket, Key, Size, LastModifiedDate, ETag';
const MANIFEST = 'inv/photos/all/2026-11-06T01-00Z/manifest.json';

/** Rows with each field in quotes, as S3 writes them. */
const csv = (...rows: string[][]) => rows.map((row) => `${row.map((field) => `"${field}"`).join(',')}\n`).join('');
const current = (key: string, size: number | string = 1, date = '2026-11-05T10:00:00.000Z') => [
  'photos',
  key,
  String(size),
  date,
  'e1',
];

interface Written {
  schema?: string;
  /** Of manifest.json. */
  members?: Record<string, unknown>;
  /** Of an entry of its files. */
  file?: Record<string, unknown>;
}

/** Writes an inventory of these files. */
async function write(texts: (string | Buffer)[], { schema = CURRENT, members, file }: Written = {}) {
  const files: Record<string, unknown>[] = [];
  for (const [n, text] of texts.entries()) {
    const bytes = typeof text === 'string' ? gzipSync(text) : text;
    const key = `inv/photos/all/data/${n}.csv.gz`;
    await store.write({ bucket: 'lists', key }, bytes);
    files.push({ key, size: bytes.length, MD5checksum: createHash('md5').update(bytes).digest('hex'), ...file });
  }
  const manifest = {
    sourceBucket: 'photos',
    destinationBucket: 'arn:aws:s3:::lists',
    version: '2016-11-30',
    creationTimestamp: '1762390800000',
    fileFormat: 'CSV',
    fileSchema: schema,
    files,
    ...members,
  };
  await store.write({ bucket: 'lists', key: MANIFEST }, JSON.stringify(manifest, null, 2));
}

async function select(options: Partial<ObjectSelection> = {}, from = store) {
  const selection = { bucket: 'photos', manifest: { bucket: 'lists', key: MANIFEST }, ...options };
  checkSelection(selection);
  const passed = [];
  const skipped: string[] = [];
  for await (const { object, passes } of selectObjects(from, selection, new AbortController().signal)) {
    if (passes) passed.push(object);
    else skipped.push(object.key);
  }
  return { passed, keys: passed.map(({ key }) => key), skipped };
}

describe('a selection by an S3 Inventory', () => {
  it('takes the current version of each object, with what the inventory tells of it, and skips the others', async () => {
    const date = '2026-11-05T10:00:00.000Z';
    await write(
      [
        csv(
          [
            'photos',
            'a+b%2B%C3%A9.jpg',
            'v2',
            'true',
            'false',
            '5',
            date,
            '9b2cf535f27731c974343645a3985328',
            'STANDARD',
          ],
          ['photos', 'a+b%2B%C3%A9.jpg', 'v1', 'false', 'false', '4', date, 'e1', 'STANDARD'],
        ),
        csv(
          ['photos', 'gone.jpg', 'v9', 'True', 'True', '', date, '', ''],
          ['photos', 'old.jpg', '', 'true', 'false', '0', date, 'e-3', 'GLACIER'],
          ['photos', 'folder%2F', '', 'true', 'false', '0', date, 'e-3', 'STANDARD'],
        ),
      ],
      { schema: SCHEMA },
    );
    const lastModified = new Date(date);
    expect(await select()).toEqual({
      passed: [
        { key: 'a b+é.jpg', versionId: 'v2', bytes: 5, eTag: '9b2cf535f27731c974343645a3985328', lastModified },
        { key: 'old.jpg', bytes: 0, eTag: 'e-3', lastModified },
      ],
      keys: ['a b+é.jpg', 'old.jpg'],
      skipped: ['a b+é.jpg', 'gone.jpg', 'folder/'],
    });
  });

  const objects = [
    current('z.jpg', 10, '2026-11-01T00:00:00.000Z'),
    current('a.jpg', 20, '2026-11-02T00:00:00.000Z'),
    current('m.png', 30, '2026-11-03T00:00:00.000Z'),
    // In S3's order, U+FF5E comes before U+1F600; in that of UTF-16 it does not.
    current(encodeURIComponent('～')),
    current(encodeURIComponent('😀')),
  ];
  const cases: [string, Partial<ObjectSelection>, string[]][] = [
    ['all', {}, ['z.jpg', 'a.jpg', 'm.png', '～', '😀']],
    ['by size', { size: { min: 15, max: 25 } }, ['a.jpg']],
    ['by date', { modifiedSince: new Date('2026-11-02'), suffix: 'g' }, ['a.jpg', 'm.png']],
    ['by key, in no order', { startAfter: 'a.jpg', suffix: 'g' }, ['z.jpg', 'm.png']],
    ['by key, in the order of bytes', { startAfter: '～' }, ['😀']],
    ['by glob', { glob: '*.jpg' }, ['z.jpg', 'a.jpg']],
  ];
  it.each(cases)('%s', async (_, options, keys) => {
    await write([csv(...objects.slice(0, 2)), '', csv(...objects.slice(2))]);
    const { keys: passed, skipped } = await select(options);
    expect(passed).toEqual(keys);
    expect(skipped).toHaveLength(objects.length - keys.length);
  });

  it('needs no more than the keys, if nothing else is asked for', async () => {
    await write([csv(['a.jpg'], ['b.jpg'])], { schema: 'Key' });
    expect((await select()).passed).toEqual([{ key: 'a.jpg' }, { key: 'b.jpg' }]);
  });

  it('is read file by file, no further than needed', async () => {
    await write([csv(current('a')), csv(current('b')), csv(current('c'))]);
    const read: string[] = [];
    const counting: ObjectStore = Object.assign(Object.create(store), {
      head: store.head.bind(store),
      read: (...args: Parameters<ObjectStore['read']>) => {
        read.push(args[0].key);
        return store.read(...args);
      },
    });
    const selection = { bucket: 'photos', manifest: { bucket: 'lists', key: MANIFEST } };
    const objects = selectObjects(counting, selection, new AbortController().signal);
    expect(await objects.next()).toMatchObject({ value: { object: { key: 'a' } } });
    await objects.return(undefined);
    expect(read).toEqual([MANIFEST, 'inv/photos/all/data/0.csv.gz']);
  });

  const FILE = 's3:\\/\\/lists\\/inv\\/photos\\/all\\/data\\/0\\.csv\\.gz';
  const INVENTORY = 's3:\\/\\/lists\\/inv\\/photos\\/all\\/2026-11-06T01-00Z\\/manifest\\.json';
  const bad = (size: string) => csv(current('a'), current('b', size));
  const refused: [string, (string | Buffer)[], Written, Partial<ObjectSelection>, string][] = [
    ['ORC', [], { members: { fileFormat: 'ORC' } }, {}, `^The inventory ${INVENTORY} must be in the format CSV; received "ORC"\\. .*Athena`],
    ['Parquet', [], { members: { fileFormat: 'Parquet' } }, {}, 'must be in the format CSV; received "Parquet"'],
    ['another bucket', [], { members: { sourceBucket: 'videos' } }, {}, 'must be of the bucket photos; received "videos"'],
    ['no files', [], { members: { files: undefined } }, {}, 'files must be a list; received nothing'],
    ['a file without a key', [''], { file: { key: 7 } }, {}, 'files\\[0\\]\\.key must be a string'],
    ['a schema without keys', [], { schema: 'Bucket, Size' }, {}, 'fileSchema must have the column Key'],
    ['sizes that it does not have', [], { schema: 'Bucket, Key' }, { size: { min: 1 } }, `^The inventory ${INVENTORY} must have the column Size, which size needs; received "Bucket, Key"\\. Add it`],
    ['dates that it does not have', [], { schema: 'Bucket, Key' }, { modifiedSince: new Date() }, 'must have the column LastModifiedDate'],
    ['a row of another bucket', [csv(['videos', 'a', '1', '', ''])], {}, {}, 'must be about the bucket photos; received "videos"'],
    ['a row too short', [csv(current('a'), ['photos', 'b'])], {}, {}, `^Line 2 of the inventory file ${FILE} must have the 5 columns Bucket, Key`],
    ['a size that is none', [bad('many')], {}, {}, `^Line 2 of the inventory file ${FILE}: Size must be a number of bytes; received "many"`],
    ['a date that is none', [csv(current('a', 1, 'today'))], {}, {}, 'LastModifiedDate must be a date'],
    ['a key that is not encoded', [csv(current('100%'))], {}, {}, `^Line 1 of the inventory file ${FILE} must have its key URL-encoded`],
    ['a mark that is none', [csv(['a', 'yes'])], { schema: 'Key, IsLatest' }, {}, 'IsLatest must be true or false; received "yes"'],
    ['a file of another size', [csv(current('a'))], { file: { size: 7 } }, {}, `^The inventory file ${FILE} must have 7 bytes, as its inventory says; received \\d+`],
    ['a file of other contents', [csv(current('a'))], { file: { MD5checksum: '0'.repeat(32) } }, {}, `^The inventory file ${FILE} must have the MD5 0+, as its inventory says; received "[0-9a-f]{32}"`],
    ['no MD5', [], { members: { files: [{ key: 'k', MD5checksum: 'x' }] } }, {}, 'files\\[0\\]\\.MD5checksum must be an MD5 in hex'],
    ['a file that is cut', [gzipSync(csv(current('a'))).subarray(0, 30)], {}, {}, `^The inventory file ${FILE} must be whole and in gzip`],
    ['a file that is missing', [''], { file: { key: 'none.csv.gz' } }, {}, 's3://lists/none.csv.gz.*has no object'],
  ]; // biome-ignore format: a table
  it.each(refused)('refuses %s', async (_, texts, written, options, message) => {
    await write(texts, written);
    await expect(select(options)).rejects.toThrow(new RegExp(message));
  });

  it('takes a list with the name of an inventory for what it is', async () => {
    const manifest = { bucket: 'lists', key: 'my-manifest.json' };
    await store.write(manifest, '{"key":"a"}\n{"key":"b"}\n');
    expect((await select({ manifest })).keys).toEqual(['a', 'b']);
    await store.write(manifest, '{"key":"a"}');
    expect((await select({ manifest })).keys).toEqual(['a']);
    await expect(select({ manifest, size: { min: 1 } })).rejects.toThrow(
      /^manifest must not be given together with size.*manifest\.json of an S3 Inventory/,
    );
  });
});
