import { setMaxListeners } from 'node:events';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { describe, expect, it } from 'vitest';
import { Backups } from '../../../../src/client/map/backups.js';
import { answer, response } from '../answers.js';
import { awsError } from '../fixtures.js';
import { aws, collect, hang, idle, names } from '../mapped-bucket.js';

describe('a map with backups', () => {
  it('takes the first answer, under a key of its own, and drops the slow request', async () => {
    const { map, behaviour, lambda } = aws({ objects: names(40) });
    let dropped = false;
    const sent: string[] = [];
    behaviour.invoke = async (key, signal) => {
      sent.push(key);
      if (key !== 'in/0030.jpg' || sent.filter((other) => other === key).length > 1) return answer(response());
      signal.addEventListener('abort', () => {
        dropped = true;
      });
      return hang(key, signal);
    };
    const run = map({ concurrency: 8, backup: { afterPercentile: 95 } });
    const items = await collect(run);
    expect(items.map(({ key }) => key).toSorted()).toEqual(names(40));
    const slow = items.find(({ key }) => key === 'in/0030.jpg');
    expect(slow).toMatchObject({ status: 'succeeded', attempts: 2 });
    expect(dropped).toBe(true);
    expect(run.summary).toMatchObject({ complete: true, succeeded: 40, attempts: sent.length });
    expect(run.summary.backups).toBe(sent.length - 40);
    const keys = lambda
      .commandCalls(InvokeCommand)
      .map(({ args }) => JSON.parse(Buffer.from(args[0].input.Payload as Buffer).toString()))
      .map(({ scar }) => scar.idempotencyKeys[0]);
    expect(new Set(keys).size).toBe(sent.length);
  });

  it('waits for the slow one where the other could not be sent', async () => {
    const { map, behaviour } = aws({ objects: names(30) });
    const release: (() => void)[] = [];
    let slow = 0;
    behaviour.invoke = async (key) => {
      if (key !== 'in/0029.jpg') return answer(response());
      if (slow++ > 0) {
        setImmediate(() => release[0]?.());
        throw awsError('AccessDeniedException', 'no', {}, 403);
      }
      await new Promise<void>((resolve) => release.push(resolve));
      return answer(response({ requestId: 'the slow one' }));
    };
    const items = await collect(map({ concurrency: 4, backup: { afterPercentile: 90 } }));
    expect(items.find(({ key }) => key === 'in/0029.jpg')).toMatchObject({ requestId: 'the slow one', attempts: 2 });
  });

  it.each([
    [{}, /afterPercentile must be a number from 50 to 99.9; received nothing/],
    [{ afterPercentile: 100 }, /received 100/],
    [{ percentile: 95 }, /backup must have only the options afterPercentile/],
  ])('refuses %j', (backup, message) => {
    expect(() => aws({ objects: [] }).map({ backup: backup as never })).toThrow(message);
  });
});

describe('Backups', () => {
  /** Time passes when it is told to. */
  function clock() {
    let now = 0;
    const sleepers: { at: number; resolve(): void }[] = [];
    return {
      now: () => now,
      sleep: (ms: number) => new Promise<void>((resolve) => void sleepers.push({ at: now + ms, resolve })),
      async pass(ms: number) {
        for (const end = now + ms; now < end; ) {
          now += 10;
          for (const one of sleepers.splice(0)) (one.at <= now ? one.resolve() : sleepers.push(one)) as unknown;
          await idle();
        }
      },
    };
  }

  it('calls nothing slow before enough is known, nor while others wait', async () => {
    const time = clock();
    let spare = false;
    const backups = new Backups(time, { afterPercentile: 90 }, () => spare, new AbortController().signal);
    const copies: number[] = [];
    const taking = (ms: number) => (copy: number) => {
      copies.push(copy);
      return copy === 1 ? time.sleep(ms).then(() => ({ ran: true })) : Promise.resolve({ ran: true });
    };
    const { signal } = new AbortController();
    setMaxListeners(0, signal);
    spare = true;
    const unknown = backups.race(signal, taking(1_000));
    await time.pass(1_000);
    expect(await unknown).toEqual({ ran: true, copies: 1 });
    const known = Array.from({ length: 30 }, () => backups.race(signal, taking(100)));
    await time.pass(100);
    await Promise.all(known);
    spare = false;
    const slow = backups.race(signal, taking(100_000));
    await time.pass(5_000);
    expect(copies).not.toContain(2);
    spare = true;
    await time.pass(200);
    expect(await slow).toEqual({ ran: true, copies: 2 });
  });
});
