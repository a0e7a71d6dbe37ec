import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { objectRecord, recordOrigin } from '../../../src/client/invocation.js';
import { type ChunkOptions, splitObject } from '../../../src/client/map/chunk.js';
import { type InvocationEvent, MAX_RESPONSE_BYTES } from '../../../src/contract/index.js';
import { busyboxImage, busyboxMissing } from '../../support/busybox.js';
import { FunctionBench, notification, supervisorMissing } from '../../support/function-bench.js';
import { containerLeftovers } from '../../support/leftovers.js';

const missing = supervisorMissing ?? busyboxMissing;
const answered = { version: 1 } as const;

describe.skipIf(missing)(`parts of objects, and many objects at once (${missing ?? 'runs'})`, () => {
  let bench: FunctionBench;

  beforeAll(async () => {
    bench = await FunctionBench.open();
    await bench.createBucket('data');
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  /** An event with all chunks of an object, as the client makes them. */
  async function split(key: string, text: string, options: ChunkOptions): Promise<InvocationEvent> {
    await bench.store.write({ bucket: 'data', key }, text);
    const { bytes, eTag } = await bench.store.head({ bucket: 'data', key });
    const records = [...splitObject({ bytes }, options)].map((chunk) =>
      objectRecord({ bucket: 'data', key, bytes, eTag, chunk }, recordOrigin('us-east-1')),
    );
    return { Records: records, scar: answered };
  }

  it('gives each chunk whole lines, tells the container which, and keeps its outputs apart', async () => {
    const script = `
      cp "$SCAR_INPUT_FILE" "$SCAR_OUTPUT_DIR/copy.txt"
      echo "$SCAR_CHUNK_INDEX/$SCAR_CHUNK_COUNT $SCAR_CHUNK_START-$SCAR_CHUNK_END $(basename "$SCAR_INPUT_FILE") $(wc -l < "$SCAR_INPUT_FILE")"`;
    const environment = await bench.start({ image: busyboxImage(), script });
    const lines = Array.from({ length: 1_000 }, (_, n) => `line ${n} ${'x'.repeat(n % 50)}\n`);
    const text = `${lines.join('')}${'y'.repeat(5_000)}\nthe end`;
    const event = await split('in/lines.csv', text, { bytes: 2_000 });
    const { outcomes } = await environment.invoke(event);
    expect(outcomes).toHaveLength(Math.ceil(text.length / 2_000));
    expect(outcomes.filter(({ status }) => status === 'failed')).toEqual([]);
    const ran = outcomes.filter(({ exitCode }) => exitCode === 0);
    const idle = outcomes.filter(({ exitCode }) => exitCode === null);
    // Only the long line is longer than a chunk.
    const long = text.indexOf('y');
    const inside = outcomes.map((_, n) => n).filter((n) => n * 2_000 > long && (n + 1) * 2_000 <= long + 5_001);
    const count = outcomes.length;
    expect(idle.map(({ input }) => input?.chunk)).toEqual(inside.map((index) => ({ index, count })));
    expect(inside.length).toBeGreaterThan(0);
    expect(environment.log).toContain(
      `scar: no line begins in chunk ${inside[0]} (of 0 to ${count - 1}) of s3://data/in/lines.csv: nothing to run`,
    );
    let position = 0;
    let counted = 0;
    for (const { input, stdout } of ran) {
      const { index, count, start, end } = input?.chunk ?? {};
      expect(start).toBe(position);
      position = end ?? 0;
      const content = text.slice(start, end);
      expect(content.endsWith('\n') || end === text.length).toBe(true);
      counted += content.split('\n').length - 1;
      expect(stdout.text).toBe(`${index}/${count} ${start}-${end} lines.csv ${content.split('\n').length - 1}\n`);
    }
    expect([position, counted]).toEqual([text.length, 1_001]);
    const copies = await bench.keys('data', 'output/copy.');
    expect(copies).toHaveLength(ran.length);
    expect(copies[0]).toBe('output/copy.part-00.txt');
    let joined = '';
    for (const copy of copies) joined += await bench.text('data', copy);
    expect(joined).toBe(text);
    expect(containerLeftovers(environment.tmp)).toEqual([]);
  });

  it('runs once on an object of 0 bytes and on one of 1, split or not', async () => {
    const environment = await bench.start({ image: busyboxImage(), script: 'wc -c < "$SCAR_INPUT_FILE"' });
    for (const text of ['', '\n']) {
      const event = await split('in/small', text, { bytes: 1, delimiter: '\r\n' });
      const { outcomes } = await environment.invoke(event);
      expect(outcomes).toMatchObject([{ status: 'succeeded', exitCode: 0, stdout: { text: `${text.length}\n` } }]);
      expect(outcomes[0]?.input?.chunk).toEqual({ index: 0, count: 1, start: 0, end: text.length });
    }
  });

  it('does not mix two objects', async () => {
    const environment = await bench.start({ image: busyboxImage(), script: 'cat "$SCAR_INPUT_FILE"' });
    const event = await split('in/changing', 'one\ntwo\n', { bytes: 4 });
    await bench.store.write({ bucket: 'data', key: 'in/changing' }, 'uno\ndue\n');
    const { outcomes } = await environment.invoke(event);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'failed', reason: 'stage-in', exitCode: null });
      expect(outcome).toHaveProperty('message', expect.stringContaining('it was replaced since'));
    }
    expect(outcomes).toHaveLength(2);
  });

  it('answers for every record when all write more than a response can have', async () => {
    const script =
      "head -c 20000 /dev/zero | tr '\\0' '\\033'; echo the end; head -c 20000 /dev/zero | tr '\\0' '\\033' >&2";
    const environment = await bench.start({ image: busyboxImage(), script, spec: { output: [] } });
    const keys = Array.from({ length: 110 }, (_, n) => `in/${n}`);
    for (const key of keys) await bench.store.write({ bucket: 'data', key }, 'x');
    const response = await environment.invoke(notification('data', keys, answered), { timeoutMs: 120_000 });
    expect(Buffer.byteLength(JSON.stringify(response))).toBeLessThanOrEqual(MAX_RESPONSE_BYTES);
    expect(response.outcomes.map(({ status, input }) => [status, input?.key])).toEqual(
      keys.map((key) => ['succeeded', key]),
    );
    for (const { stdout, stderr } of response.outcomes) {
      expect(stdout.text.replace(/^(\W)\1+/, '')).toBe('the end\n');
      expect([stdout.bytes, stderr.bytes]).toEqual([20_008, 20_000]);
    }
  });

  it('answers for every record when time runs out in the midst of them', async () => {
    const script = 'echo here; [ "$(cat "$SCAR_INPUT_FILE")" != slow ] || sleep 60';
    const environment = await bench.start({ image: busyboxImage(), script, spec: { output: [] } });
    const texts = { a: 'fast', b: 'slow', c: 'fast', d: 'fast', 'folder/': '' };
    for (const [key, text] of Object.entries(texts)) await bench.store.write({ bucket: 'data', key }, text);
    const event = notification('data', [...Object.keys(texts), 'none'], answered);
    await environment.invoke(notification('data', ['a'], answered)); // brings the image in
    const { outcomes } = await environment.invoke(event, { timeoutMs: 6_000 });
    const told = outcomes.map((outcome) => [
      outcome.input?.key,
      outcome.status === 'failed' ? outcome.reason : outcome.status,
      outcome.stdout.text,
    ]);
    expect(told).toEqual([
      ['a', 'succeeded', 'here\n'],
      ['b', 'timeout', 'here\n'],
      ['c', 'timeout', ''],
      ['d', 'timeout', ''],
      ['folder/', 'succeeded', ''],
      ['none', 'timeout', ''],
    ]);
    expect(outcomes[3]).toMatchObject({
      message: expect.stringContaining("before this was begun, with 3 of the event's records served before it"),
      timings: { pullMs: 0, stageInMs: 0, containerMs: 0, stageOutMs: 0 },
    });
  });
});
