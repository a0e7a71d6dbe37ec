import { InvokeCommand } from '@aws-sdk/client-lambda';
import { DeleteObjectsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import type { MapOptions } from '../../../src/client/map/options.js';
import { mapReduce, type ReduceOptions } from '../../../src/client/map-reduce.js';
import { type ContainerOutcome, decodeEventKey, type OutputObject } from '../../../src/contract/index.js';
import { ScarError } from '../../../src/errors.js';
import { answer, response } from './answers.js';
import { awsError, deletedKeys } from './fixtures.js';
import { aws, hang, idle } from './mapped-bucket.js';

/** What the map's container leaves for an object. */
type Left = Partial<ContainerOutcome> & { outputs: OutputObject[] };

/** The object's own name below `out/`. */
const named = (key: string): Left => ({ outputs: [object(`out/${key.slice(key.lastIndexOf('/') + 1)}`)] });
const object = (key: string, more: Partial<OutputObject> = {}) => ({ bucket: 'photos', key, bytes: 1, ...more });

/** A bucket, a function `gray` that is mapped over it, and one, `join`, that reduces each time to the file `all`. */
function reducing(keys: string[], left: (key: string) => Left = named) {
  const mocked = aws({ objects: [] });
  const stored = new Set(keys);
  const joined: string[][] = [];
  /** Replaced by tests that hold a reducer, or have it leave something else. */
  const behaviour = { join: async (_inputs: string[]) => {}, files: (_inputs: string[]) => ['all'] };
  mocked.s3.on(ListObjectsV2Command).callsFake(({ Prefix = '' }) => {
    const deleted = deletedKeys(mocked.s3);
    const found = [...stored].filter((key) => key.startsWith(Prefix) && !deleted.includes(key));
    return { Contents: found.toSorted().map((Key) => ({ Key, Size: 1 })) };
  });
  mocked.s3.on(DeleteObjectsCommand).resolves({});
  mocked.lambda.on(InvokeCommand).callsFake(async ({ FunctionName, Payload }) => {
    const { Records, scar } = JSON.parse(Buffer.from(Payload).toString());
    const inputs: string[] = Records.map(({ s3 }: { s3: { object: { key: string } } }) =>
      decodeEventKey(s3.object.key),
    );
    const [outcome] = response().outcomes;
    const leave = (what: Left) => answer(response({ outcomes: [{ ...outcome, ...what } as ContainerOutcome] }));
    if (FunctionName === 'gray') return leave(left(inputs[0] as string));
    joined.push(inputs);
    const [{ prefix }] = scar.output;
    // It runs to its end, whether or not somebody waits for it.
    const ran = behaviour.join(inputs).then(() => stored.add(`${prefix}all`));
    await Promise.race([ran, hang('', abortSignal(mocked.lambda))]);
    return leave({ outputs: behaviour.files(inputs).map((name) => object(`${prefix}${name}`)) });
  });
  const reduce = (options: Partial<MapOptions> = {}, more: Partial<ReduceOptions> = {}) =>
    mapReduce(
      mocked.context,
      'gray',
      { bucket: 'photos', prefix: 'in/', ...options },
      { function: 'join', output: { bucket: 'photos', prefix: 'all/' }, ...more },
    );
  const parts = () =>
    [...stored].filter((key) => key.startsWith('all/.parts/') && !deletedKeys(mocked.s3).includes(key));
  return { ...mocked, reduce, joined, behaviour, parts };
}

function abortSignal(lambda: ReturnType<typeof aws>['lambda']): AbortSignal {
  const [, options] = (lambda.commandCalls(InvokeCommand).at(-1)?.args ?? []) as unknown[];
  return (options as { abortSignal: AbortSignal }).abortSignal;
}

const never = new Promise<never>(() => {});

const failing: Left = {
  status: 'failed',
  reason: 'exit',
  message: 'ended with exit code 1',
  exitCode: 1,
  outputs: [],
} as Left;

describe('a reducer', () => {
  const keys = ['in/a', 'in/b', 'in/c', 'in/d'];

  it.each([
    [0, []],
    [2, ['all', 'more']],
  ])('must leave one file, not %i, also where others make up for it', async (count, names) => {
    const { reduce, behaviour, parts } = reducing(keys);
    const rest = count === 0 ? ['all', 'more'] : [];
    behaviour.files = (inputs) => (inputs[0] === 'out/a' ? names : rest);
    await expect(reduce({ concurrency: 1 }, { fanIn: 2 })).rejects.toMatchObject({
      code: 'invocation-failed',
      message: expect.stringMatching(
        new RegExp(`^Each container of join must leave one file .*; one of 2 inputs left ${count}$`),
      ),
    });
    expect(parts()).toEqual([]);
  });
});

describe('mapReduce', () => {
  it('has the reducers get what containers left, in the order of the objects, and removes what lies between', async () => {
    const { reduce, joined, parts, events } = reducing(['in/0', 'in/1', 'in/2', 'in/3', 'in/4']);
    const result = await reduce({ concurrency: 1 }, { fanIn: 2 });
    expect(result).toMatchObject({ reductions: 3 + 2 + 1, map: { complete: true, succeeded: 5 } });
    expect(result.outputs).toEqual([object('all/all')]);
    expect(joined.slice(0, 3)).toEqual([['out/0', 'out/1'], ['out/2', 'out/3'], ['out/4']]);
    expect(parts()).toEqual([]);
    expect(events.warning).toEqual([]);
  });

  it('has a reducer get what is alone, too', async () => {
    const { reduce, joined } = reducing(['in/0']);
    expect(await reduce()).toMatchObject({ outputs: [object('all/all')], reductions: 1 });
    expect(joined).toEqual([['out/0']]);
  });

  it('reduces once what went to several places', async () => {
    const { reduce, joined } = reducing(['in/0', 'in/1', 'in/2'], (key) => {
      const name = key.slice('in/'.length);
      return { outputs: [object(`out/${name}`), object(`copies/${name}`, { copy: true }), object(`logs/${name}`)] };
    });
    await reduce();
    expect(joined).toEqual([['out/0', 'logs/0', 'out/1', 'logs/1', 'out/2', 'logs/2']]);
  });

  it.each([
    ['succeeded', named],
    [
      'failed, and is tolerated',
      (key: string): Left => (key === 'in/b/same' ? { ...failing, ...named(key) } : named(key)),
    ],
  ])('ends where an output has replaced another, whose object has %s', async (_, left) => {
    const { reduce, joined } = reducing(['in/a/other', 'in/a/same', 'in/b/same'], left);
    const ended = reduce({ concurrency: 1, completion: { toleratedFailureCount: 1 } });
    await expect(ended).rejects.toBeInstanceOf(ScarError);
    await expect(ended).rejects.toMatchObject({
      code: 'map-failed',
      message: expect.stringMatching(
        /s3:\/\/photos\/out\/same is that of in\/a\/same and of in\/b\/same.*STORAGE_OBJECT_KEY/,
      ),
      context: { bucket: 'photos', key: 'out/same', inputs: ['in/a/same', 'in/b/same'] },
    });
    expect(joined).toEqual([]);
  });

  it('lets outputs have the same key in different buckets', async () => {
    const { reduce, joined } = reducing(['in/a/same', 'in/b/same'], (key) => ({
      outputs: [object('out/same', { bucket: key === 'in/a/same' ? 'first' : 'second' })],
    }));
    await reduce();
    expect(joined).toEqual([['out/same', 'out/same']]);
  });

  it('ends where not all outputs are known', async () => {
    const { reduce } = reducing(['in/0', 'in/1'], (key) => ({ ...named(key), outputsOmitted: 3 }));
    await expect(reduce({ concurrency: 1 })).rejects.toMatchObject({
      code: 'map-failed',
      message: expect.stringMatching(/that of in\/0 had no room for 3 of them/),
    });
  });

  it.each<[string, MapOptions['completion']]>([
    ['undefined', undefined],
    ['empty', {}],
    ['of undefined values', { toleratedFailureCount: undefined, minSuccessful: undefined } as never],
  ])('tolerates no failure where completion is %s', async (_, completion) => {
    const left = (key: string) => (key === 'in/1' ? failing : named(key));
    const { reduce, joined } = reducing(['in/0', 'in/1', 'in/2'], left);
    await expect(reduce({ completion } as Partial<MapOptions>)).rejects.toMatchObject({
      code: 'map-failed',
      message: expect.stringMatching(/The first: .*exit code 1/),
    });
    expect(joined).toEqual([]);
  });

  it('tolerates what completion says', async () => {
    const left = (key: string) => (key === 'in/1' ? failing : named(key));
    const { reduce, joined } = reducing(['in/0', 'in/1', 'in/2'], left);
    await reduce({ completion: { toleratedFailurePercentage: 50 } });
    expect(joined).toEqual([['out/0', 'out/2']]);
  });

  it('has close() wait until what lies between is removed, and says aborted', async () => {
    const { reduce, behaviour, parts, closing, context, s3 } = reducing(['in/0', 'in/1', 'in/2']);
    behaviour.join = ([first]) => (first === 'out/2' ? never : Promise.resolve());
    let removed = false;
    s3.on(DeleteObjectsCommand).callsFake(async () => {
      await idle();
      removed = true;
      return {};
    });
    const ended = reduce({ concurrency: 2 }, { fanIn: 2 });
    const outcome = ended.catch((error) => error);
    await idle();
    expect(parts()).toHaveLength(1);
    closing.abort(new ScarError('aborted', 'The client was closed'));
    await Promise.all(context.running);
    expect(removed).toBe(true);
    expect(parts()).toEqual([]);
    expect(await outcome).toMatchObject({ code: 'aborted', message: 'The client was closed' });
  });

  it('throws the reason although what lies between cannot be removed, and warns of that', async () => {
    const { reduce, behaviour, s3, events } = reducing(['in/0', 'in/1', 'in/2']);
    behaviour.join = ([first]) => (first === 'out/2' ? never : Promise.resolve());
    s3.on(DeleteObjectsCommand).rejects(awsError('AccessDenied', 'no', {}, 403));
    const aborted = new AbortController();
    const outcome = reduce({ concurrency: 2, signal: aborted.signal }, { fanIn: 2 }).catch((error) => error);
    await idle();
    aborted.abort(new Error('enough'));
    expect(await outcome).toMatchObject({ message: 'enough' });
    expect(events.warning.at(-1)).toMatchObject({
      code: 'rollback-incomplete',
      message: expect.stringMatching(/^Left behind: s3:\/\/photos\/all\/\.parts\/[\w-]+\/ of function join/),
    });
  });

  it('gives its result although what lies between cannot be removed', async () => {
    const { reduce, s3, events } = reducing(['in/0', 'in/1', 'in/2']);
    s3.on(DeleteObjectsCommand).rejects(awsError('AccessDenied', 'no', {}, 403));
    expect(await reduce({}, { fanIn: 2 })).toMatchObject({ outputs: [object('all/all')] });
    expect(events.warning).toMatchObject([{ code: 'rollback-incomplete' }]);
  });

  it('gives reducers that are under way the time that drainMs says, and removes their parts then', async () => {
    const { reduce, behaviour, parts, joined } = reducing(['in/0', 'in/1', 'in/2']);
    let end = () => {};
    behaviour.join = ([first]) =>
      first === 'out/2' ? new Promise<void>((resolve) => (end = resolve)) : Promise.resolve();
    const aborted = new AbortController();
    const options = { concurrency: 2, drainMs: 60_000, signal: aborted.signal };
    const outcome = reduce(options, { fanIn: 2 }).catch((error) => error);
    await idle();
    aborted.abort(new Error('enough'));
    await idle();
    end();
    expect(await outcome).toMatchObject({ message: 'enough' });
    expect(joined).toHaveLength(2);
    expect(parts()).toEqual([]);
  });
});
