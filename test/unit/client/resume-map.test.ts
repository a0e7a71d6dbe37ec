import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MapItem } from '../../../src/client/map/item.js';
import { MapJournal } from '../../../src/client/map/journal/journal.js';
import type { JournalStore } from '../../../src/client/map/journal/store.js';
import type { MapRun } from '../../../src/client/map/run.js';
import { answer, response } from './answers.js';
import { awsError } from './fixtures.js';
import { aws, collect, hang, names } from './mapped-bucket.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scar-journal-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const keysOf = (items: readonly MapItem[]) => items.map((item) => item.key).toSorted();
const journalOf = (run: MapRun) => join(folder, `${run.runId}.jsonl`);
const lines = (file: string) => readFileSync(file, 'utf8').trimEnd().split('\n');

/** Leaves the loop after so many results. */
async function take(run: MapRun, count: number): Promise<MapItem[]> {
  const items: MapItem[] = [];
  for await (const item of run) if (items.push(item) === count) break;
  return items;
}

function eventsOf({ lambda }: ReturnType<typeof aws>) {
  return lambda
    .commandCalls(InvokeCommand)
    .map(({ args }) => JSON.parse(Buffer.from(args[0].input.Payload as Buffer).toString()));
}

/** What the supervisor answers when the container's exit code was 1. */
function failure() {
  const [outcome] = response().outcomes;
  return answer(
    response({ outcomes: [{ ...outcome, status: 'failed', reason: 'exit', message: 'no', exitCode: 1 } as never] }),
  );
}

describe('resumeMap', () => {
  it('gives every result once, and runs only what has none', async () => {
    const bucket = aws({ objects: names(1_234) });
    const run = bucket.map({ journal: folder, concurrency: 16 });
    await take(run, 500);
    const ran = lines(journalOf(run)).length - 1;
    expect(ran).toBeGreaterThanOrEqual(500);
    const before = bucket.invoked();

    const rest = bucket.resume(run.runId, { journal: folder });
    expect(keysOf(await collect(rest))).toEqual(names(1_234));
    expect(bucket.invoked() - before).toBe(1_234 - ran);
    expect(rest.summary).toMatchObject({
      runId: run.runId,
      functionName: 'gray',
      bucket: 'photos',
      complete: true,
      listed: 1_234,
      succeeded: 1_234,
      replayed: ran,
      attempts: 1_234,
    });

    const again = bucket.resume(run.runId, { journal: folder });
    expect(keysOf(await collect(again))).toEqual(names(1_234));
    expect(again.summary).toMatchObject({ complete: true, replayed: 1_234 });
    expect(bucket.invoked() - before).toBe(1_234 - ran);
    expect(lines(journalOf(run))).toHaveLength(1_235);
    expect(readdirSync(folder)).toEqual([`${run.runId}.jsonl`]);
  });

  it('gives results as they were, failures as errors', async () => {
    const { map, resume, behaviour } = aws({ objects: names(2) });
    behaviour.invoke = async (key) => (key.includes('0001') ? failure() : answer(response()));
    const run = map({ journal: folder });
    const first = await collect(run);
    const again = await collect(resume(run.runId, { journal: folder }));
    expect(again).toEqual(first.map((item) => (item.status === 'succeeded' ? { ...item, logs: '' } : item)));
    const failed = again.find((item) => item.status === 'failed');
    expect(failed).toMatchObject({ reason: 'exit', error: { code: 'invocation-failed', name: 'FunctionError' } });
    expect(failed?.error).toBeInstanceOf(Error);
  });

  it('runs again what half a line was written of, and what came after it', async () => {
    const bucket = aws({ objects: names(20) });
    const run = bucket.map({ journal: folder, concurrency: 1 });
    await collect(run);
    const whole = readFileSync(journalOf(run));
    const secondToLast = whole.lastIndexOf(10, whole.length - 2);
    writeFileSync(journalOf(run), whole.subarray(0, secondToLast + 30));
    const rest = bucket.resume(run.runId, { journal: folder });
    expect(keysOf(await collect(rest))).toEqual(names(20));
    expect(rest.summary).toMatchObject({ replayed: 19, complete: true });
    expect(lines(journalOf(run)).map((line) => JSON.parse(line).id ?? 'head')).toHaveLength(21);
  });

  it('sends what may have run before with the key that it had, and what runs again with another', async () => {
    const bucket = aws({ objects: names(3) });
    bucket.behaviour.invoke = async (key, signal) => (key.includes('0002') ? hang(key, signal) : failure());
    const run = bucket.map({ journal: folder, concurrency: 3, retry: { failures: 1 } });
    await take(run, 2);
    bucket.behaviour.invoke = async () => answer(response());
    await collect(bucket.resume(run.runId, { journal: folder }));
    const sent = eventsOf(bucket).map(
      (event) => [event.Records[0].s3.object.key, event.scar.idempotencyKeys[0]] as const,
    );
    const keys = (name: string) => sent.filter(([key]) => key === name).map(([, idempotencyKey]) => idempotencyKey);
    const [first, second] = keys('in/0002.jpg');
    expect(second).toBe(first);
    expect(keys('in/0002.jpg')).toHaveLength(2);
    expect(new Set(keys('in/0000.jpg')).size).toBe(2);
    expect(new Set(sent.map(([, key]) => key)).size).toBe(5);
  });

  it('runs just the failures again when it is asked to', async () => {
    const bucket = aws({ objects: names(10) });
    bucket.behaviour.invoke = async (key) => (/[37]\.jpg/.test(key) ? failure() : answer(response()));
    const run = bucket.map({ journal: folder });
    await collect(run);
    expect(run.summary.failed).toBe(2);
    const before = bucket.invoked();
    bucket.behaviour.invoke = async (key) => (/7\.jpg/.test(key) ? failure() : answer(response()));
    const retried = bucket.resume(run.runId, { journal: folder, retryFailed: true });
    expect(keysOf(await collect(retried))).toEqual(names(10));
    expect(bucket.invoked() - before).toBe(2);
    expect(retried.summary).toMatchObject({ complete: true, succeeded: 9, failed: 1, replayed: 8 });
    await collect(bucket.resume(run.runId, { journal: folder, retryFailed: true }));
    // The supervisor would answer a key that it knows with the failure that it has.
    const keys = eventsOf(bucket).map(({ scar }) => scar.idempotencyKeys[0]);
    expect(keys).toHaveLength(13);
    expect(new Set(keys).size).toBe(13);
    const last = bucket.resume(run.runId, { journal: folder });
    expect(keysOf(await collect(last))).toEqual(names(10));
    expect(last.summary).toMatchObject({ succeeded: 9, failed: 1, replayed: 10 });
  });

  it('goes on with the options that the run had', async () => {
    const script = join(folder, 'script.sh');
    writeFileSync(script, 'echo first');
    const since = new Date('2020-01-01');
    const bucket = aws({ objects: names(30) });
    const run = bucket.map({
      journal: folder,
      script,
      environment: { LEVEL: '3' },
      output: [{ bucket: 'results', prefix: 'out/' }],
      glob: 'in/*.jpg',
      limit: 12,
      concurrency: 2,
    });
    await take(run, 4);
    writeFileSync(script, 'echo second');
    const rest = bucket.resume(run.runId, { journal: folder, concurrency: 5 });
    expect(await collect(rest)).toHaveLength(12);
    expect(rest.summary.concurrency).toBe(5);
    for (const { scar } of eventsOf(bucket)) {
      expect(scar).toMatchObject({ script: 'echo first', environment: { LEVEL: '3' }, output: [{ prefix: 'out/' }] });
    }
    const filtered = bucket.map({ journal: folder, modifiedSince: since });
    await collect(filtered);
    const again = bucket.resume(filtered.runId, { journal: folder });
    await collect(again);
    expect(again.summary).toEqual({ ...filtered.summary, wallMs: again.summary.wallMs });
    expect(statSync(journalOf(run)).mode & 0o777).toBe(0o600);
  });

  it('wants given keys again, of which each place has its own result', async () => {
    const bucket = aws({ objects: [] });
    const keys = ['in/a', 'in/b', 'in/a'];
    const run = bucket.map({ journal: folder, keys, concurrency: 1 });
    await take(run, 2);
    const without = bucket.resume(run.runId, { journal: folder });
    await expect(collect(without)).rejects.toThrow(/^keys must be given again/);
    const rest = bucket.resume(run.runId, { journal: folder, keys });
    expect(keysOf(await collect(rest))).toEqual(['in/a', 'in/a', 'in/b']);
    expect(bucket.invoked()).toBe(3);
    expect(new Set(eventsOf(bucket).map((event) => event.scar.idempotencyKeys[0])).size).toBe(3);
  });

  it('refuses keys of a run that had none, which it would run again', async () => {
    const bucket = aws({ objects: names(4) });
    const run = bucket.map({ journal: folder });
    await collect(run);
    const resumed = bucket.resume(run.runId, { journal: folder, keys: names(1) });
    await expect(collect(resumed)).rejects.toThrow(/^keys must not be given, as mapOverBucket had none/);
    await expect(resumed.plan()).rejects.toThrow(/^keys must not be given/);
    expect(bucket.invoked()).toBe(4);
  });

  it('counts what has a result first in the limit, whether it is there or not', async () => {
    const bucket = aws({ objects: names(5) });
    const run = bucket.map({ journal: folder, limit: 3, concurrency: 1 });
    await take(run, 2);
    const done = lines(journalOf(run)).length - 1;
    const later = aws({ objects: ['in/000.jpg', ...names(5).slice(1)] });
    const rest = later.resume(run.runId, { journal: folder });
    const items = await collect(rest);
    expect(items).toHaveLength(3);
    expect(keysOf(items)).toContain('in/0000.jpg');
    expect(later.invoked()).toBe(3 - done);
    const again = aws({ objects: names(9).slice(1) });
    expect(keysOf(await collect(again.resume(run.runId, { journal: folder })))).toEqual(keysOf(items));
    expect(again.invoked()).toBe(0);
  });

  it('runs again what failed, whatever comes before it by now in the limit', async () => {
    const bucket = aws({ objects: names(5) });
    bucket.behaviour.invoke = async () => failure();
    const run = bucket.map({ journal: folder, limit: 2 });
    await collect(run);
    const later = aws({ objects: ['in/000.jpg', 'in/000a.jpg', ...names(5)] });
    const retried = later.resume(run.runId, { journal: folder, retryFailed: true });
    expect(keysOf(await collect(retried))).toEqual(names(2));
    expect(retried.summary).toMatchObject({ complete: true, succeeded: 2, listed: 2 });
    expect(later.invoked()).toBe(2);
  });

  it.each([[undefined], [4]])(
    'says of retries that the run is incomplete if it is, with the limit %j',
    async (limit) => {
      const bucket = aws({ objects: names(10) });
      bucket.behaviour.invoke = async (key) => (/0000/.test(key) ? failure() : answer(response()));
      const run = bucket.map({ journal: folder, concurrency: 1, ...(limit && { limit }) });
      await take(run, 2);
      bucket.behaviour.invoke = async () => answer(response());
      const ran = bucket.invoked();
      const retry = async () => {
        const retried = bucket.resume(run.runId, { journal: folder, retryFailed: true });
        const items = await collect(retried);
        expect(items.every(({ status }) => status === 'succeeded')).toBe(true);
        return retried.summary;
      };
      expect(await retry()).toMatchObject({ complete: false, succeeded: ran, listed: ran });
      // Nothing has failed by now, and it is no more complete.
      expect(await retry()).toMatchObject({ complete: false, succeeded: ran });
      await collect(bucket.resume(run.runId, { journal: folder }));
      expect(await retry()).toMatchObject({ complete: true, succeeded: limit ?? 10 });
      expect(bucket.invoked()).toBe((limit ?? 10) + 1);
    },
  );

  it('counts each place of given keys in the limit', async () => {
    const bucket = aws({ objects: [] });
    const keys = ['in/a\n#7', 'in/b', 'in/a\n#7', 'in/c'];
    const run = bucket.map({ journal: folder, keys, limit: 3, concurrency: 1 });
    await take(run, 1);
    const rest = bucket.resume(run.runId, { journal: folder, keys });
    expect(keysOf(await collect(rest))).toEqual(['in/a\n#7', 'in/a\n#7', 'in/b']);
    expect(bucket.invoked()).toBe(3);
  });

  it('lets one process at a time go on', async () => {
    const bucket = aws({ objects: names(3) });
    bucket.behaviour.invoke = hang;
    const run = bucket.map({ journal: folder });
    const first = run[Symbol.asyncIterator]().next();
    first.catch(() => {});
    while (bucket.invoked() < 3) await new Promise((resolve) => setImmediate(resolve));
    const other = collect(bucket.resume(run.runId, { journal: folder }));
    await expect(other).rejects.toMatchObject({ code: 'run-in-use', message: expect.stringContaining(journalOf(run)) });
    await run.cancel();
    await expect(first).rejects.toMatchObject({ code: 'aborted' });
    bucket.behaviour.invoke = async () => answer(response());
    expect(await collect(bucket.resume(run.runId, { journal: folder }))).toHaveLength(3);
  });

  it('says where it looked for a journal that is not there, or is none', async () => {
    const { resume } = aws({ objects: [] });
    const missing = collect(resume('20260101-000000-0', { journal: folder }));
    await expect(missing).rejects.toMatchObject({ code: 'run-not-found', message: expect.stringContaining(folder) });
    writeFileSync(join(folder, 'other.jsonl'), '{"hello":1}\n');
    await expect(collect(resume('other', { journal: folder }))).rejects.toMatchObject({ code: 'run-not-found' });
    writeFileSync(join(folder, 'empty.jsonl'), '');
    await expect(collect(resume('empty', { journal: folder }))).rejects.toMatchObject({ code: 'run-not-found' });
    writeFileSync(
      join(folder, 'damaged.jsonl'),
      '{"scarMap":1,"functionName":"gray","options":{"bucket":"photos"}}\nrubbish\n',
    );
    const damaged = collect(resume('damaged', { journal: folder }));
    await expect(damaged).rejects.toMatchObject({
      code: 'journal',
      message: expect.stringMatching(/^Line 2 of .*damaged/),
    });
    appendFileSync(join(folder, 'file'), '');
    const { map } = aws({ objects: names(1) });
    const inFile = collect(map({ journal: join(folder, 'file') }));
    await expect(inFile).rejects.toMatchObject({ code: 'invalid-option', message: expect.stringContaining('folder') });
  });

  it.each([
    ['../x', /runId must be the ID/],
    ['', /runId must be the ID/],
  ])('refuses the ID %j', (runId, message) => {
    expect(() => aws({ objects: [] }).resume(runId)).toThrow(message);
  });

  it('refuses options that mean nothing to it', () => {
    const { resume, map } = aws({ objects: [] });
    expect(() => resume('x', { prefix: 'in/' } as never)).toThrow(/only the options/);
    expect(() => resume('x', { journal: 5 as never })).toThrow(
      /^journal must be the path of a folder, true, or \{ bucket, prefix \}/,
    );
    expect(() => map({ journal: '' })).toThrow(/^journal must/);
    expect(() => map({ drainMs: -1 })).toThrow(/^drainMs must/);
  });

  it('plans over what the run was to do, also while it goes on', async () => {
    const { map, resume } = aws({ objects: names(7) });
    const run = map({ journal: folder, limit: 5 });
    const plan = () => resume(run.runId, { journal: folder }).plan();
    for await (const _ of run) {
      expect(await plan()).toMatchObject({ functionName: 'gray', objects: 5 });
      break;
    }
    expect(await plan()).toMatchObject({ objects: 5 });
  });
});

describe('a run that is ended early', () => {
  /** The first result comes when three others are under way. */
  function held(bucket: ReturnType<typeof aws>) {
    const releases: (() => void)[] = [];
    bucket.behaviour.invoke = async (key, signal) => {
      if (key === 'in/0000.jpg') {
        while (releases.length < 3) await new Promise((resolve) => setImmediate(resolve));
        return answer(response());
      }
      const released = new Promise<void>((resolve) => releases.push(resolve));
      return Promise.race([released.then(() => answer(response())), hang(key, signal)]);
    };
    return releases;
  }

  it('keeps the results that come while it drains, and begins nothing new', async () => {
    const bucket = aws({ objects: names(50) });
    const releases = held(bucket);
    const run = bucket.map({ journal: folder, concurrency: 4, drainMs: 60_000 });
    for await (const _ of run) {
      // Long after the loop has ended: the journal has to wait for them.
      for (const [index, release] of releases.entries()) setTimeout(release, 20 * (index + 1));
      break;
    }
    expect(bucket.invoked()).toBe(4);
    expect(run.summary).toMatchObject({ succeeded: 4, complete: false });
    expect(lines(journalOf(run))).toHaveLength(5);
    expect(bucket.events.warning).toEqual([]);
  });

  it('says what it leaves running', async () => {
    const bucket = aws({ objects: names(50) });
    held(bucket);
    const run = bucket.map({ concurrency: 4, drainMs: 1 });
    await take(run, 1);
    expect(bucket.events.warning.at(-1)).toMatchObject({
      code: 'invocations-dropped',
      context: { runId: run.runId, running: 3 },
    });
    expect(bucket.invoked()).toBe(4);
  });

  it('drops what waits to be sent again', async () => {
    const bucket = aws({ objects: names(2) });
    bucket.behaviour.invoke = async () => {
      throw awsError('TooManyRequestsException', 'slow down', {}, 429);
    };
    const abort = new AbortController();
    const run = bucket.map({ signal: abort.signal, drainMs: 60_000 });
    const items = collect(run);
    while (bucket.invoked() < 6) await new Promise((resolve) => setImmediate(resolve));
    abort.abort(new Error('enough'));
    await expect(items).rejects.toThrow('enough');
  });
});

describe('MapJournal', () => {
  const head = { scarMap: 1, runId: 'r', startedAt: '', functionName: 'gray', options: { bucket: 'photos' } } as const;

  it('tells once that it cannot write, and writes nothing after that', async () => {
    const written: string[] = [];
    const store: JournalStore = {
      name: 'a full disk',
      gatherMs: 0,
      lines: () => {
        throw new Error('nobody asks');
      },
      append: async (text) => {
        if (written.length > 0) throw new Error('ENOSPC: no space left on device');
        written.push(text);
      },
      close: async () => {},
    };
    const failures: string[] = [];
    const journal = await MapJournal.begin(store, head, (error) => failures.push(error.message));
    const [item] = await collect(aws({ objects: names(1) }).map());
    for (let n = 0; n < 10; n++) {
      await expect(journal.record(`${n}`, item as MapItem, 1)).rejects.toMatchObject({ code: 'journal' });
    }
    await expect(journal.close()).rejects.toMatchObject({ code: 'journal' });
    expect(failures).toEqual([expect.stringContaining('a full disk cannot be written to (ENOSPC')]);
    expect(written).toHaveLength(1);
  });
});
