import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { describe, expect, it, vi } from 'vitest';
import type { MapProgress } from '../../../../src/client/map/tally.js';
import { mapInputs } from '../../../../src/client/map-inputs.js';
import { answer, response } from '../answers.js';
import { awsError } from '../fixtures.js';
import { aws, collect, idle, names } from '../mapped-bucket.js';

/** The totals that a run tells, each once, in their order. */
function totals(run: { on(event: 'progress', listener: (progress: MapProgress) => void): unknown }) {
  const told: (number | undefined)[] = [];
  run.on('progress', ({ total }) => {
    if (told.at(-1) !== total || told.length === 0) told.push(total);
  });
  return told;
}

describe('the progress of a run', () => {
  it('tells the total and the time left long before all objects are listed, from the first result on', async () => {
    const { map, pages } = aws({ objects: names(2500) });
    const run = map({ prefix: 'in/', suffix: '9.jpg', concurrency: 10 });
    let first: number | undefined;
    const early = vi.fn();
    run.on('result', () => {
      first ??= pages();
    });
    run.on('progress', (progress) => {
      if (progress.listed < 2_500 && progress.total !== undefined) early(progress);
    });
    let items = 0;
    for await (const _ of run) {
      items++;
      if (items === 20) await vi.waitFor(() => expect(early).toHaveBeenCalled(), { timeout: 10_000 });
    }
    expect(first).toBe(1);
    expect(items).toBe(250);
    const [progress] = early.mock.calls[0] as [MapProgress];
    expect(progress).toMatchObject({ total: 2500 });
    expect(progress.etaMs).toBeGreaterThan(0);
    // Once by the run, once beside it.
    expect(pages()).toBe(6);
  });

  it('costs no listing while nobody listens', async () => {
    const { map, pages } = aws({ objects: names(2500) });
    await collect(map({ concurrency: 100 }));
    expect(pages()).toBe(3);
  });

  it('follows what there is in the end, whatever was counted', async () => {
    const { map, s3, behaviour } = aws({ objects: [] });
    const page = (...keys: string[]) => ({ Contents: keys.map((Key) => ({ Key, Size: 1 })), IsTruncated: false });
    // The run's own listing, and that of who counts.
    const more = { ...page('a', 'b'), IsTruncated: true, NextContinuationToken: 'more' };
    s3.on(ListObjectsV2Command)
      .resolvesOnce(more)
      .resolvesOnce(page('a', 'b', 'c', 'd', 'e'))
      .resolves(page('c', 'd'));
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    behaviour.invoke = async (key) => {
      if (key === 'b') await held;
      return answer(response());
    };
    const run = map({ concurrency: 1 });
    const told = totals(run);
    setTimeout(release, 300);
    expect(await collect(run)).toHaveLength(4);
    expect(told).toEqual([undefined, 5, 4]);
  });

  it('is without a total, and the run goes on, when counting fails', async () => {
    const { map, s3 } = aws({ objects: [] });
    const first = { Contents: [{ Key: 'a', Size: 1 }], IsTruncated: true, NextContinuationToken: 'more' };
    s3.on(ListObjectsV2Command)
      .resolvesOnce(first)
      .rejectsOnce(awsError('AccessDenied', 'no', {}, 403))
      .resolves({ Contents: [{ Key: 'b', Size: 1 }], IsTruncated: false });
    const run = map({ concurrency: 1 });
    const told = totals(run);
    for await (const _ of run) await idle();
    expect(told).toEqual([undefined, 2]);
    expect(run.summary).toMatchObject({ succeeded: 2, complete: true });
  });

  it('stops counting with the run, and leaves nothing', async () => {
    const { map, s3 } = aws({ objects: names(5000) });
    const run = map({ concurrency: 1 });
    let counting = false;
    let stopped = false;
    run.on('progress', () => {
      if (counting) return;
      counting = true;
      s3.on(ListObjectsV2Command).callsFake(async () => {
        const [, options] = (s3.commandCalls(ListObjectsV2Command).at(-1)?.args ?? []) as unknown[];
        const { abortSignal } = options as { abortSignal: AbortSignal };
        await new Promise((_, reject) => {
          abortSignal.addEventListener('abort', () => {
            stopped = true;
            reject(Object.assign(new Error('Request aborted'), { name: 'AbortError' }));
          });
        });
      });
    });
    for await (const _ of run) {
      await new Promise((resolve) => setTimeout(resolve, 150));
      break;
    }
    expect({ counting, stopped }).toEqual({ counting: true, stopped: true });
  });

  it('does not begin to count when the run is over', async () => {
    // What is skipped makes the first event; the result comes before it is time for the next one.
    const { map, pages, lambda } = aws({ objects: { 'in/': 0, 'in/a': 1, 'in/b': 1, 'in/c': 1, 'in/d': 1 } });
    const run = map({ concurrency: 1 });
    const told = totals(run);
    for await (const _ of run) break;
    const asked = lambda.calls().length;
    await idle();
    expect(told).toEqual([undefined]);
    expect([pages(), lambda.calls().length]).toEqual([1, asked]);
  });

  it('does not read twice what can be read once', async () => {
    const { map, context } = aws({ objects: [] });
    const run = map({ keys: names(3).values(), concurrency: 1 });
    const told = totals(run);
    expect(await collect(run)).toHaveLength(3);
    expect(told).toEqual([undefined, 3]);
    const inputs = mapInputs(context, 'gray', names(3).values(), { concurrency: 1 });
    expect(await collect(inputs)).toHaveLength(3);
  });
});
