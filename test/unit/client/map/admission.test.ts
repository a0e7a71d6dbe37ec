import { describe, expect, it } from 'vitest';
import { Admission } from '../../../../src/client/map/admission.js';

const never = new AbortController().signal;

/** Sends as many as it lets through. */
function fill(admission: Admission): number {
  let sent = 0;
  while (admission.onTheWay < admission.limit) {
    admission.enter();
    sent++;
  }
  return sent;
}

describe('Admission', () => {
  it('admits up to the cap at once, and the next one when another leaves', async () => {
    const admission = new Admission(2, never);
    expect(admission.enter()).toBeUndefined();
    expect(admission.enter()).toBeUndefined();
    const third = admission.enter();
    expect(third).toBeInstanceOf(Promise);
    admission.leave('answered');
    await third;
    expect(admission.onTheWay).toBe(2);
  });

  it('decreases once for all throttles of one moment', () => {
    const admission = new Admission(100, never);
    fill(admission);
    for (let n = 0; n < 30; n++) admission.leave('throttled');
    expect(admission.limit).toBe(70);
  });

  it('decreases again for requests that were sent after the decrease', () => {
    const admission = new Admission(100, never);
    fill(admission);
    for (let n = 0; n < 100; n++) admission.leave('throttled');
    expect(fill(admission)).toBe(70);
    admission.leave('throttled');
    expect(admission.limit).toBe(49);
  });

  it('never falls below one', () => {
    const admission = new Admission(2, never);
    for (let n = 0; n < 20; n++) {
      admission.enter();
      admission.leave('throttled');
    }
    expect(admission.limit).toBe(1);
    expect(admission.enter()).toBeUndefined();
  });

  it('comes back to the cap and not above it, in about as many rounds as the step says', () => {
    const admission = new Admission(100, never);
    fill(admission);
    for (let n = 0; n < 100; n++) admission.leave('throttled');
    let rounds = 0;
    for (; admission.limit < 100; rounds++) {
      const sent = fill(admission);
      for (let n = 0; n < sent; n++) admission.leave('answered');
    }
    expect(rounds).toBeGreaterThanOrEqual(5);
    expect(rounds).toBeLessThanOrEqual(8);
    for (let n = 0; n < 1000; n++) {
      admission.enter();
      admission.leave('answered');
    }
    expect(admission.limit).toBe(100);
  });

  it('does not change for failures that are no throttles', () => {
    const admission = new Admission(10, never);
    fill(admission);
    admission.leave('failed');
    expect(admission.limit).toBe(10);
  });

  it('tells of every throttle', () => {
    let throttles = 0;
    const admission = new Admission(10, never, () => throttles++);
    fill(admission);
    admission.leave('throttled');
    admission.leave('throttled');
    admission.leave('answered');
    expect(throttles).toBe(2);
  });

  it('refuses those that wait when the signal aborts, and all that come later', async () => {
    const abort = new AbortController();
    const admission = new Admission(1, abort.signal);
    admission.enter();
    const waiting = admission.enter();
    const reason = new Error('stop');
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(() => admission.enter()).toThrow(reason);
  });

  it('takes another cap at once, but for a limit that throttles have lowered', async () => {
    const admission = new Admission(2, never);
    for (let n = 0; n < 2; n++) admission.enter();
    const waiting = admission.enter();
    admission.capAt(3);
    await waiting;
    admission.capAt(1);
    expect([admission.limit, admission.onTheWay]).toEqual([1, 3]);
    admission.capAt(100);
    expect(admission.limit).toBe(100);
    admission.leave('throttled');
    const lowered = admission.limit;
    admission.capAt(200);
    expect(admission.limit).toBe(lowered);
  });
});
