import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { HeadObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { MapItem } from '../../../src/client/map/item.js';
import type { S3EventRecord } from '../../../src/contract/index.js';
import { answer, response } from './answers.js';
import { aws, collect, names } from './mapped-bucket.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scar-divided-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A function that answers for each record; those whose key matches fail. */
function divided(objects: string[] | Record<string, number>) {
  const bucket = aws({ objects });
  const state = { failing: /^$/ };
  const events: { Records: S3EventRecord[]; scar: { idempotencyKeys: string[] } }[] = [];
  bucket.lambda.on(InvokeCommand).callsFake(async (input) => {
    const event = JSON.parse(Buffer.from(input.Payload).toString());
    events.push(event);
    const [outcome] = response().outcomes;
    const outcomes = event.Records.map((record: S3EventRecord) => {
      const { key } = record.s3.object;
      const { chunk } = record.scar ?? {};
      const own = { ...outcome, input: { bucket: 'photos', key, ...(chunk && { chunk }) } };
      if (!state.failing.test(`${key}@${chunk?.index ?? ''}`)) return own;
      return { ...own, status: 'failed', reason: 'exit', exitCode: 1, message: 'no' };
    });
    return answer(response({ outcomes, requestId: `r-${events.length}` }));
  });
  return { ...bucket, state, events };
}

describe('a map in batches', () => {
  it('gives one invocation several objects, and each its own result, key and share of the bill', async () => {
    const { map, events, state } = divided(names(10));
    state.failing = /0003/;
    const run = map({ batch: { items: 4 } });
    const items = await collect(run);
    expect(items.map(({ key }) => key).toSorted()).toEqual(names(10));
    expect(events.map(({ Records }) => Records.length)).toEqual([4, 4, 2]);
    expect(events[0]?.scar.idempotencyKeys).toHaveLength(4);
    expect(items.filter(({ status }) => status === 'failed').map(({ key }) => key)).toEqual(['in/0003.jpg']);
    expect(items[0]?.billedMs).toBe(25);
    expect(run.summary).toMatchObject({ complete: true, succeeded: 9, failed: 1, attempts: 3, billedMs: 300 });
  });

  it('runs again only what failed, under a key of its own', async () => {
    const { map, events, state } = divided(names(4));
    state.failing = /000[12]/;
    const run = map({ batch: { items: 4 }, retry: { failures: 1 } });
    const items = await collect(run);
    expect(items).toHaveLength(4);
    expect(events.map(({ Records }) => Records.length)).toEqual([4, 2]);
    const [first, second] = events.map(({ scar }) => scar.idempotencyKeys);
    expect(new Set([...(first ?? []), ...(second ?? [])]).size).toBe(6);
    expect(items.map(({ attempts }) => attempts).toSorted()).toEqual([1, 1, 2, 2]);
  });

  it('fails all of a batch whose invocation fails', async () => {
    const { map, lambda } = divided(names(3));
    lambda
      .on(InvokeCommand)
      .resolves(answer('{"errorMessage":"boom","errorType":"Error"}', { functionError: 'Unhandled' }));
    const run = map({ batch: { items: 3 } });
    const items = await collect(run);
    expect(items.map(({ reason }) => reason)).toEqual(Array(3).fill('function-error'));
    expect(run.summary).toMatchObject({ complete: true, failed: 3 });
  });

  it('says so where an answer has fewer outcomes than the event had records', async () => {
    const { map, lambda } = divided(names(3));
    lambda.on(InvokeCommand).resolves(answer(response()));
    const items = await collect(map({ batch: { items: 3 } }));
    expect(items.map(({ status }) => status)).toEqual(['succeeded', 'failed', 'failed']);
    expect(items[1]?.error?.message).toContain('with 3 outcomes');
  });
});

describe('the journal of a map in batches', () => {
  const linesOf = (runId: string) =>
    readFileSync(join(folder, `${runId}.jsonl`), 'utf8')
      .trimEnd()
      .split('\n');

  /** Watches the writes to all files, which go on as ever. */
  async function watchedWrites() {
    const handle = await open(join(folder, 'any'), 'w');
    await handle.close();
    return vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, 'write');
  }

  it('is written to once for all results of an invocation, before any is given', async () => {
    const { map, state } = divided(names(100));
    state.failing = /00[1-4]3/;
    const writes = await watchedWrites();
    const run = map({ batch: { items: 100 }, journal: folder });
    const told: [key: string, lines: number][] = [];
    run.on('result', ({ key }) => told.push([key, linesOf(run.runId).length]));
    const items = await collect(run);
    // The head, and all the results.
    expect(writes).toHaveBeenCalledTimes(2);
    writes.mockRestore();
    expect(told).toEqual(names(100).map((key) => [key, 101]));
    expect(items.map(({ key }) => key)).toEqual(names(100));
    expect(run.summary).toMatchObject({ complete: true, succeeded: 96, failed: 4 });
  });

  it('has what came before the retries before these are sent', async () => {
    const { map, state, lambda } = divided(names(4));
    state.failing = /0002/;
    const run = map({ batch: { items: 4 }, journal: folder, retry: { failures: 1 } });
    const sent: number[] = [];
    run.on('result', () => sent.push(lambda.commandCalls(InvokeCommand).length));
    await collect(run);
    expect(sent).toEqual([1, 1, 1, 2]);
    expect(linesOf(run.runId)).toHaveLength(5);
  });

  it('has who goes on count each invocation once', async () => {
    const { map, resume } = divided(names(12));
    const run = map({ batch: { items: 4 }, journal: folder });
    await collect(run);
    expect(run.summary).toMatchObject({ attempts: 3, succeeded: 12 });
    const again = resume(run.runId, { journal: folder });
    await collect(again);
    expect(again.summary).toMatchObject({ attempts: 3, replayed: 12, costUsd: run.summary.costUsd });
  });

  it('has all results of the invocation that ends the run', async () => {
    const { map, state } = divided(names(20));
    state.failing = /000[13]/;
    const run = map({
      batch: { items: 10 },
      concurrency: 1,
      journal: folder,
      completion: { toleratedFailureCount: 1 },
    });
    await expect(collect(run)).rejects.toMatchObject({ code: 'map-failed' });
    expect(linesOf(run.runId)).toHaveLength(11);
    expect(run.summary).toMatchObject({ succeeded: 8, failed: 2, complete: false });
  });
});

/** Chunks of an object that is another one in the bucket by then fail, as the supervisor's condition has it. */
describe('a map in chunks of an object that is replaced between its sittings', () => {
  const key = 'in/a.csv';

  /** What S3 has, and what of it was run: `content/start-end`. */
  function replaceable() {
    const bucket = aws({ objects: [] });
    const state: { eTag: string; bytes: number; isThere: boolean; isDown: boolean } = {
      eTag: 'old',
      bytes: 30,
      isThere: true,
      isDown: false,
    };
    const ran: string[] = [];
    const sent: string[] = [];
    bucket.s3.on(ListObjectsV2Command).callsFake(() => ({
      Contents: state.isThere ? [{ Key: key, Size: state.bytes, ETag: `"${state.eTag}"` }] : [],
    }));
    bucket.s3.on(HeadObjectCommand).callsFake(() => ({ ContentLength: state.bytes, ETag: `"${state.eTag}"` }));
    bucket.lambda.on(InvokeCommand).callsFake(async (input) => {
      const event = JSON.parse(Buffer.from(input.Payload).toString());
      sent.push(event.scar.idempotencyKeys[0]);
      const [{ s3, scar }] = event.Records as [S3EventRecord];
      const chunk = scar?.chunk as NonNullable<typeof scar>['chunk'] & object;
      const [outcome] = response().outcomes;
      const own = { ...outcome, input: { bucket: 'photos', key, chunk: { index: chunk.index, count: chunk.count } } };
      const isSame = state.isThere && s3.object.eTag === state.eTag;
      if (isSame && !state.isDown) ran.push(`${state.eTag}/${chunk.start}-${chunk.end} of ${s3.object.size}`);
      const failed = { ...own, status: 'failed', reason: 'stage-in', message: 'no', exitCode: null };
      const requestId = `r-${sent.length}`;
      return answer(response({ outcomes: [isSame && !state.isDown ? own : failed] as never, requestId }));
    });
    return { ...bucket, state, ran, sent };
  }

  const told = (items: readonly MapItem[]) =>
    items.map(({ input, status }) => `${input?.chunk?.index} of ${input?.chunk?.count} ${status}`).toSorted();

  it.each([undefined, [key, key]])('fails in those that are left, of the keys %j', async (keys) => {
    const { map, resume, state, ran } = replaceable();
    const list = keys && { keys };
    const run = map({ chunk: { bytes: 10 }, journal: folder, concurrency: 1, ...list });
    for await (const _ of run) break;
    const before = ran.length;
    expect(before).toBeLessThan(3);
    state.eTag = 'new';
    state.bytes = 70;
    const rest = resume(run.runId, { journal: folder, ...list });
    const items = (await collect(rest)).slice(0, 3);
    expect(told(items)).toEqual([0, 1, 2].map((index) => `${index} of 3 ${index < before ? 'succeeded' : 'failed'}`));
    expect(new Set(items.filter(({ status }) => status === 'failed').map(({ reason }) => reason))).toEqual(
      new Set(['stage-in']),
    );
    // The second place in the list had no result: it is an object of its own, and split as it is now.
    expect(ran.slice(before).every((one) => one.startsWith('new/') && one.endsWith('of 70'))).toBe(true);
    expect(ran).toHaveLength(before + (keys ? 7 : 0));
    expect(rest.summary.complete).toBe(true);
  });

  it('does not run again those that failed', async () => {
    const { map, resume, state, ran } = replaceable();
    state.isDown = true;
    const run = map({ chunk: { bytes: 10 }, journal: folder });
    await collect(run);
    state.isDown = false;
    state.eTag = 'new';
    state.bytes = 70;
    const retried = resume(run.runId, { journal: folder, retryFailed: true });
    expect(told(await collect(retried))).toEqual([0, 1, 2].map((index) => `${index} of 3 failed`));
    expect(ran).toEqual([]);
    // Had it come back as it was, they would run.
    state.eTag = 'old';
    state.bytes = 30;
    const again = resume(run.runId, { journal: folder, retryFailed: true });
    expect(told(await collect(again))).toEqual([0, 1, 2].map((index) => `${index} of 3 succeeded`));
    expect(ran.toSorted()).toEqual(['old/0-10 of 30', 'old/10-20 of 30', 'old/20-30 of 30']);
  });

  it('misses none of one that was deleted', async () => {
    const { map, resume, state, ran } = replaceable();
    const run = map({ chunk: { bytes: 10 }, journal: folder, concurrency: 1 });
    for await (const _ of run) break;
    const before = ran.length;
    state.isThere = false;
    const items = await collect(resume(run.runId, { journal: folder }));
    expect(told(items)).toEqual([0, 1, 2].map((index) => `${index} of 3 ${index < before ? 'succeeded' : 'failed'}`));
  });

  it('asks for no answer of the old one under the new', async () => {
    const { map, resume, state, sent } = replaceable();
    const run = map({ chunk: { bytes: 100 }, journal: folder });
    await collect(run);
    // As if the process had been killed before the result was written.
    const file = join(folder, `${run.runId}.jsonl`);
    writeFileSync(file, `${readFileSync(file, 'utf8').split('\n')[0]}\n`);
    await collect(resume(run.runId, { journal: folder }));
    expect(sent).toHaveLength(2);
    expect(new Set(sent).size).toBe(1);
    writeFileSync(file, `${readFileSync(file, 'utf8').split('\n')[0]}\n`);
    state.eTag = 'new';
    expect(told(await collect(resume(run.runId, { journal: folder })))).toEqual(['0 of 1 succeeded']);
    expect(new Set(sent).size).toBe(2);
  });
});

describe('a map in chunks', () => {
  it('gives each chunk a result, resumes the ones that are left, and runs again the ones that failed', async () => {
    const bucket = divided({ 'in/a.csv': 95, 'in/b.csv': 10, 'in/c.csv': 0 });
    bucket.state.failing = /a\.csv@[37]/;
    const run = bucket.map({ chunk: { bytes: 10 }, journal: folder, concurrency: 2, limit: 3 });
    for await (const _ of run) break;
    const rest = bucket.resume(run.runId, { journal: folder });
    const items = await collect(rest);
    expect(items).toHaveLength(12);
    expect(items.map(({ key, input }) => `${key}@${input?.chunk?.index}`).toSorted()).toEqual(
      [...Array.from({ length: 10 }, (_, n) => `in/a.csv@${n}`), 'in/b.csv@0', 'in/c.csv@0'].toSorted(),
    );
    expect(rest.summary).toMatchObject({ complete: true, listed: 12, succeeded: 10, failed: 2 });
    expect(new Set(bucket.events.flatMap(({ scar }) => scar.idempotencyKeys)).size).toBe(12);

    bucket.state.failing = /a\.csv@3/;
    bucket.events.length = 0;
    const retried = bucket.resume(run.runId, { journal: folder, retryFailed: true });
    expect(await collect(retried)).toHaveLength(12);
    expect(bucket.events.map(({ Records }) => Records[0]?.scar?.chunk?.index).toSorted()).toEqual([3, 7]);
    expect(bucket.events[0]?.Records[0]?.s3.object).toMatchObject({ eTag: 'etag', size: 95 });
    expect(retried.summary).toMatchObject({ complete: true, succeeded: 11, failed: 1 });
  });

  it.each([undefined, ';', new Uint8Array([0xff, 0x00])])('resumes with the delimiter %j', async (delimiter) => {
    const bucket = divided({ 'in/a.csv': 95 });
    const chunk = delimiter === undefined ? { bytes: 10 } : { bytes: 10, delimiter };
    const run = bucket.map({ chunk, journal: folder, concurrency: 1 });
    for await (const _ of run) break;
    const sent = bucket.events[0]?.Records[0]?.scar?.chunk?.delimiter;
    expect(await collect(bucket.resume(run.runId, { journal: folder }))).toHaveLength(10);
    for (const { Records } of bucket.events) expect(Records[0]?.scar?.chunk?.delimiter).toEqual(sent);
  });

  it('keeps the result of a failure that is not there any more', async () => {
    const bucket = divided(names(3));
    bucket.state.failing = /0001/;
    const run = bucket.map({ journal: folder });
    await collect(run);
    const later = divided(['in/0000.jpg', 'in/0002.jpg']);
    const retried = later.resume(run.runId, { journal: folder, retryFailed: true });
    const items = await collect(retried);
    expect(items.map(({ key, status }) => [key, status]).toSorted()).toEqual([
      ['in/0000.jpg', 'succeeded'],
      ['in/0001.jpg', 'failed'],
      ['in/0002.jpg', 'succeeded'],
    ]);
    expect(later.events).toEqual([]);
  });

  it('plans chunks and batches', async () => {
    const { map } = divided({ 'in/a.csv': 95, 'in/b.csv': 10, 'in/c.csv': 0 });
    expect(await map({ chunk: { bytes: 10 } }).plan()).toMatchObject({
      objects: 3,
      items: 12,
      invocations: 12,
      bytes: 105,
    });
    expect(await map({ batch: { items: 2 } }).plan()).toMatchObject({ objects: 3, items: 3, invocations: 2 });
  });
});

describe('mode async', () => {
  it.each([
    [{ mode: 'async' }, /^results must say where answers are kept/],
    [{ mode: 'later' }, /^mode must be sync or async/],
    [{ queueLimit: 5 }, /^queueLimit must come with mode async/],
    [{ mode: 'async', results: { bucket: 'results' }, journal: 'runs' }, /^journal must not come with mode async/],
    [{ results: { bucket: 'X' } }, /^results\.bucket must/],
  ])('refuses %j', (options, message) => {
    expect(() => divided([]).map(options as never)).toThrow(message);
  });
});
