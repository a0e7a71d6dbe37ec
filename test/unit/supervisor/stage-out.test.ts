import { describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../../src/aws/object-store.js';
import type { OutputObject } from '../../../src/contract/index.js';
import { sleep } from '../../../src/util/sleep.js';
import { outputName, outputTargets, planUploads, refuseLoop, stageOut } from '../../../supervisor/stage-out.js';

const input = { bucket: 'b', key: 'input/a.png' };
const files = (...paths: string[]) => paths.map((path) => ({ path, host: `/h/${path}`, bytes: path.length }));

describe('outputTargets', () => {
  const target = { bucket: 'x', prefix: 'p/' };

  it('takes the event, then the function, then output/ beside the input', () => {
    expect(outputTargets([target], [{ bucket: 'y', prefix: '' }], input)).toEqual([target]);
    expect(outputTargets(undefined, [target], input)).toEqual([target]);
    expect(outputTargets(undefined, undefined, input)).toEqual([{ bucket: 'b', prefix: 'output/' }]);
    expect(outputTargets(undefined, undefined, undefined)).toBeUndefined();
  });

  it('takes an empty list at its word', () => {
    expect(outputTargets([], [target], input)).toEqual([]);
    expect(outputTargets(undefined, [], input)).toEqual([]);
  });
});

describe('refuseLoop', () => {
  it('refuses an input that lies among outputs', () => {
    expect(() => refuseLoop({ bucket: 'b', key: 'output/a' }, [{ bucket: 'b', prefix: 'output/' }])).toThrow(
      'for ever',
    );
    expect(() => refuseLoop({ bucket: 'b', key: 'data/x' }, [{ bucket: 'b', prefix: 'data' }])).toThrow('for ever');
  });

  it('lets other buckets, other prefixes and the root of the bucket be', () => {
    refuseLoop(input, [
      { bucket: 'other', prefix: 'input/' },
      { bucket: 'b', prefix: 'output/' },
      { bucket: 'b', prefix: '' },
    ]);
    refuseLoop(undefined, [{ bucket: 'b', prefix: '' }]);
  });
});

describe('planUploads', () => {
  it('sends each file to each target that wants it, the prefix as it is', () => {
    const targets = [
      { bucket: 'x', prefix: 'all-' },
      { bucket: 'y', prefix: 'p/', suffixes: ['.png', '.jpg'] },
    ];
    const plan = planUploads(files('a.png', 'sub/b.txt'), targets, input, true);
    expect(plan.map(({ bucket, key }) => `${bucket}:${key}`)).toEqual(['x:all-a.png', 'x:all-sub/b.txt', 'y:p/a.png']);
  });

  it('tells which files an earlier target has', async () => {
    const targets = [
      { bucket: 'x', prefix: '', suffixes: ['.png'] },
      { bucket: 'y', prefix: '' },
      { bucket: 'z', prefix: '', suffixes: ['.txt'] },
    ];
    const plan = planUploads(files('a.png', 'b.txt'), targets, input, true);
    const store = { partBytes: 100, writeFile: async () => ({ bytes: 7 }) } as unknown as ObjectStore;
    const arrived: OutputObject[] = [];
    const marks = { requestId: 'r1', outcome: 'succeeded' as const };
    await stageOut(store, plan, marks, new AbortController().signal, (object) => arrived.push(object));
    expect(arrived).toEqual([
      { bucket: 'x', key: 'a.png', bytes: 7 },
      { bucket: 'y', key: 'a.png', bytes: 7, copy: true },
      { bucket: 'y', key: 'b.txt', bytes: 7 },
      { bucket: 'z', key: 'b.txt', bytes: 7, copy: true },
    ]);
  });

  it('does not lose files silently when there is no target', () => {
    expect(() => planUploads(files('a'), undefined, undefined, false)).toThrow('no output target');
    expect(planUploads([], undefined, undefined, false)).toEqual([]);
    expect(planUploads(files('a'), [], input, false), 'for the empty list that was asked for').toEqual([]);
  });

  it('refuses to replace the input', () => {
    const target = [{ bucket: 'b', prefix: 'input/' }];
    expect(() => planUploads(files('a.png'), target, input, false)).toThrow('replace its input');
    expect(planUploads(files('b.png'), target, input, false)).toHaveLength(1);
  });

  it('refuses an output that the trigger would take for the next input', () => {
    const target = [{ bucket: 'b', prefix: 'input/' }];
    expect(() => planUploads(files('b.png'), target, input, true)).toThrow('prefix of its own');
    expect(planUploads(files('b.txt'), target, input, true)).toHaveLength(1);
  });
});

describe('outputName', () => {
  it.each([
    ['lines.csv', { index: 7, count: 12 }, 'lines.part-07.csv'],
    ['lines.csv', { index: 0, count: 1 }, 'lines.part-0.csv'],
    ['a.d/lines', { index: 10, count: 11 }, 'a.d/lines.part-10'],
    ['a.d/lines.tar.gz', { index: 9, count: 10 }, 'a.d/lines.tar.part-9.gz'],
    ['.hidden', { index: 3, count: 1_001 }, '.hidden.part-0003'],
    ['lines.csv', undefined, 'lines.csv'],
  ])('of %j, chunk %j, is %j', (path, chunk, name) => expect(outputName(path, chunk)).toBe(name));

  it('keeps the outputs of chunks apart, and in the order of the lines', () => {
    const target = [{ bucket: 'x', prefix: 'p/', suffixes: ['.csv'] }];
    const keys = Array.from({ length: 12 }, (_, index) =>
      planUploads(files('out.csv', 'out.log'), target, { ...input, chunk: { index, count: 12 } }, false),
    ).flatMap((uploads) => uploads.map(({ key }) => key));
    expect(new Set(keys).size).toBe(12);
    expect([...keys].sort()).toEqual(keys);
  });
});

describe('stageOut', () => {
  const marks = { requestId: 'r1', outcome: 'timeout' as const };

  function store(writeFile: ObjectStore['writeFile']): ObjectStore {
    return { partBytes: 100, writeFile } as ObjectStore;
  }

  it('marks every object, tells its type, and reports it', async () => {
    const sent: unknown[] = [];
    const arrived: OutputObject[] = [];
    const uploads = planUploads(files('a.png', 'b'), [{ bucket: 'x', prefix: '' }], undefined, false);
    const recording = store(async (object, file, options) => {
      sent.push({ object, file, contentType: options?.contentType, metadata: options?.metadata });
      return { bytes: 7 };
    });
    await stageOut(recording, uploads, marks, AbortSignal.timeout(1_000), (object) => arrived.push(object));
    const metadata = { 'scar-request-id': 'r1', 'scar-outcome': 'timeout' };
    expect(sent).toEqual([
      { object: { bucket: 'x', key: 'a.png' }, file: '/h/a.png', contentType: 'image/png', metadata },
      { object: { bucket: 'x', key: 'b' }, file: '/h/b', contentType: 'application/octet-stream', metadata },
    ]);
    expect(arrived).toEqual([
      { bucket: 'x', key: 'a.png', bytes: 7 },
      { bucket: 'x', key: 'b', bytes: 7 },
    ]);
  });

  it('has a few small files and one large one in flight', async () => {
    let [small, large, mostSmall, mostLarge] = [0, 0, 0, 0];
    const counting = store(async (_, file) => {
      if (file.includes('large')) mostLarge = Math.max(mostLarge, ++large);
      else mostSmall = Math.max(mostSmall, ++small);
      await sleep(5);
      if (file.includes('large')) large--;
      else small--;
      return { bytes: 0 };
    });
    const many = [
      ...files(...Array.from({ length: 20 }, (_, i) => `s${i}`)),
      ...files('large1', 'large2').map((file) => ({ ...file, bytes: 101 })),
    ];
    const uploads = planUploads(many, [{ bucket: 'x', prefix: '' }], undefined, false);
    await stageOut(counting, uploads, marks, AbortSignal.timeout(5_000), () => {});
    expect([mostSmall, mostLarge]).toEqual([4, 1]);
  });

  it('tries all, then throws the first failure and counts the others', async () => {
    const arrived: string[] = [];
    const failing = store(async ({ key }) => {
      if (key !== 'c') throw new Error(`no ${key}`);
      return { bytes: 1 };
    });
    const uploads = planUploads(files('a', 'b', 'c'), [{ bucket: 'x', prefix: '' }], undefined, false);
    const sending = stageOut(failing, uploads, marks, AbortSignal.timeout(1_000), ({ key }) => arrived.push(key));
    await expect(sending).rejects.toMatchObject({ reason: 'stage-out', message: 'no a (and 1 more of 3 outputs)' });
    expect(arrived).toEqual(['c']);
  });

  it('lists what arrived in the order of the plan, whatever the order of arrival, also when its time runs out', async () => {
    const arrived: string[] = [];
    const uploads = planUploads(files('a', 'b', 'c', 'd'), [{ bucket: 'x', prefix: '' }], undefined, false);
    const started = new Map<string, () => void>();
    const expired = new AbortController();
    const held = store(
      ({ key }, _file, options) =>
        new Promise((resolve, reject) => {
          started.set(key, () => resolve({ bytes: 1 }));
          options?.signal?.addEventListener('abort', () => reject(new Error(`no time for ${key}`)));
          if (started.size < uploads.length) return;
          for (const next of ['d', 'c', 'a']) started.get(next)?.();
          expired.abort();
        }),
    );
    const sending = stageOut(held, uploads, marks, expired.signal, ({ key }) => arrived.push(key));
    await expect(sending).rejects.toThrow('no time for b');
    expect(arrived).toEqual(['a', 'c', 'd']);
  });
});
