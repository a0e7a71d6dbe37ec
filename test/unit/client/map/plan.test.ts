import { Readable } from 'node:stream';
import {
  GetAccountSettingsCommand,
  GetFunctionConcurrencyCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
} from '@aws-sdk/client-lambda';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import type { MapItem } from '../../../../src/client/map/item.js';
import type { MapOptions } from '../../../../src/client/map/options.js';
import { mapOverBucket } from '../../../../src/client/map-over-bucket.js';
import { answer, response } from '../answers.js';
import { awsError, functionArn, mockedContext } from '../fixtures.js';

/** A function of 512 MiB, and a bucket with these objects. */
function aws(objects: Record<string, number> = {}) {
  const mocked = mockedContext();
  const { lambda, s3, context } = mocked;
  lambda.on(GetFunctionConfigurationCommand).resolves({
    FunctionName: 'gray',
    FunctionArn: functionArn('gray'),
    MemorySize: 512,
    State: 'Active',
  });
  lambda.on(GetFunctionConcurrencyCommand).resolves({});
  lambda.on(GetAccountSettingsCommand).resolves({ AccountLimit: { UnreservedConcurrentExecutions: 10 } });
  lambda.on(InvokeCommand).callsFake(() => answer(response()));
  const Contents = Object.entries(objects).map(([Key, Size]) => ({ Key, Size }));
  s3.on(ListObjectsV2Command).resolves({ Contents });
  const map = (options: Partial<MapOptions> = {}) => mapOverBucket(context, 'gray', { bucket: 'photos', ...options });
  const events = () =>
    lambda
      .commandCalls(InvokeCommand)
      .map(({ args }) => JSON.parse(Buffer.from(args[0].input.Payload as Buffer).toString()));
  return { ...mocked, map, events };
}

describe('a plan of a map', () => {
  const objects = { 'in/': 0, 'in/a.jpg': 10, 'in/b.png': 20, 'in/c.jpg': 30, 'in/d.jpg': 40 };

  it('counts objects and bytes, and prices them by what is assumed, without invoking anything', async () => {
    const { map, events } = aws(objects);
    const plan = await map({ suffix: '.jpg' }).plan({ billedMs: 4_000 });
    expect(plan).toEqual({
      functionName: 'gray',
      items: 3,
      invocations: 3,
      bucket: 'photos',
      objects: 3,
      skipped: 2,
      firstKeys: ['in/a.jpg', 'in/c.jpg', 'in/d.jpg'],
      firstSkippedKeys: ['in/', 'in/b.png'],
      bytes: 80,
      memoryMiB: 512,
      billedMs: 4_000,
      gbSeconds: 6,
      costUsd: {
        compute: expect.closeTo(6 * 0.0000166667, 12),
        requests: expect.closeTo(3 * 0.0000002, 12),
        total: expect.closeTo(6 * 0.0000166667 + 3 * 0.0000002, 12),
      },
    });
    expect(events()).toEqual([]);
  });

  it('names ten objects of each kind', async () => {
    const names = Array.from({ length: 12 }, (_, at) => String.fromCharCode(97 + at));
    const many = Object.fromEntries(names.flatMap((name) => [`${name}.jpg`, `${name}.png`]).map((key) => [key, 1]));
    const { firstKeys, firstSkippedKeys } = await aws(many).map({ suffix: '.jpg' }).plan();
    expect(firstKeys).toEqual(names.slice(0, 10).map((name) => `${name}.jpg`));
    expect(firstSkippedKeys).toEqual(names.slice(0, 10).map((name) => `${name}.png`));
  });

  it('agrees with the run, which may follow', async () => {
    const { map } = aws(objects);
    for (const options of [
      {},
      { limit: 2 },
      { glob: 'in/[cd].jpg' },
      { size: { min: 20 } },
      { keys: ['in/', 'a', 'b'] },
    ]) {
      const run = map(options);
      const { objects, skipped } = await run.plan();
      for await (const _ of run);
      expect(run.summary, JSON.stringify(options)).toMatchObject({ succeeded: objects, skipped, complete: true });
    }
  });

  it('assumes a second an object, and knows no sizes of keys', async () => {
    const plan = await aws()
      .map({ keys: ['a', 'b'] })
      .plan();
    expect(plan).toMatchObject({ objects: 2, skipped: 0, bytes: undefined, billedMs: 1_000, gbSeconds: 1 });
  });

  it.each([
    ['an iterator', () => ['a'].values()],
    ['a stream', () => Readable.from(['a'])],
  ])('leaves what can be read only once to the run: %s', async (_, keys) => {
    const { map, events } = aws();
    const run = map({ keys: keys() });
    await expect(run.plan()).rejects.toThrow(
      /^keys must be an array, or another iterable that is sure to give the same/,
    );
    for await (const _ of run);
    expect(events()).toHaveLength(1);
  });

  it('refuses what it does not know', async () => {
    const { map } = aws();
    await expect(map().plan({ billedMs: 0 })).rejects.toThrow(
      /^billedMs must be an integer from 1 to 900000; received 0/,
    );
    await expect(map().plan({ seconds: 1 } as never)).rejects.toThrow(/^plan must have only the options billedMs/);
  });

  it('fails as the run would, and ends with its signal or its client', async () => {
    const { map, lambda, closing } = aws();
    await expect(map({ signal: AbortSignal.abort(new Error('enough')) }).plan()).rejects.toThrow('enough');
    lambda.on(GetFunctionConfigurationCommand).rejects(awsError('ResourceNotFoundException', 'no', {}, 404));
    await expect(map().plan()).rejects.toMatchObject({ code: 'function-not-found' });
    closing.abort(new Error('closed'));
    await expect(map().plan()).rejects.toThrow('closed');
  });
});

describe('a map over keys', () => {
  it('tells the function the version, and the result the size that the function found', async () => {
    const { map, lambda, events } = aws();
    lambda.on(InvokeCommand).callsFake((input) => {
      const { key, versionId } = JSON.parse(Buffer.from(input.Payload).toString()).Records[0].s3.object;
      const reply = response();
      const [outcome] = reply.outcomes;
      if (outcome && key === 'a') outcome.input = { bucket: 'photos', key, bytes: 99, versionId };
      return answer(reply);
    });
    const items: MapItem[] = [];
    for await (const item of map({ keys: [{ key: 'a', versionId: 'v1' }, 'b'], concurrency: 1 })) items.push(item);
    expect(events().map(({ Records }) => Records[0].s3.object)).toEqual([{ key: 'a', versionId: 'v1' }, { key: 'b' }]);
    expect(items.map(({ key, versionId, size }) => ({ key, versionId, size }))).toEqual([
      { key: 'a', versionId: 'v1', size: 99 },
      { key: 'b', versionId: undefined, size: undefined },
    ]);
  });

  it('reads as many keys as it has room for', async () => {
    const { map } = aws();
    let read = 0;
    let closed = false;
    async function* keys() {
      try {
        for (;;) yield `key-${++read}`;
      } finally {
        closed = true;
      }
    }
    let seen = 0;
    for await (const _ of map({ keys: keys(), concurrency: 3 })) if (++seen === 10) break;
    // Three under way, three that wait, and one that was asked for.
    expect(read).toBeLessThanOrEqual(10 + 3 + 3 + 1);
    expect(closed).toBe(true);
  });

  it('ends by its completion while it waits for a key, in the order of the keys', async () => {
    let asked = false;
    const keys = {
      [Symbol.asyncIterator]: () => {
        const first = ['b', 'a'];
        return {
          next: async (): Promise<IteratorResult<string>> => {
            const value = first.shift();
            if (value !== undefined) return { done: false, value };
            asked = true;
            return new Promise(() => {});
          },
        };
      },
    };
    const { map, lambda } = aws();
    lambda.on(InvokeCommand).callsFake(async () => {
      while (!asked) await new Promise((resolve) => setImmediate(resolve));
      return answer(response());
    });
    const items: MapItem[] = [];
    for await (const item of map({ keys, ordered: true, completion: { minSuccessful: 2 } })) items.push(item);
    expect(items.map(({ key }) => key)).toEqual(['b', 'a']);
  });

  it('fails with a bad key, whatever came before', async () => {
    const run = aws().map({ keys: ['a', ''] });
    const drain = async () => {
      for await (const _ of run);
    };
    await expect(drain()).rejects.toMatchObject({ code: 'invalid-option' });
    expect(run.summary.complete).toBe(false);
  });
});
