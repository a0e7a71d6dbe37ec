import { describe, expect, it } from 'vitest';
import { Admission, type AdmissionOptions } from '../../../../src/client/map/admission.js';
import { ScarError } from '../../../../src/errors.js';
import { VirtualClock } from '../../../support/simulation/virtual-clock.js';

const throttle = new ScarError('throttled', 'Rate Exceeded.');

function admit(cap: number, options: Partial<AdmissionOptions> = {}) {
  const clock = new VirtualClock();
  const signal = new AbortController().signal;
  return { clock, admission: new Admission(clock, cap, { throttleMs: 900_000, signal, ...options }) };
}

/** Sends as many as it lets through. */
function fill(admission: Admission): number {
  let sent = 0;
  for (; admission.onTheWay < admission.limit; sent++) admission.enter();
  return sent;
}

describe('Admission', () => {
  it('admits up to the cap at once, and the next one when another leaves', async () => {
    const { admission } = admit(2);
    expect(admission.enter()).toBeUndefined();
    expect(admission.enter()).toBeUndefined();
    const third = admission.enter();
    expect(third).toBeInstanceOf(Promise);
    admission.leave();
    await third;
    expect(admission.onTheWay).toBe(2);
  });

  it('admits what Lambda has refused before what was never sent, and each in its order', async () => {
    const { admission } = admit(1);
    admission.enter();
    const order: string[] = [];
    const enter = (name: string, again: boolean) => admission.enter(again)?.then(() => order.push(name));
    const all = [enter('new 1', false), enter('new 2', false), enter('refused 1', true), enter('refused 2', true)];
    for (let n = 0; n < 4; n++) admission.leave();
    await Promise.all(all);
    expect(order).toEqual(['refused 1', 'refused 2', 'new 1', 'new 2']);
  });

  it('sends no more than runs after a throttle, until it is time to try', async () => {
    const { admission, clock } = admit(10);
    expect(fill(admission)).toBe(10);
    admission.refuse(throttle, 20);
    const again = admission.enter(true);
    expect(admission.onTheWay).toBe(9);
    expect(admission.limit).toBeLessThanOrEqual(9);
    await clock.run(again as Promise<void>);
    expect(clock.now()).toBeGreaterThanOrEqual(50);
    expect(admission.onTheWay).toBe(10);
  });

  it('grows beyond the first thousand by itself, without answers', async () => {
    const { admission, clock } = admit(2_000);
    expect(fill(admission)).toBe(1_000);
    await clock.run(Promise.all(Array.from({ length: 1_000 }, () => admission.enter())));
    expect(clock.now()).toBeLessThan(10_000);
    expect(admission.limit).toBe(2_000);
  });

  it('tells of every throttle', () => {
    let throttles = 0;
    const { admission } = admit(10, { onThrottle: () => throttles++ });
    fill(admission);
    admission.refuse(throttle, 20);
    admission.refuse(throttle, 20);
    admission.leave();
    expect(throttles).toBe(2);
  });

  it('gives up what has waited for longer than patience while everything was refused, and nothing else', async () => {
    const { admission, clock } = admit(3, { throttleMs: 10_000 });
    fill(admission);
    const early = [admission.enter(), admission.enter()].map((turn) => turn?.catch((error: unknown) => error));
    let sends = 0;
    let late: Promise<void> | undefined;
    let gone = false;
    const leaves = () => {
      gone = true;
    };
    const tryAgain = async () => {
      for (;;) {
        admission.refuse(throttle, 20);
        sends++;
        if (clock.now() > 5_000) late ??= admission.enter()?.then(leaves, leaves);
        await admission.enter(true);
      }
    };
    admission.refuse(throttle, 20);
    admission.refuse(throttle, 20);
    void tryAgain();
    expect(await clock.run(Promise.all(early))).toEqual([throttle, throttle]);
    expect(clock.now()).toBeGreaterThanOrEqual(10_000);
    expect(clock.now()).toBeLessThan(12_000);
    expect(sends).toBeGreaterThan(5);
    expect([late === undefined, gone]).toEqual([false, false]);
  });

  it('refuses those that wait when the signal aborts, and all that come later', async () => {
    const abort = new AbortController();
    const { admission } = admit(1, { signal: abort.signal });
    admission.enter();
    const waiting = admission.enter();
    const reason = new Error('stop');
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(() => admission.enter()).toThrow(reason);
  });

  it('takes another cap at once, and never goes above what Lambda was found to take for it', async () => {
    const { admission } = admit(2);
    fill(admission);
    const waiting = admission.enter();
    admission.capAt(3);
    await waiting;
    admission.capAt(1);
    expect([admission.limit, admission.onTheWay]).toEqual([1, 3]);
    admission.capAt(100);
    expect(admission.limit).toBe(100);
    admission.refuse(throttle, 20);
    const lowered = admission.limit;
    expect(lowered).toBeLessThanOrEqual(2);
    admission.capAt(200);
    expect(admission.limit).toBe(lowered);
  });
});
