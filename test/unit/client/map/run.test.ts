import { getEventListeners } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetFunctionConfigurationCommand, InvokeCommand } from '@aws-sdk/client-lambda';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { answer, response } from '../answers.js';
import { awsError } from '../fixtures.js';
import { aws, collect, hang, idle, names, turn } from '../mapped-bucket.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scar-run-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

/** A function that answers for each record of its event. */
function batched(objects: string[]) {
  const bucket = aws({ objects });
  bucket.lambda.on(InvokeCommand).callsFake(async (input) => {
    const { Records } = JSON.parse(Buffer.from(input.Payload).toString());
    await turn();
    const [outcome] = response().outcomes;
    return answer(response({ outcomes: Records.map(() => outcome) }));
  });
  return bucket;
}

/** Writes to files fail after so many. */
async function failingWrites(after: number) {
  const handle = await open(join(folder, 'any'), 'w');
  await handle.close();
  const { write } = Object.getPrototypeOf(handle);
  let written = 0;
  vi.spyOn(Object.getPrototypeOf(handle), 'write').mockImplementation(function (this: unknown, ...args) {
    if (written++ < after) return write.apply(this, args);
    return Promise.reject(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }));
  });
}

describe('a run', () => {
  it('gives each result once to several who ask at once', async () => {
    const run = batched(names(50)).map({ concurrency: 3, batch: { items: 7 } });
    const results = run[Symbol.asyncIterator]();
    const keys: string[] = [];
    const worker = async (pauses: number) => {
      for (let next = await results.next(); !next.done; next = await results.next()) {
        keys.push(next.value.key);
        for (let n = 0; n < pauses; n++) await turn();
      }
    };
    await Promise.all([worker(0), worker(3), worker(20)]);
    expect(keys.toSorted()).toEqual(names(50));
  });

  it('keeps to a concurrency that is set while it prepares itself', async () => {
    for (const turns of [0, 1, 2, 3]) {
      const { map, behaviour, inFlight, lambda } = aws({ objects: names(20) });
      lambda.on(GetFunctionConfigurationCommand).callsFake(async () => {
        for (let n = 0; n < 4; n++) await turn();
        return { FunctionName: 'gray', MemorySize: 1024, State: 'Active' };
      });
      behaviour.invoke = async () => turn().then(() => answer(response()));
      const run = map({ concurrency: 6 });
      const collected = collect(run);
      for (let n = 0; n < turns; n++) await turn();
      expect(await run.setConcurrency(2)).toBe(2);
      await collected;
      expect(inFlight.most, `${turns} turns`).toBe(2);
    }
  });

  it('says that it is over also where it never began, and listens to nobody before and after', async () => {
    const abort = new AbortController();
    const { map, context } = aws({ objects: names(3) });
    const endings: (() => Promise<unknown>)[] = [];
    const ended: boolean[] = [];
    for (let n = 0; n < 3; n++) {
      const run = map({ signal: n === 0 ? AbortSignal.abort(new Error('before')) : abort.signal });
      run.on('end', ({ complete }) => ended.push(complete));
      if (n === 0) endings.push(() => expect(collect(run)).rejects.toThrow('before'));
      if (n === 1) endings.push(() => run.cancel());
      if (n === 1) endings.push(() => expect(collect(run)).rejects.toMatchObject({ code: 'aborted' }));
      if (n === 2) endings.push(async () => run[Symbol.asyncIterator]().return?.());
      if (n > 0) await run.plan();
    }
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);
    for (const end of endings) await end();
    expect(ended).toEqual([false, false, false]);
    for (const signal of [abort.signal, context.closing]) expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});

describe('a run whose listener throws', () => {
  const broken = () => {
    throw new Error('in a listener');
  };

  it.each(['progress', 'result', 'end'] as const)('to %s ends with its error', async (event) => {
    const run = aws({ objects: names(5) }).map({ concurrency: 1 });
    run.on(event, broken);
    await expect(collect(run)).rejects.toThrow('in a listener');
  });

  it('ends with its error where it was ended in peace before', async () => {
    const run = aws({ objects: names(50) }).map({ concurrency: 1, completion: { minSuccessful: 2 } });
    run.on('end', broken);
    await expect(collect(run)).rejects.toThrow('in a listener');
  });

  it('may be cancelled all the same', async () => {
    const { map, behaviour } = aws({ objects: names(5) });
    behaviour.invoke = hang;
    const run = map({ concurrency: 2 });
    run.on('warning', broken);
    const collected = collect(run).catch((error: Error) => error.message);
    await idle();
    await run.cancel();
    expect(await collected).toMatch(/cancelled|in a listener/);
  });
});

describe('a run whose journal cannot be written to', () => {
  it('gives no result that is not there', async () => {
    for (const batch of [undefined, { items: 4 }]) {
      await failingWrites(3);
      const run = batched(names(40)).map({ journal: folder, concurrency: 2, ...(batch && { batch }) });
      const given: string[] = [];
      const reading = (async () => {
        for await (const { key } of run) given.push(key);
      })();
      await expect(reading).rejects.toMatchObject({ code: 'journal' });
      vi.restoreAllMocks();
      const lines = readFileSync(join(folder, `${run.runId}.jsonl`), 'utf8')
        .trimEnd()
        .split('\n')
        .slice(1);
      const kept = lines.map((line) => JSON.parse(line).item.key);
      expect(kept).toEqual(expect.arrayContaining(given));
      expect(given.length).toBeLessThan(40);
    }
  });

  it('ends with that error when it is the last line, of a journal in a bucket', async () => {
    const { map, s3 } = aws({ objects: names(4) });
    s3.on(PutObjectCommand)
      .resolvesOnce({ ETag: '"1"' })
      .rejects(awsError('NoSuchBucket', 'The specified bucket does not exist', {}, 404));
    const run = map({ journal: { bucket: 'journals' } });
    await expect(collect(run)).rejects.toMatchObject({ code: 'bucket-not-found' });
  });
});

describe('a run that goes on', () => {
  it('is over at once where its earlier results decide that', async () => {
    for (const completion of [{ minSuccessful: 3 }, { toleratedFailureCount: 2 }]) {
      const { map, resume, behaviour, invoked } = aws({ objects: names(30) });
      if (completion.toleratedFailureCount !== undefined) {
        const failed = { ...response().outcomes[0], status: 'failed', reason: 'exit', exitCode: 1, message: 'no' };
        behaviour.invoke = async () => answer(response({ outcomes: [failed as never] }));
      }
      const run = map({ journal: folder, concurrency: 1, completion });
      const ending = await collect(run).catch((error: { code: string }) => error.code);
      const before = invoked();
      expect(before).toBe(3);
      const again = await collect(resume(run.runId, { journal: folder })).catch(
        (error: { code: string }) => error.code,
      );
      if (Array.isArray(ending)) expect(again).toHaveLength(3);
      else expect([ending, again]).toEqual(['map-failed', 'map-failed']);
      expect(invoked()).toBe(before);
    }
  });
});
