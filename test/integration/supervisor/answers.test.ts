import { DeleteBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { InvocationResponse } from '../../../src/contract/index.js';
import { busyboxImage, busyboxMissing } from '../../support/busybox.js';
import { FunctionBench, notification, supervisorMissing } from '../../support/function-bench.js';
import { KILL_SUPERVISOR } from '../../support/kill-supervisor.js';

const missing = supervisorMissing ?? busyboxMissing;
const results = { bucket: 'data', prefix: 'answers/' };
/** Leaves an object for each run: its name says which input, and which request. */
const NOTE_RUN = 'echo > "$SCAR_OUTPUT_DIR/$(basename "$STORAGE_OBJECT_KEY")-$REQUEST_ID"\n';

describe.skipIf(missing)(`idempotency keys (${missing ?? 'in the built supervisor'})`, () => {
  let bench: FunctionBench;
  beforeAll(async () => {
    bench = await FunctionBench.open();
    await bench.createBucket('data');
    for (const name of ['a', 'b', 'c']) await bench.store.write({ bucket: 'data', key: `input/${name}` }, name);
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  /** An invocation of the objects `names`, each with a key of its own in the run. */
  const event = (run: string, names: readonly string[], more: object = {}) => {
    const idempotencyKeys = names.map((name) => `${run}-${name}`);
    const output = [{ bucket: 'data', prefix: `runs/${run}/` }];
    const keys = names.map((name) => `input/${name}`);
    return notification('data', keys, { version: 1, idempotencyKeys, output, ...more });
  };
  const runs = (run: string) => bench.keys('data', `runs/${run}/`);
  const answer = async (key: string) => JSON.parse(await bench.text('data', `answers/${key}`)) as InvocationResponse;

  it('are remembered by the environment', async () => {
    const environment = await bench.start({ image: busyboxImage(), script: NOTE_RUN });
    const first = await environment.invoke(event('memory', ['a', 'b']), { requestId: 'r1' });
    const second = await environment.invoke(event('memory', ['b', 'c']), { requestId: 'r2' });
    expect(second.outcomes[0]).toEqual({ ...first.outcomes[1], repeated: true });
    expect(second.outcomes[1]).not.toHaveProperty('repeated');
    expect(await runs('memory')).toEqual(['runs/memory/a-r1', 'runs/memory/b-r1', 'runs/memory/c-r2']);
    expect(environment.log).toContain('idempotency key memory-b was answered by request r1');
  });

  it('are known to every environment where there is a place for results', async () => {
    const start = () => bench.start({ image: busyboxImage(), script: NOTE_RUN });
    const first = await (await start()).invoke(event('shared', ['a'], { results }), { requestId: 'r1' });
    expect(await answer('shared-a')).toEqual(first);
    const second = await (await start()).invoke(event('shared', ['a'], { results }), { requestId: 'r2' });
    expect(second).toMatchObject({ requestId: 'r2', outcomes: [{ ...first.outcomes[0], repeated: true }] });
    expect(await runs('shared')).toEqual(['runs/shared/a-r1']);
  });

  it('let one of two run that come at the same time, and the other wait for its answer', async () => {
    const script = `${NOTE_RUN}sleep 1\n`;
    const [first, second] = await Promise.all([1, 2].map(() => bench.start({ image: busyboxImage(), script })));
    const replies = await Promise.all(
      [first, second].map((one, n) => one?.invoke(event('pair', ['a'], { results }), { requestId: `r${n}` })),
    );
    expect(await runs('pair')).toHaveLength(1);
    expect(replies.filter((reply) => reply?.outcomes[0]?.repeated)).toHaveLength(1);
  });

  it('after a death in the middle: what was answered stays, what had begun is lost, the rest runs', async () => {
    // The container ends its supervisor, as Lambda does when the memory of the environment is used up.
    const script = `${NOTE_RUN}if [ $REQUEST_ID = r1 ] && [ "$(cat $SCAR_INPUT_FILE)" = b ]; then ${KILL_SUPERVISOR}; fi\n`;
    const start = () => bench.start({ image: busyboxImage(), script });
    const all = event('death', ['a', 'b', 'c'], { results });
    // A short time, so that the claim is soon as old as nobody's can be that lives.
    const first = await start();
    await first.run({ args: ['true'] });
    await expect(first.invoke(all, { requestId: 'r1', timeoutMs: 6_000 })).rejects.toThrow('ended');
    expect(await bench.store.head({ bucket: 'data', key: 'answers/death-b' })).toMatchObject({ bytes: 0 });
    const { outcomes } = await (await start()).invoke(all, { requestId: 'r2', timeoutMs: 60_000 });
    expect(outcomes).toMatchObject([
      { status: 'succeeded', repeated: true },
      { status: 'failed', reason: 'lost', input: { key: 'input/b' } },
      { status: 'succeeded', outputs: [{ key: 'runs/death/c-r2' }] },
    ]);
    expect(await runs('death')).toEqual(['runs/death/a-r1', 'runs/death/c-r2']);
    expect(await answer('death-b')).toMatchObject({ requestId: 'r2', outcomes: [outcomes[1]] });
  });

  it('keep failures too, and failures to read a record', async () => {
    const environment = await bench.start({ image: busyboxImage(), script: 'exit 3' });
    const other = await bench.start({ image: busyboxImage(), script: 'exit 3' });
    const failing = event('failing', ['a', 'b'], { results });
    if (failing.Records?.[1]) failing.Records[1].eventName = 'ObjectRemoved:Delete';
    const { outcomes } = await environment.invoke(failing);
    expect(outcomes).toMatchObject([{ reason: 'exit', exitCode: 3 }, { reason: 'event' }]);
    const again = await other.invoke(failing);
    expect(again.outcomes).toEqual(outcomes.map((outcome) => ({ ...outcome, repeated: true })));
  });

  it('keep the answer of a container that used up its time', async () => {
    const environment = await bench.start({ image: busyboxImage(), script: `${NOTE_RUN}sleep 60\n` });
    await environment.run({ args: ['true'] });
    const reply = await environment.invoke(event('slow', ['a'], { results }), { requestId: 'r1', timeoutMs: 5_000 });
    expect(reply.outcomes).toMatchObject([{ reason: 'timeout', outputs: [{ key: 'runs/slow/a-r1' }] }]);
    expect(await answer('slow-a')).toEqual(reply);
  });

  it('fail the invocation when an answer could not be written, and write it when Lambda repeats it', async () => {
    const environment = await bench.start({ image: busyboxImage(), script: `${NOTE_RUN}echo ready\nsleep 2\n` });
    const place = { bucket: 'comes-and-goes', prefix: '' };
    const { store } = bench;
    await bench.createBucket(place.bucket);
    const first = environment.invoke(event('unkept', ['a'], { results: place }), { requestId: 'r1' });
    const refused = expect(first).rejects.toThrow(/could not be kept: .*there is no bucket "comes-and-goes"/);
    await vi.waitFor(() => expect(environment.log).toContain('ready'), 20_000);
    await store.delete({ bucket: place.bucket, key: 'unkept-a' });
    await bench.client.send(new DeleteBucketCommand({ Bucket: place.bucket }));
    await refused;
    await bench.createBucket(place.bucket);
    const { outcomes } = await environment.invoke(event('unkept', ['a'], { results: place }), { requestId: 'r1' });
    expect(outcomes).toMatchObject([{ status: 'succeeded', repeated: true }]);
    expect(await bench.text(place.bucket, 'unkept-a')).toContain('"succeeded"');
    expect(await runs('unkept')).toEqual(['runs/unkept/a-r1']);
  });

  it('fail the invocation when the event is refused: perhaps nobody reads the response', async () => {
    const environment = await bench.start({ image: busyboxImage(), script: NOTE_RUN });
    const broken = { scar: { version: 1, idempotencyKeys: ['a', 'b'], results } };
    await expect(environment.invoke(broken)).rejects.toThrow('each of 1 records; received 2');
  });
});
