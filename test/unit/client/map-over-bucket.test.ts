import { getEventListeners } from 'node:events';
import { GetFunctionConcurrencyCommand, GetFunctionConfigurationCommand, InvokeCommand } from '@aws-sdk/client-lambda';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import type { MapCompletion } from '../../../src/client/map/completion.js';
import type { MapItem } from '../../../src/client/map/item.js';
import type { MapRun } from '../../../src/client/map/run.js';
import type { MapProgress, MapSummary } from '../../../src/client/map/tally.js';
import { mapOverBucket } from '../../../src/client/map-over-bucket.js';
import { ScarError } from '../../../src/errors.js';
import { answer, REPORT, response } from './answers.js';
import { awsError } from './fixtures.js';
import { aws, type Bucket, collect, hang, idle, names, turn } from './mapped-bucket.js';

describe('mapOverBucket', () => {
  it('gives one result for each object, over all pages', async () => {
    const { map } = aws({ objects: names(2345) });
    const run = map({ prefix: 'in/', concurrency: 64 });
    const items = await collect(run);
    expect(items.map((item) => item.key).toSorted()).toEqual(names(2345));
    expect(run.summary).toMatchObject({
      functionName: 'gray',
      bucket: 'photos',
      prefix: 'in/',
      complete: true,
      listed: 2345,
      succeeded: 2345,
      failed: 0,
      skipped: 0,
      cancelled: 0,
      attempts: 2345,
      concurrency: 64,
      memoryMiB: 1024,
      billedMs: 234_500,
      gbSeconds: 234.5,
    });
    expect(run.summary.costUsd.compute).toBeCloseTo(234.5 * 0.0000166667, 10);
    expect(run.summary.costUsd.requests).toBeCloseTo(2345 * 0.0000002, 10);
    expect(run.summary.wallMs).toBeGreaterThan(0);
  });

  it('estimates the cost by what the processors cost', async () => {
    const { map } = aws({ objects: names(100), architecture: 'arm64' });
    const run = map({ prefix: 'in/' });
    await collect(run);
    expect(run.summary.costUsd.compute).toBeCloseTo(10 * 0.0000133334, 10);
  });

  it('gives for each object all that is known', async () => {
    const { map } = aws({ objects: { 'in/a b.jpg': 77 } });
    expect(await collect(map())).toEqual([
      expect.objectContaining({
        bucket: 'photos',
        key: 'in/a b.jpg',
        size: 77,
        status: 'succeeded',
        exitCode: 0,
        outputs: [],
        attempts: 1,
        coldStart: false,
        timings: { pullMs: 0, stageInMs: 1, containerMs: 2, stageOutMs: 3 },
        billedMs: 100,
        maxMemoryMiB: 77,
        requestId: 'r-1',
        logs: REPORT,
      }),
    ]);
  });

  it('reads every option', async () => {
    const { map, lambda, s3 } = aws({
      objects: { 'in/': 0, 'in/0.jpg': 1, 'in/1.jpg': 1, 'in/2.txt': 1, 'in/3.jpg': 1, 'in/4.jpg': 1 },
    });
    const run = map({
      prefix: 'in/',
      suffix: '.jpg',
      startAfter: 'in/0.jpg',
      limit: 2,
      concurrency: 3,
      script: { inline: 'true' },
      args: ['-v'],
      environment: { A: 'b' },
      output: [{ bucket: 'results' }],
    });
    expect((await collect(run)).map((item) => item.key)).toEqual(['in/1.jpg', 'in/3.jpg']);
    expect(s3.commandCalls(ListObjectsV2Command)[0]?.args[0].input).toMatchObject({
      Bucket: 'photos',
      Prefix: 'in/',
      StartAfter: 'in/0.jpg',
      MaxKeys: 1000,
    });
    const event = JSON.parse(
      Buffer.from(lambda.commandCalls(InvokeCommand)[0]?.args[0].input.Payload as Buffer).toString(),
    );
    expect(event.scar).toEqual({
      version: 1,
      script: 'true',
      args: ['-v'],
      environment: { A: 'b' },
      output: [{ bucket: 'results', prefix: 'output/' }],
      idempotencyKeys: [expect.stringMatching(/^[\w-]{43}$/)],
    });
    expect(event.Records[0].s3.object).toMatchObject({ key: 'in/1.jpg', size: 1, eTag: 'etag' });
    expect(run.summary).toMatchObject({ listed: 3, skipped: 1, succeeded: 2, complete: true, concurrency: 3 });
  });

  it('skips folder markers, and nothing else that is empty or ends with a slash', async () => {
    const { map } = aws({ objects: { 'in/': 0, 'in/deep/': 0, 'in/empty': 0, 'in/odd/': 5 } });
    const run = map();
    expect((await collect(run)).map((item) => item.key)).toEqual(['in/empty', 'in/odd/']);
    expect(run.summary).toMatchObject({ listed: 4, skipped: 2, succeeded: 2 });
  });

  it('is complete over an empty bucket', async () => {
    const run = aws({ objects: [] }).map();
    expect(await collect(run)).toEqual([]);
    expect(run.summary).toMatchObject({ complete: true, listed: 0, costUsd: { total: 0 } });
  });

  it('counts cold starts', async () => {
    const { map, behaviour } = aws({ objects: names(3) });
    behaviour.invoke = async (key) => answer(response({ coldStart: key.includes('0001') }));
    const run = map();
    await collect(run);
    expect(run.summary.coldStarts).toBe(1);
  });

  it('tells its progress, and the total when the listing is through', async () => {
    const { map } = aws({ objects: names(1001) });
    const run = map({ concurrency: 10 });
    const progress: MapProgress[] = [];
    run.on('progress', (event) => progress.push(event));
    await collect(run);
    expect(progress[0]).toMatchObject({ done: 1, total: undefined, succeeded: 1 });
    expect(progress.at(-1)).toEqual({
      listed: 1001,
      total: 1001,
      done: 1001,
      succeeded: 1001,
      failed: 0,
      skipped: 0,
      inFlight: 0,
      throttles: 0,
      running: 0,
      queued: 0,
      bytes: 1001,
      etaMs: 0,
      costUsd: run.summary.costUsd.total,
      withoutBill: 0,
    });
    expect(progress.every((event, n) => event.done >= (progress[n - 1]?.done ?? 0) && event.inFlight <= 10)).toBe(true);
  });
});

describe('mapOverBucket caps the concurrency', () => {
  const cases: [string, Omit<Bucket, 'objects'>, number | undefined, number][] = [
    ['at the option', {}, 5, 5],
    ["at the client's, without the option", { options: { concurrency: 7 } }, undefined, 7],
    ['at what the account has left', { unreserved: 3 }, 50, 3],
    ["at the function's reserved, above what the account has left", { unreserved: 3, reserved: 6 }, 50, 6],
  ];
  it.each(cases)('%s', async (_, limits, concurrency, expected) => {
    const { map, inFlight, behaviour, events } = aws({ objects: names(60), ...limits });
    behaviour.invoke = async () => {
      await turn();
      return answer(response());
    };
    const run = map(concurrency === undefined ? {} : { concurrency });
    const warnings: string[] = [];
    run.on('warning', (event) => warnings.push(event.code));
    await collect(run);
    expect(inFlight.most).toBe(expected);
    expect(run.summary.concurrency).toBe(expected);
    const capped = concurrency !== undefined && concurrency > expected;
    expect(warnings).toEqual(capped ? ['concurrency-capped'] : []);
    expect(events.warning.length).toBe(warnings.length);
  });

  it('at its sockets, when the client is made here', async () => {
    const { context } = aws({ objects: [] });
    const { clients: _, ...config } = context.config;
    const own = { ...context, config: { ...config, clients: {}, sockets: 4 } };
    const run = mapOverBucket(own, 'gray', { bucket: 'photos', concurrency: 9 });
    await collect(run);
    expect(run.summary.concurrency).toBe(4);
  });

  it('goes on without the permission to read the limits, and says so', async () => {
    const { map, lambda, events } = aws({ objects: names(3) });
    lambda.on(GetFunctionConcurrencyCommand).rejects(awsError('AccessDeniedException', 'no', {}, 403));
    expect(await collect(map({ concurrency: 9 }))).toHaveLength(3);
    expect(events.warning).toMatchObject([{ code: 'concurrency-unknown' }]);
    expect(events.warning[0]?.message).toContain('lambda:GetFunctionConcurrency');
  });

  it('refuses a function that may not run at all', async () => {
    const { map } = aws({ objects: names(3), reserved: 0 });
    await expect(collect(map())).rejects.toThrow(/reserved concurrency is 0/);
  });
});

describe('mapOverBucket makes failures values', () => {
  it('of containers and functions, which do not run again', async () => {
    const { map, behaviour, invoked } = aws({ objects: names(4) });
    const [outcome] = response().outcomes;
    behaviour.invoke = async (key) => {
      if (key.includes('0001')) {
        return answer({
          ...response(),
          outcomes: [{ ...outcome, status: 'failed', reason: 'exit', exitCode: 3, message: 'Exit code 3' }],
        });
      }
      if (key.includes('0002'))
        return answer({ errorMessage: 'Task timed out after 3.00 seconds' }, { functionError: 'Unhandled' });
      return answer(response());
    };
    const run = map();
    const items = await collect(run);
    expect(Object.fromEntries(items.map((item) => [item.key, item.reason ?? item.status]))).toEqual({
      'in/0000.jpg': 'succeeded',
      'in/0001.jpg': 'exit',
      'in/0002.jpg': 'timeout',
      'in/0003.jpg': 'succeeded',
    });
    expect(run.summary).toMatchObject({ complete: true, succeeded: 2, failed: 2, reasons: { exit: 1, timeout: 1 } });
    expect(invoked()).toBe(4);
  });

  it('and runs them again when asked to, adding up what is billed', async () => {
    const { map, behaviour } = aws({ objects: names(2) });
    const tries = new Map<string, number>();
    behaviour.invoke = async (key) => {
      tries.set(key, (tries.get(key) ?? 0) + 1);
      const good = key.includes('0001') && tries.get(key) === 2;
      return good ? answer(response()) : answer({ errorMessage: 'no' }, { functionError: 'Unhandled' });
    };
    const items = await collect(map({ retry: { failures: 2 } }));
    const results = items.map(({ key, status, attempts, billedMs }) => [key, status, attempts, billedMs]);
    expect(results.toSorted()).toEqual([
      ['in/0000.jpg', 'failed', 3, 300],
      ['in/0001.jpg', 'succeeded', 2, 200],
    ]);
  });

  it('and runs them again reason by reason', async () => {
    const { map, behaviour } = aws({ objects: names(3) });
    const [outcome] = response().outcomes;
    const exit = { ...outcome, status: 'failed', reason: 'exit', exitCode: 3, message: 'Exit code 3' };
    const tries = new Map<string, number>();
    behaviour.invoke = async (key) => {
      const n = (tries.get(key) ?? 0) + 1;
      tries.set(key, n);
      if (key.includes('0001')) return answer({ ...response(), outcomes: [exit] });
      const ends = key.includes('0002') ? n < 3 : n < 2;
      return ends
        ? answer({ errorMessage: 'Task timed out after 3.00 seconds' }, { functionError: 'Unhandled' })
        : answer(response());
    };
    const items = await collect(map({ retry: { failures: { timeout: 1 } } }));
    expect(items.map(({ key, status, attempts }) => [key, status, attempts]).toSorted()).toEqual([
      ['in/0000.jpg', 'succeeded', 2],
      ['in/0001.jpg', 'failed', 1],
      ['in/0002.jpg', 'failed', 2],
    ]);
    expect(() => map({ retry: { failures: { thirst: 1 } as never } })).toThrow(
      /^retry.failures must have only the options/,
    );
    expect(() => map({ retry: { failures: { exit: 1.5 } } })).toThrow(
      /^retry.failures.exit must be an integer from 0 to 100/,
    );
    expect(() => map({ retry: { failures: 'all' as never } })).toThrow(
      /^retry.failures must be a number, or numbers by/,
    );
  });

  it('of the network and of AWS, after as many attempts as it may', async () => {
    const { map, behaviour } = aws({ objects: names(3) });
    behaviour.invoke = async (key) => {
      if (key.includes('0001')) throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
      if (key.includes('0002')) throw awsError('InvalidRequestContentException', 'bad', {}, 400);
      return answer(response());
    };
    const run = map({ retry: { attempts: 2 } });
    const items = await collect(run);
    const failed = items.filter((item) => item.status === 'failed');
    expect(failed.map(({ key, reason, attempts, error }) => [key, reason, attempts, error?.code]).toSorted()).toEqual([
      ['in/0001.jpg', 'service', 2, 'service'],
      ['in/0002.jpg', 'service', 1, 'service'],
    ]);
    expect(run.summary).toMatchObject({ complete: true, reasons: { service: 2 }, attempts: 4, withoutBill: 2 });
  });

  it('of throttles beyond patience', async () => {
    const { map, behaviour, context } = aws({ objects: names(1) });
    behaviour.invoke = async () => {
      throw awsError('TooManyRequestsException', 'Rate Exceeded.', { Reason: 'CallerRateLimitExceeded' }, 429);
    };
    const run = map({ retry: { throttleSeconds: 10 } });
    const [item] = await collect(run);
    expect(item).toMatchObject({ status: 'failed', reason: 'throttled', error: { code: 'throttled' } });
    expect(context.now()).toBeGreaterThanOrEqual(10_000);
    expect(item?.attempts).toBeGreaterThan(10);
    expect(run.summary).toMatchObject({ throttles: item?.attempts, costUsd: { total: 0 }, withoutBill: 0 });
  });

  it('none of a throttle that passes; no sooner than Retry-After it is sent again', async () => {
    const { map, behaviour, context } = aws({ objects: names(1) });
    let sent = 0;
    behaviour.invoke = async () => {
      if (++sent > 1) return answer(response());
      throw awsError('TooManyRequestsException', 'Rate Exceeded.', { retryAfterSeconds: '7' }, 429);
    };
    const run = map({ retry: { attempts: 1 } });
    expect(await collect(run)).toMatchObject([{ status: 'succeeded', attempts: 2 }]);
    expect(context.now()).toBeGreaterThanOrEqual(7_000);
  });

  it('of throttles, all that wait for a turn too, when nothing runs for longer than patience', async () => {
    const { map, behaviour } = aws({ objects: names(500) });
    behaviour.invoke = async () => {
      throw awsError('TooManyRequestsException', 'Rate Exceeded.', {}, 429);
    };
    const run = map({ concurrency: 100, retry: { throttleSeconds: 10 } });
    const items = await collect(run);
    expect(items).toHaveLength(500);
    expect(items.every((item) => item.status === 'failed' && item.reason === 'throttled')).toBe(true);
    expect(run.summary).toMatchObject({ complete: true, failed: 500 });
  });

  it('lowers what it sends at once while Lambda throttles, and loses nothing', async () => {
    const { map, behaviour, inFlight } = aws({ objects: names(500) });
    const allowed = 10;
    behaviour.invoke = async () => {
      if (inFlight.now > allowed) throw awsError('TooManyRequestsException', 'Rate Exceeded.', {}, 429);
      await turn();
      return answer(response());
    };
    const run = map({ concurrency: 100 });
    expect(await collect(run)).toHaveLength(500);
    expect(run.summary).toMatchObject({ complete: true, succeeded: 500, failed: 0 });
    expect(run.summary.throttles).toBeGreaterThan(0);
    expect(run.summary.attempts).toBe(500 + run.summary.throttles);
  });
});

describe('the iterator of mapOverBucket', () => {
  it('is lazy: nothing is sent before the first result is asked for', async () => {
    const { map, lambda, s3 } = aws({ objects: names(3) });
    map();
    await idle();
    expect(lambda.calls().length + s3.calls().length).toBe(0);
  });

  it('is bounded in flight and in its buffer when nobody asks for more', async () => {
    const { map, invoked, pages } = aws({ objects: names(3000) });
    const iterator = map({ concurrency: 5 })[Symbol.asyncIterator]();
    await iterator.next();
    await idle();
    expect(invoked()).toBe(11);
    expect(pages()).toBe(1);
    await iterator.next();
    await idle();
    expect(invoked()).toBe(12);
    await iterator.return?.();
  });

  it('gives its first result before it asks for the second page, also when a page fits in flight', async () => {
    for (const concurrency of [10, 1000]) {
      const { map, pages } = aws({ objects: names(2500) });
      let first: number | undefined;
      for await (const _ of map({ concurrency })) first ??= pages();
      expect(first).toBe(1);
      expect(pages()).toBe(3);
    }
  });

  it('gives results as they come, not in the order of the listing', async () => {
    const { map, behaviour } = aws({ objects: names(3) });
    behaviour.invoke = async (key) => {
      if (key.includes('0000')) await idle();
      return answer(response());
    };
    expect((await collect(map())).at(-1)?.key).toBe('in/0000.jpg');
  });

  it('cancels what is in flight on break, waits for it, and asks for nothing more', async () => {
    const { map, behaviour, inFlight, invoked, pages, context } = aws({ objects: names(3000) });
    behaviour.invoke = (key, signal) =>
      key.includes('0000') ? Promise.resolve(answer(response())) : hang(key, signal);
    const run = map({ concurrency: 20 });
    for await (const _ of run) {
      await idle();
      expect(inFlight.now).toBe(20);
      break;
    }
    expect(inFlight.now).toBe(0);
    const sent = invoked();
    await idle();
    expect([invoked(), pages()]).toEqual([sent, 1]);
    expect(run.summary).toMatchObject({ complete: false, succeeded: 1, cancelled: 20, listed: 21 });
    expect(context.running.size).toBe(0);
  });

  it('throws what the body of the loop throws, after it has cancelled', async () => {
    const { map, behaviour, inFlight } = aws({ objects: names(10) });
    behaviour.invoke = (key, signal) =>
      key.includes('0000') ? Promise.resolve(answer(response())) : hang(key, signal);
    const mine = new Error('mine');
    const loop = async () => {
      for await (const _ of map()) throw mine;
    };
    await expect(loop()).rejects.toBe(mine);
    expect(inFlight.now).toBe(0);
  });

  it("throws the signal's reason on abort, after what was in flight has ended", async () => {
    const { map, behaviour, inFlight } = aws({ objects: names(10) });
    behaviour.invoke = hang;
    const abort = new AbortController();
    const run = map({ signal: abort.signal });
    const collected = collect(run);
    await idle();
    expect(inFlight.now).toBe(10);
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(collected).rejects.toBe(reason);
    expect(inFlight.now).toBe(0);
    expect(run.summary).toMatchObject({ complete: false, cancelled: 10 });
  });

  it('throws on abort also when results are waiting, or all have come', async () => {
    const { map } = aws({ objects: names(5) });
    const abort = new AbortController();
    const iterator = map({ signal: abort.signal })[Symbol.asyncIterator]();
    await iterator.next();
    await idle();
    abort.abort(new Error('late'));
    await expect(iterator.next()).rejects.toThrow('late');
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  it('throws without sending anything for a signal that is aborted already', async () => {
    const { map, lambda, s3 } = aws({ objects: names(3) });
    await expect(collect(map({ signal: AbortSignal.abort(new Error('before')) }))).rejects.toThrow('before');
    expect(lambda.calls().length + s3.calls().length).toBe(0);
  });

  it('throws `aborted` when the client closes, and when it is cancelled', async () => {
    const closed = aws({ objects: names(5) });
    closed.behaviour.invoke = hang;
    const first = collect(closed.map());
    await idle();
    closed.closing.abort(new ScarError('aborted', 'closed'));
    await expect(first).rejects.toMatchObject({ code: 'aborted' });

    const cancelled = aws({ objects: names(5) });
    cancelled.behaviour.invoke = hang;
    const run = cancelled.map();
    const second = collect(run);
    await idle();
    const [outcome] = await Promise.all([second.catch((error: unknown) => error), run.cancel()]);
    expect(outcome).toMatchObject({ code: 'aborted' });
    expect(cancelled.inFlight.now).toBe(0);
  });

  it('can be cancelled before it starts and after it ends', async () => {
    const { map } = aws({ objects: names(2) });
    const before = map();
    await before.cancel();
    await expect(collect(before)).rejects.toMatchObject({ code: 'aborted' });
    const after = map();
    await collect(after);
    await after.cancel();
    expect(after.summary.complete).toBe(true);
  });

  it('can be iterated once', async () => {
    const run = aws({ objects: names(2) }).map();
    await collect(run);
    await expect(collect(run)).rejects.toMatchObject({ code: 'invalid-option' });
  });

  it('lets go of its signals when it is over', async () => {
    const { map, context } = aws({ objects: names(5) });
    const abort = new AbortController();
    for (const signal of [abort.signal, context.closing]) {
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
      await collect(map({ signal: abort.signal }));
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    }
  });

  it("fails with a listener's error", async () => {
    const run = aws({ objects: names(5) }).map();
    run.on('progress', () => {
      throw new Error('in a listener');
    });
    await expect(collect(run)).rejects.toThrow('in a listener');
  });

  it('fails when the listing does, and cancels what is in flight', async () => {
    const { map, s3, behaviour, inFlight } = aws({ objects: names(2000) });
    behaviour.invoke = hang;
    s3.on(ListObjectsV2Command)
      .resolvesOnce({ Contents: [{ Key: 'a', Size: 1 }], IsTruncated: true, NextContinuationToken: 't' })
      .rejects(awsError('AccessDenied', 'no', {}, 403));
    const error = await collect(map({ concurrency: 4 })).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'permission-denied' });
    expect((error as Error).message).toContain('s3:ListBucket');
    expect(inFlight.now).toBe(0);
  });

  it.each([
    ['function', 'function-not-found'],
    ['bucket', 'bucket-not-found'],
  ])('fails before the first object when there is no such %s', async (what, code) => {
    const { map, lambda, s3, invoked } = aws({ objects: names(3) });
    if (what === 'bucket') s3.on(ListObjectsV2Command).rejects(awsError('NoSuchBucket', 'no', {}, 404));
    else lambda.on(GetFunctionConfigurationCommand).rejects(awsError('ResourceNotFoundException', 'no', {}, 404));
    await expect(collect(map())).rejects.toMatchObject({ code });
    expect(invoked()).toBe(0);
  });

  const bad: [string, Record<string, unknown>, RegExp][] = [
    ['an option that it has not', { concurency: 3 }, /mapOverBucket must have only the options/],
    ['a bucket that is a URL', { bucket: 's3://photos/in/' }, /^bucket must be the name of a bucket.*separately/],
    ['no concurrency', { concurrency: 0 }, /^concurrency must be an integer of at least 1; received 0/],
    ['half an object', { limit: 1.5 }, /^limit must be an integer of at least 1; received 1\.5/],
    ['a prefix that is none', { prefix: 3 }, /^prefix must be a string; received 3/],
    ['no attempts', { retry: { attempts: 0 } }, /^retry\.attempts must be an integer from 1 to 100; received 0/],
    ['a retry that it has not', { retry: { times: 3 } }, /retry must have only the options/],
    ['a signal that is none', { signal: 'stop' }, /^signal must be an AbortSignal/],
  ];
  it.each(bad)('refuses %s at once', (_, options, message) => {
    const { map } = aws({ objects: [] });
    expect(() => map(options)).toThrow(message);
  });
});

describe('mapOverBucket in order', () => {
  it('gives results in the order of the listing, with a bounded window', async () => {
    const { map, behaviour, invoked } = aws({ objects: names(40) });
    let release: (value: unknown) => void = () => {};
    const slow = new Promise((resolve) => {
      release = resolve;
    });
    behaviour.invoke = (key) => (key === 'in/0003.jpg' ? slow : Promise.resolve(answer(response())));
    const run = map({ ordered: true, concurrency: 5 });
    const keys: string[] = [];
    const collected = (async () => {
      for await (const { key } of run) keys.push(key);
    })();
    await idle();
    expect(keys).toEqual(names(3));
    expect(invoked(), 'three that are through, and a window of ten').toBe(13);
    release(answer(response()));
    await collected;
    expect(keys).toEqual(names(40));
    expect(run.summary.complete).toBe(true);
  });
});

describe("a map's concurrency", () => {
  it('can be changed while it runs, up and down, under what Lambda allows', async () => {
    const { map, behaviour, inFlight, events } = aws({ objects: names(200), unreserved: 8 });
    const held: (() => void)[] = [];
    behaviour.invoke = () => new Promise((resolve) => held.push(() => resolve(answer(response()))));
    const run = map({ concurrency: 2 });
    const collected = collect(run);
    await idle();
    expect(inFlight.now).toBe(2);
    expect(await run.setConcurrency(5)).toBe(5);
    await idle();
    expect(inFlight.now).toBe(5);
    expect(await run.setConcurrency(50)).toBe(8);
    await idle();
    expect(inFlight.now).toBe(8);
    expect(events.warning).toMatchObject([{ code: 'concurrency-capped' }]);
    expect(await run.setConcurrency(1)).toBe(1);
    for (const resume of held.splice(0)) resume();
    await idle();
    expect(inFlight.now).toBe(1);
    behaviour.invoke = async () => answer(response());
    for (const resume of held.splice(0)) resume();
    expect(await collected).toHaveLength(200);
    expect(run.summary).toMatchObject({ complete: true, concurrency: 8 });
  });

  it('may be changed before it runs; other numbers are refused', async () => {
    const { map, behaviour, inFlight } = aws({ objects: names(20) });
    behaviour.invoke = async () => turn().then(() => answer(response()));
    const run = map({ concurrency: 9 });
    await expect(run.setConcurrency(0)).rejects.toThrow(/^concurrency must be an integer of at least 1; received 0/);
    expect(await run.setConcurrency(3)).toBe(3);
    await collect(run);
    expect(inFlight.most).toBe(3);
  });
});

describe('mapOverBucket completes', () => {
  const [succeeded] = response().outcomes;
  const failed = { ...succeeded, status: 'failed', reason: 'exit', exitCode: 3, message: 'Exit code 3' };

  const failing = (fails: (n: number) => boolean) => async (key: string) => {
    await turn();
    return answer(fails(Number(key.slice(3, 7))) ? { ...response(), outcomes: [failed] } : response());
  };

  async function ended(run: MapRun): Promise<{ items: MapItem[]; error: unknown }> {
    const items: MapItem[] = [];
    try {
      for await (const item of run) items.push(item);
      return { items, error: undefined };
    } catch (error) {
      return { items, error };
    }
  }

  it('with enough successes: quietly, and cancels the rest', async () => {
    const { map, behaviour, invoked } = aws({ objects: names(1000) });
    behaviour.invoke = failing((n) => n % 2 === 1);
    const run = map({ concurrency: 10, completion: { minSuccessful: 20 } });
    const { items, error } = await ended(run);
    expect(error).toBeUndefined();
    expect(items.filter(({ status }) => status === 'succeeded').length).toBeGreaterThanOrEqual(20);
    expect(invoked()).toBeLessThan(70);
    const { listed, succeeded, failed, cancelled, complete } = run.summary;
    expect(succeeded + failed + cancelled).toBe(listed);
    expect(items).toHaveLength(succeeded + failed);
    expect(complete).toBe(false);
  });

  it('and is not complete where the rest was not even listed', async () => {
    const { map } = aws({ objects: names(10) });
    const run = map({ concurrency: 1, completion: { minSuccessful: 3 } });
    const ends: MapSummary[] = [];
    run.on('end', (summary) => ends.push(summary));
    expect((await ended(run)).items).toHaveLength(3);
    expect(run.summary).toMatchObject({ listed: 3, succeeded: 3, cancelled: 0, complete: false });
    expect(ends).toEqual([run.summary]);
  });

  it('with an error when there are too few successes in the end', async () => {
    const { map, behaviour } = aws({ objects: names(10) });
    behaviour.invoke = failing((n) => n > 3);
    const { items, error } = await ended(map({ completion: { minSuccessful: 5 } }));
    expect(items).toHaveLength(10);
    expect(error).toMatchObject({
      code: 'map-failed',
      message: expect.stringMatching(/at least 5 of its objects must succeed .*6 failed and 4 succeeded/),
      context: { summary: { succeeded: 4, failed: 6, complete: false } },
    });
  });

  it('with an error at the first failure that is too much, after all results that are there', async () => {
    const { map, behaviour, invoked } = aws({ objects: names(1000) });
    behaviour.invoke = failing((n) => n % 10 === 9);
    const run = map({ concurrency: 10, completion: { toleratedFailureCount: 2 } });
    const { items, error } = await ended(run);
    expect(error).toMatchObject({ code: 'map-failed', context: { summary: { failed: 3 } } });
    expect(items.filter(({ status }) => status === 'failed').length).toBeGreaterThanOrEqual(3);
    expect(items).toHaveLength(run.summary.succeeded + run.summary.failed);
    expect(invoked()).toBeLessThan(60);
  });

  it.each([
    [30, true],
    [31, false],
  ])('by percentage of all objects, once they are listed: %i of 100 failed', async (failures, fine) => {
    const { map, behaviour } = aws({ objects: names(100) });
    behaviour.invoke = failing((n) => n < failures);
    const { items, error } = await ended(map({ concurrency: 100, completion: { toleratedFailurePercentage: 30 } }));
    expect(error === undefined).toBe(fine);
    if (fine) expect(items).toHaveLength(100);
    else expect(error).toMatchObject({ message: expect.stringContaining('at most 30 % of its 100 objects may fail') });
  });

  it.each([
    [{ minSuccessful: 0 }, /^completion.minSuccessful must be an integer of at least 1/],
    [{ toleratedFailureCount: -1 }, /^completion.toleratedFailureCount must be/],
    [{ toleratedFailurePercentage: 101 }, /^completion.toleratedFailurePercentage must be a number from 0 to 100/],
    [{ toleratedFailurePercentage: '5' }, /^completion.toleratedFailurePercentage must be a number.*; received "5"/],
    [{ toleratedFailurePercentage: Number.NaN }, /^completion.toleratedFailurePercentage must be.*; received NaN/],
    [{ minSuccess: 1 }, /^completion must have only the options/],
  ])('refuses %j', (completion, message) => {
    expect(() => aws({ objects: [] }).map({ completion: completion as MapCompletion })).toThrow(message);
  });
});
