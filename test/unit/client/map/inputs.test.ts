import { HeadObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../../../src/aws/object-store.js';
import { encodeEvent, objectRecord, roomForRecords } from '../../../../src/client/invocation.js';
import { checkInputs, type ObjectInput, type ObjectInputs, readInputs } from '../../../../src/client/map/inputs.js';
import { MAX_RESPONSE_BYTES, MIN_OUTCOME_BYTES } from '../../../../src/contract/index.js';
import { awsError, mockedContext } from '../fixtures.js';

const scar = { version: 1 } as const;
const recordOf = (input: ObjectInput) =>
  objectRecord({ bucket: 'photos', ...input }, { awsRegion: 'eu-west-1', eventTime: '2026-01-01T00:00:00.000Z' });

const bytesOf = (input: ObjectInput) => Buffer.byteLength(JSON.stringify(recordOf(input))) + 1;

/** A bucket that lists these objects, in pages; what is read of it is recorded. */
function bucket(sizes: Record<string, number>, pageSize = 1_000) {
  const { context, s3 } = mockedContext();
  const objects = Object.entries(sizes).map(([Key, Size]) => ({ Key, Size, ETag: `"e-${Key}"` }));
  s3.on(ListObjectsV2Command).callsFake(({ ContinuationToken = '0' }) => {
    const from = Number(ContinuationToken);
    const next = from + pageSize;
    const IsTruncated = next < objects.length;
    return { Contents: objects.slice(from, next), IsTruncated, NextContinuationToken: String(next) };
  });
  s3.on(HeadObjectCommand).callsFake(({ Key }) => {
    const found = objects.find((object) => object.Key === Key);
    if (!found) throw awsError('NotFound', 'not found', {}, 404);
    return { ContentLength: found.Size, ETag: found.ETag };
  });
  const read = (options: Partial<ObjectInputs>, { queued = false } = {}) => {
    const room = { bytesOf, bytes: roomForRecords(scar, { queued }) };
    checkInputs({ bucket: 'photos', ...options });
    return readInputs(context.objects, { bucket: 'photos', ...options }, room, new AbortController().signal);
  };
  /** Batches as lists of keys, or `key#chunk`; what is skipped as `-key`. */
  const all = async (options: Partial<ObjectInputs>) => {
    const steps: (string | string[])[] = [];
    for await (const step of read(options)) {
      const name = ({ key, chunk }: ObjectInput) => (chunk ? `${key}#${chunk.index}` : key);
      steps.push('skipped' in step ? `-${step.skipped.key}` : step.inputs.map(name));
    }
    return steps;
  };
  return { s3, read, all };
}

describe('the inputs of a map', () => {
  const sizes = { a: 10, 'b/': 0, c: 20, d: 300, e: 0, f: 30, g: 1 };
  const cases: [string, Partial<ObjectInputs>, (string | string[])[]][] = [
    ['come one by one', {}, [['a'], '-b/', ['c'], ['d'], ['e'], ['f'], ['g']]],
    ['come in batches of some objects', { batch: { items: 2 } }, ['-b/', ['a', 'c'], ['d', 'e'], ['f', 'g']]],
    ['come in batches of some bytes', { batch: { bytes: 31 } }, ['-b/', ['a', 'c'], ['d'], ['e', 'f', 'g']]],
    ['come in batches of both', { batch: { bytes: 31, items: 2 } }, ['-b/', ['a', 'c'], ['d'], ['e', 'f'], ['g']]],
    ['come up to the limit', { batch: { items: 2 }, limit: 3 }, ['-b/', ['a', 'c'], ['d']]],
    ['come in chunks', { chunk: { bytes: 200 }, prefix: 'd' }, ['-a', '-b/', '-c', ['d#0'], ['d#1'], '-e', '-f', '-g']],
    [
      'come in batches of chunks',
      { chunk: { bytes: 12 }, batch: { bytes: 24 }, limit: 2 },
      ['-b/', ['a#0', 'c#0'], ['c#1']],
    ],
    ['may be empty when they come in chunks', { chunk: { bytes: 5 }, keys: ['e'] }, [['e#0']]],
  ];
  it.each(cases)('%s', async (_, options, steps) => {
    // The mocked bucket lists all, whatever the prefix.
    expect(await bucket(sizes).all(options)).toEqual(steps);
  });

  it('are read no further than to what did not fit', async () => {
    const { s3, read } = bucket({ a: 1, b: 1, c: 1, d: 1, e: 1, f: 1 }, 1);
    const pages = () => s3.commandCalls(ListObjectsV2Command).length;
    const byItems = read({ batch: { items: 2 } });
    await byItems.next();
    expect(pages()).toBe(2);
    await byItems.return(undefined);
    expect(await byItems.next()).toEqual({ done: true, value: undefined });
    expect(pages()).toBe(2);
    s3.resetHistory();
    const byBytes = read({ batch: { bytes: 2 } });
    await byBytes.next();
    expect(pages()).toBe(3);
    await byBytes.return(undefined);
  });

  it('are asked for their size if they are to be split and nobody told it; one that is missing comes whole', async () => {
    const { s3, read } = bucket({ a: 10, b: 20 });
    const inputs: ObjectInput[] = [];
    for await (const step of read({ keys: ['a', 'none'], chunk: { bytes: 6, delimiter: Buffer.from([0]) } })) {
      if ('inputs' in step) inputs.push(...step.inputs);
    }
    const delimiter = { base64: 'AA==' };
    const [first, second] = [0, 1].map((index) => ({
      key: 'a',
      position: 0,
      bytes: 10,
      eTag: '"e-a"',
      chunk: { start: index * 6, end: [6, 10][index], index, count: 2, delimiter },
    }));
    expect(inputs).toEqual([first, second, { key: 'none', position: 1 }]);
    expect(recordOf(inputs[1] as ObjectInput)).toMatchObject({
      s3: { object: { key: 'a', size: 10, eTag: 'e-a' } },
      scar: { chunk: { start: 6, end: 10, index: 1, count: 2, delimiter } },
    });
    expect(s3.commandCalls(HeadObjectCommand)).toHaveLength(2);
    s3.resetHistory();
    for await (const _ of read({ chunk: { bytes: 6 } }));
    expect(s3.commandCalls(HeadObjectCommand), 'a listing tells both').toHaveLength(0);
  });

  it('can be aborted in the midst of an object of very many chunks', async () => {
    const { context } = mockedContext();
    const abort = new AbortController();
    const keys = [{ key: 'huge' }];
    const store = { ...context.objects, head: async () => ({ bytes: 1e12, eTag: 'e' }) } as unknown as ObjectStore;
    setImmediate(() => abort.abort(new Error('enough')));
    const drain = async () => {
      const options = { bucket: 'photos', keys, chunk: { bytes: 1 }, batch: { items: 100 } };
      for await (const _ of readInputs(store, options, { bytesOf, bytes: roomForRecords(scar) }, abort.signal));
    };
    await expect(drain()).rejects.toThrow('enough');
  });

  it.each([
    ['of an event that is waited for', false, 6 * 1024 * 1024, 'é'.repeat(300)],
    ['of an event that is queued', true, 1024 * 1024, 'short'],
  ])('come in batches within the limit %s, full ones', async (_, queued, maxBytes, name) => {
    const keys = Array.from({ length: 6_000 }, (_, n) => `${name}${n}`);
    const batches: ObjectInput[][] = [];
    for await (const step of bucket({}).read({ keys, batch: { items: 1_000_000 } }, { queued })) {
      if ('inputs' in step) batches.push(step.inputs);
    }
    expect(batches.flat().map(({ key }) => key)).toEqual(keys);
    const sent = batches.map((inputs) => encodeEvent({ Records: inputs.map(recordOf), scar }, { queued }).length);
    const answered = batches.map((inputs) => inputs.length * (MIN_OUTCOME_BYTES + Buffer.byteLength(name) + 35));
    sent.slice(0, -1).forEach((bytes, n) => {
      expect(bytes > maxBytes - 3_000 || (answered[n] as number) > MAX_RESPONSE_BYTES - 50_000).toBe(true);
    });
    expect(batches.length).toBeGreaterThan(1);
  });
});

describe('what divides inputs is refused at once', () => {
  it.each([
    [{ batch: {} }, /^batch must have items or bytes; received {}/],
    [{ batch: 5 }, /^batch must be an object of options/],
    [{ batch: { size: 5 } }, /^batch must have only the options items, bytes/],
    [{ batch: { items: 0 } }, /^batch\.items must be an integer of at least 1; received 0/],
    [{ batch: { bytes: 1.5 } }, /^batch\.bytes must be an integer of at least 1/],
    [{ chunk: {} }, /^chunk\.bytes must be given/],
    [{ chunk: { bytes: 0 } }, /^chunk\.bytes must be an integer of at least 1; received 0/],
    [{ chunk: { bytes: 1, delimiter: '' } }, /^chunk\.delimiter must be text or bytes, 1 to 64 of them; received ""/],
    [{ chunk: { bytes: 1, delimiter: 'é'.repeat(33) } }, /^chunk\.delimiter must be text or bytes/],
    [{ chunk: { bytes: 1, delimiter: 10 } }, /^chunk\.delimiter must be text or bytes.*received 10/],
    [{ chunk: { lines: 1 } }, /^chunk must have only the options bytes, delimiter/],
  ])('%j', (options, message) => {
    expect(() => checkInputs({ bucket: 'photos', ...options } as ObjectInputs)).toThrow(message);
  });
});
