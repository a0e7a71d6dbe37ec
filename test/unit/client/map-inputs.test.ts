import { InvokeCommand } from '@aws-sdk/client-lambda';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { InvocationResult } from '../../../src/client/invocation-result.js';
import type { MapInput, MapInputsOptions } from '../../../src/client/map-inputs.js';
import { mapInputs } from '../../../src/client/map-inputs.js';
import type { OutputTail } from '../../../src/contract/index.js';
import { answer, response } from './answers.js';
import { aws, collect } from './mapped-bucket.js';

/** A function that prints what it is told to. */
function echo(stdout: (args: string[]) => OutputTail | string = (args) => args.join(' ')) {
  const bucket = aws({ objects: [] });
  bucket.lambda.on(InvokeCommand).callsFake(async (input) => {
    const { scar } = JSON.parse(Buffer.from(input.Payload).toString());
    const printed = stdout(scar.args ?? []);
    const tail = typeof printed === 'string' ? { text: printed, bytes: Buffer.byteLength(printed) } : printed;
    const [outcome] = response().outcomes;
    return answer(response({ outcomes: [{ ...outcome, stdout: tail } as never] }));
  });
  const map = (inputs: Iterable<MapInput> | AsyncIterable<MapInput>, options?: MapInputsOptions) =>
    mapInputs(bucket.context, 'gray', inputs, options);
  const events = () =>
    bucket.lambda
      .commandCalls(InvokeCommand)
      .map(({ args }) => JSON.parse(Buffer.from(args[0].input.Payload as Buffer).toString()));
  return { ...bucket, map, events };
}

describe('map', () => {
  it('runs once for each input, and gives its place and the input itself', async () => {
    const { map, events } = echo();
    const inputs = ['a', ['b', 'c'], { args: ['d'], environment: { X: '1' }, input: { bucket: 'photos', key: 'e f' } }];
    const items = await collect(map(inputs as MapInput[], { concurrency: 1, environment: { X: '0', Y: '0' } }));
    expect(items.map(({ index, call, stdout }) => [index, call, stdout.text])).toEqual([
      [0, { args: ['a'] }, 'a'],
      [1, { args: ['b', 'c'] }, 'b c'],
      [2, inputs[2], 'd'],
    ]);
    const [first, , last] = events();
    expect(first).toEqual({
      scar: {
        version: 1,
        args: ['a'],
        environment: { X: '0', Y: '0' },
        idempotencyKeys: [expect.any(String)],
      },
    });
    expect(last.scar.environment).toEqual({ X: '1' });
    expect(last.Records[0].s3).toMatchObject({ bucket: { name: 'photos' }, object: { key: 'e+f' } });
  });

  it('reads an endless generator as far as results are asked for, and closes it', async () => {
    const { map } = echo();
    let given = 0;
    let closed = false;
    const numbers = async function* () {
      try {
        for (;;) yield [`${given++}`];
      } finally {
        closed = true;
      }
    };
    const run = map(numbers(), { concurrency: 4, ordered: true });
    const seen: number[] = [];
    for await (const { index } of run) if (seen.push(index) === 20) break;
    expect(seen).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(given).toBeLessThanOrEqual(29);
    expect(closed).toBe(true);
  });

  it('ends with an error that names a bad input', async () => {
    const { map } = echo();
    const bad = collect(map(['a', { arguments: ['b'] } as never]));
    await expect(bad).rejects.toThrow(/^inputs\[1\] must have only the options .*input, inputs; received "arguments"/);
    await expect(collect(map(['a', [5] as never]))).rejects.toThrow(
      /^inputs\[1\]\.args\[0\] must be a string; received 5/,
    );
    expect(() => map('text' as never)).toThrow(/^inputs must be an array, or another iterable/);
    expect(() => map([], { bucket: 'photos' } as never)).toThrow(/^map must have only the options/);
  });

  it('and one that is too large, with what takes the room', async () => {
    const { map } = echo();
    const large = collect(map(['a', ['b', 'x'.repeat(7 << 20)]], { script: { inline: 'echo' } }));
    await expect(large).rejects.toThrow(
      /^inputs\[1\]\.args must leave the event within 6291456 bytes; received "7340\d{3} bytes"\. .* of args\. Put what is large into an object/,
    );
    const together = collect(map(['x'.repeat(4 << 20)], { environment: { X: 'x'.repeat(3 << 20) } }));
    await expect(together).rejects.toThrow(/^args must leave the event within/);
  });

  it('plans', async () => {
    const { map } = echo();
    expect(await map(['a', 'b']).plan()).toMatchObject({ bucket: '', objects: 2, bytes: undefined, billedMs: 1_000 });
    const once = map((function* () {})());
    await expect(once.plan()).rejects.toThrow(/^inputs must be an array.*Gather them first/);
  });

  it('folds its results into one', async () => {
    const { map } = echo();
    const run = map(['1', '2', '3']);
    expect(await run.reduce(async (sum, { value }) => sum + (value as number), 0)).toBe(6);
    expect(run.summary).toMatchObject({ complete: true, succeeded: 3 });
    const broken = map(['1', '2', '3'], { concurrency: 1 });
    const folding = broken.reduce(() => {
      throw new Error('no more');
    }, 0);
    await expect(folding).rejects.toThrow('no more');
    expect(broken.summary.complete).toBe(false);
  });

  it.each<[string, unknown]>([
    ['{"a": [1, 2]}\n', { a: [1, 2] }],
    ['42\n', 42],
    [' "text" ', 'text'],
    ['null', null],
    ['[1, 2', undefined],
    ['hello', undefined],
    ['1 2', undefined],
    ['', undefined],
    ['true\nfalse\n', undefined],
  ])('reads what a container prints: %j', async (printed, value) => {
    const [item] = await collect(echo(() => printed).map(['x']));
    expect(item?.value).toEqual(value);
    expect('value' in (item as InvocationResult)).toBe(value !== undefined);
  });

  it('takes no value from an output that was cut', async () => {
    const [item] = await collect(echo(() => ({ text: '42', bytes: 100_000 })).map(['x']));
    expect(item?.value).toBeUndefined();
    expectTypeOf(item?.index).toEqualTypeOf<number | undefined>();
  });
});
