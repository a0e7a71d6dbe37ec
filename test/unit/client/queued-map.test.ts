import { InvokeCommand } from '@aws-sdk/client-lambda';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MapItem } from '../../../src/client/map/item.js';
import { mapOverBucket } from '../../../src/client/map-over-bucket.js';
import { type S3Engine, startS3Engine } from '../../support/s3-engine.js';
import { answer, response } from './answers.js';
import { collect, names } from './mapped-bucket.js';
import { queuedBucket } from './queued-bucket.js';

const [first, second, third] = names(3) as [string, string, string];
/** In the order of their keys: `key status`. */
const told = (items: readonly MapItem[]) => items.map(({ key, status }) => `${key} ${status}`).toSorted();

let s3: S3Engine;
beforeAll(async () => {
  s3 = await startS3Engine();
});
afterAll(async () => {
  expect(s3.failures).toEqual([]);
  await s3.close();
});

describe('the bill of an asynchronous run', () => {
  it('is said to be unknown, by who sent it and by who looks on', async () => {
    const { map, attach, ran } = await queuedBucket(s3, names(4));
    const run = map();
    const items = await collect(run);
    expect(ran).toHaveLength(4);
    expect(items.every((item) => item.billedMs === undefined && item.timings.containerMs >= 0)).toBe(true);
    expect(run.summary).toMatchObject({ complete: true, succeeded: 4, withoutBill: 4, billedMs: 0, gbSeconds: 0 });
    expect(run.summary.costUsd).toMatchObject({ compute: 0, requests: expect.closeTo(4 * 2e-7) });

    const attached = attach(run.runId);
    const progress: number[] = [];
    attached.on('progress', ({ withoutBill }) => progress.push(withoutBill));
    expect(await collect(attached)).toHaveLength(4);
    expect(attached.summary).toMatchObject({ complete: true, withoutBill: 4, costUsd: { total: 0 } });
    expect(progress.at(-1)).toBe(4);
  });
});

describe('resumeMap of an asynchronous run with retryFailed', () => {
  it('runs just the failures again, under new keys, and whoever comes later finds what came of it', async () => {
    const { map, resume, attach, state, sent, ran } = await queuedBucket(s3, names(3));
    state.failing = /0001/;
    const run = map();
    expect(told(await collect(run))).toEqual([`${first} succeeded`, `${second} failed`, `${third} succeeded`]);
    const [, failedKey] = sent.find(([object]) => object === second) as [string, string];
    expect(failedKey).toMatch(/^\d{10}-1$/);

    const again = resume(run.runId, { retryFailed: true });
    expect(told(await collect(again))).toEqual([`${first} succeeded`, `${second} failed`, `${third} succeeded`]);
    expect(sent.slice(3)).toEqual([[second, failedKey.replace(/1$/, '2')]]);
    expect(again.summary).toMatchObject({ complete: true, listed: 3, succeeded: 2, failed: 1, attempts: 1 });

    state.failing = /^$/;
    const last = resume(run.runId, { retryFailed: true });
    const items = await collect(last);
    expect(told(items)).toEqual(names(3).map((key) => `${key} succeeded`));
    expect(sent.slice(4)).toEqual([[second, failedKey.replace(/1$/, '3')]]);
    expect(ran).toHaveLength(5);

    for (const later of [attach(run.runId), resume(run.runId), resume(run.runId, { retryFailed: true })]) {
      expect(told(await collect(later))).toEqual(told(items));
      expect(later.summary).toMatchObject({ complete: true, succeeded: 3, attempts: 0 });
    }
    expect(sent).toHaveLength(5);
  });

  it('goes on behind the retries that the run had, with as many more', async () => {
    const { map, resume, attach, state, sent } = await queuedBucket(s3, [first]);
    state.failing = /0000/;
    const run = map({ retry: { failures: 1 } });
    await collect(run);
    const executions = () => sent.map(([, key]) => key.slice(11));
    expect(executions()).toEqual(['1', '2']);
    await collect(resume(run.runId, { retryFailed: true }));
    expect(executions()).toEqual(['1', '2', '3', '4']);
    // Who looks on sends nothing that was sent before, and finds no reason to go on.
    expect(told(await collect(attach(run.runId)))).toEqual([`${first} failed`]);
    expect(executions()).toEqual(['1', '2', '3', '4']);
  });

  it('needs no list of the keys that the run had', async () => {
    const { map, resume, state, sent } = await queuedBucket(s3, names(5));
    state.failing = /0001/;
    const run = map({ keys: names(3) });
    await collect(run);
    state.failing = /^$/;
    const again = resume(run.runId, { retryFailed: true });
    const totals: (number | undefined)[] = [];
    again.on('progress', ({ total }) => totals.push(total));
    expect(told(await collect(again))).toEqual(names(3).map((key) => `${key} succeeded`));
    expect(totals.filter((total) => total !== undefined && total !== 3)).toEqual([]);
    expect(sent).toHaveLength(4);
    await expect(resume(run.runId, { retryFailed: true }).plan()).rejects.toThrow(/^keys must be given again/);
    await expect(collect(resume(run.runId))).rejects.toThrow(/^keys must be given again/);
  });

  it('says that all is sent when the retries are', async () => {
    const { map, resume, attach, state, sent } = await queuedBucket(s3, names(3));
    state.failing = /000[02]/;
    const run = map();
    await collect(run);
    state.failing = /^$/;
    const again = resume(run.runId, { retryFailed: true });
    const said: [events: number, sent: number][] = [];
    again.on('sent', (events) => said.push([events, sent.length]));
    await collect(again);
    expect(said).toEqual([[3, 5]]);
    expect(told(await collect(attach(run.runId)))).toEqual(names(3).map((key) => `${key} succeeded`));
  });

  it('is refused while not all is sent, and may follow when it is', async () => {
    const { map, resume, state, journal } = await queuedBucket(s3, names(20));
    state.failing = /0007/;
    const run = map({ queueLimit: 2 });
    for await (const _ of run) break;
    expect((await journal(run.runId)).some((line) => 'sent' in line)).toBe(false);
    const early = collect(resume(run.runId, { retryFailed: true }));
    await expect(early).rejects.toThrow(/^retryFailed must come when all events of an asynchronous run are sent/);
    expect(await collect(resume(run.runId))).toHaveLength(20);
    state.failing = /^$/;
    const again = resume(run.runId, { retryFailed: true });
    expect(await collect(again)).toHaveLength(20);
    expect(again.summary).toMatchObject({ complete: true, succeeded: 20, attempts: 1 });
  });
});

describe('resumeMap of an asynchronous run with a limit', () => {
  it('counts first what was sent', async () => {
    const { bucket, map, resume, sent } = await queuedBucket(s3, names(4));
    const run = map({ limit: 2 });
    await collect(run);
    await s3.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: first }));
    const rest = resume(run.runId);
    expect(told(await collect(rest))).toEqual([`${first} succeeded`, `${second} succeeded`]);
    expect(rest.summary).toMatchObject({ complete: true, listed: 2 });
    expect(sent).toHaveLength(2);
  });
});

describe('resumeMap of an asynchronous run in chunks', () => {
  it('splits as it was what was planned in part, whatever is there now', async () => {
    const { bucket, map, resume, journal, sent } = await queuedBucket(s3, []);
    const put = (bytes: number) =>
      s3.client.send(new PutObjectCommand({ Bucket: bucket, Key: first, Body: 'x'.repeat(bytes) }));
    await put(150);
    const run = map({ chunk: { bytes: 1 }, queueLimit: 2 });
    for await (const _ of run) break;
    const planned = async () => (await journal(run.runId)).flatMap((line) => ('number' in line ? [line.object] : []));
    const before = await planned();
    expect(before).toHaveLength(100);
    await put(200);
    const rest = resume(run.runId);
    expect(await collect(rest)).toHaveLength(150);
    const after = await planned();
    expect(after.map(({ chunk }) => chunk?.index)).toEqual(Array.from({ length: 150 }, (_, index) => index));
    expect(new Set(after.map(({ eTag, chunk }) => `${eTag} ${chunk?.count}`))).toEqual(
      new Set([`${before[0]?.eTag} 150`]),
    );
    expect(new Set(sent.map(([, key]) => key)).size).toBe(150);
  });
});

describe('an asynchronous run that its completion ends', () => {
  it('does not say that all is sent, so that what is left can be', async () => {
    const { map, journal } = await queuedBucket(s3, names(20));
    const run = map({ queueLimit: 1, completion: { minSuccessful: 2 } });
    let said = false;
    run.on('sent', () => {
      said = true;
    });
    await collect(run);
    expect(said).toBe(false);
    expect((await journal(run.runId)).filter((line) => 'sent' in line)).toEqual([]);
    expect(run.summary).toMatchObject({ complete: false, succeeded: 2 });
  });
});

describe('attachMap to a run that is not asynchronous', () => {
  it('says so at once, and to who plans it too', async () => {
    const { context, attach, bucket, results } = await queuedBucket(s3, []);
    const run = mapOverBucket(context, 'gray', { bucket, journal: results });
    await collect(run);
    const message = /^runId must be the ID of a run of mode async; received "one of mode sync"\..*resumeMap\('/;
    await expect(collect(attach(run.runId))).rejects.toThrow(message);
    await expect(attach(run.runId).plan()).rejects.toThrow(message);
  });
});

describe('a run that keeps its journal and answers in the bucket that it maps', () => {
  /** What somebody else keeps below the same prefix, and what an earlier run has left there. */
  const own = 'scar-runs/notes.txt';
  const earlier = 'scar-runs/20261128-174501-3f09a1b2c4/answers/0000000000-1';
  const all = [...names(3), own].toSorted();
  const keysOf = (items: readonly MapItem[]) => items.map(({ key }) => key).toSorted();

  it('works on neither in mode async, however often it is resumed', async () => {
    const { bucket, map, resume, attach, ran } = await queuedBucket(s3, [...all, earlier]);
    const results = { bucket };
    const run = map({ results });
    expect(keysOf(await collect(run))).toEqual(all);
    expect(run.summary).toMatchObject({ complete: true, listed: 4, skipped: 0 });
    for (const later of [
      resume(run.runId, { journal: results }),
      resume(run.runId, { journal: results, retryFailed: true }),
      attach(run.runId, { results }),
    ]) {
      expect(await later.plan()).toMatchObject({ objects: 4, skipped: 0 });
      const totals = new Set<number | undefined>();
      later.on('progress', ({ total }) => totals.add(total));
      expect(keysOf(await collect(later))).toEqual(all);
      expect(later.summary).toMatchObject({ complete: true, listed: 4, skipped: 0 });
      totals.delete(undefined);
      expect([...totals]).toEqual([4]);
    }
    expect(ran).toHaveLength(4);
  });

  it('works on neither in mode sync', async () => {
    const { bucket, context, lambda, resume } = await queuedBucket(s3, [...all, earlier]);
    lambda.on(InvokeCommand).callsFake(async () => answer(response()));
    const journal = { bucket, prefix: 'runs/' };
    // Another place's runs are objects as others are.
    await s3.client.send(new PutObjectCommand({ Bucket: bucket, Key: earlier.replace('scar-', ''), Body: '' }));
    const run = mapOverBucket(context, 'gray', { bucket, journal });
    expect(keysOf(await collect(run))).toEqual([...all, earlier].toSorted());
    const rest = resume(run.runId, { journal });
    expect(await rest.plan()).toMatchObject({ objects: 5, skipped: 0 });
    expect(await collect(rest)).toHaveLength(5);
    expect(rest.summary).toMatchObject({ complete: true, listed: 5, replayed: 5 });
  });
});
