import { describe, expect, it } from 'vitest';
import { Capacity } from '../../../../src/client/map/capacity.js';

const RTT_MS = 20;

/** Lets time pass with all of the limit in use; what is above what Lambda takes is refused. Returns how much was. */
function pass(
  capacity: Capacity,
  { from, to, takes }: { from: number; to: number; takes(now: number): number },
): number {
  let refused = 0;
  for (let now = from; now < to; now += 10) {
    capacity.raise(10_000, now);
    while (capacity.limit > takes(now)) {
      capacity.throttled(capacity.limit - 1, RTT_MS, now);
      refused++;
    }
  }
  return refused;
}

describe('Capacity', () => {
  it('begins with what Lambda promises, and does not wait for answers to go on', () => {
    const capacity = new Capacity(0);
    expect(capacity.limit).toBe(1_000);
    expect(capacity.raise(10_000, 0)).toBe(false);
    expect(capacity.raise(10_000, capacity.raiseIn(0))).toBe(true);
  });

  it('takes no refusal to come later than an answer did', () => {
    const raisedAgainIn = (answers: number[]) => {
      const capacity = new Capacity(0);
      for (const ms of answers) capacity.answered(ms);
      capacity.raise(10_000, 1_000);
      return capacity.raiseIn(1_000);
    };
    expect(raisedAgainIn([])).toBe(200);
    expect(raisedAgainIn([5_000])).toBe(200);
    expect(raisedAgainIn([60, 40, 90])).toBe(80);
    expect(raisedAgainIn([1])).toBe(50);
  });

  it('never goes above the cap', () => {
    const capacity = new Capacity(0);
    pass(capacity, { from: 0, to: 20_000, takes: () => 1e6 });
    expect(capacity.limit).toBe(10_000);
    expect(capacity.raise(10_000, 30_000)).toBe(false);
    expect(capacity.raise(10_007, 30_000)).toBe(true);
    expect(capacity.limit).toBe(10_007);
  });

  it('finds warm environments in seconds', () => {
    const capacity = new Capacity(0);
    expect(pass(capacity, { from: 0, to: 3_000, takes: () => 10_000 })).toBe(0);
    expect(capacity.limit).toBe(10_000);
  });

  it('follows the documented ramp closely with few throttles', () => {
    const capacity = new Capacity(0);
    const ramp = (now: number) => 1_000 + now / 10;
    const refused = pass(capacity, { from: 0, to: 60_000, takes: ramp });
    expect(capacity.limit).toBeGreaterThan(ramp(60_000) - 150);
    expect(refused).toBeLessThan(1_000);
  });

  it('takes up a thousand at once, as if the ramp came in steps', () => {
    const capacity = new Capacity(0);
    const steps = (now: number) => 1_000 * (1 + Math.floor(now / 10_000));
    pass(capacity, { from: 0, to: 12_500, takes: steps });
    expect(capacity.limit).toBe(2_000);
  });

  it('falls to what runs when a raise is refused, and no further', () => {
    const capacity = new Capacity(0);
    pass(capacity, { from: 0, to: 10_000, takes: () => 1_200 });
    const refused = pass(capacity, { from: 10_000, to: 30_000, takes: () => 1_200 });
    expect(capacity.limit).toBe(1_200);
    expect(refused).toBeLessThan(40);
  });

  it('decreases once for all throttles of one moment when Lambda takes less than it did', () => {
    const capacity = new Capacity(0);
    for (let others = 999; others >= 900; others--) capacity.throttled(others, RTT_MS, 1_000);
    // At the first that went 1 % below what held, by 5 %; then as far as what runs.
    expect(capacity.limit).toBe(900);
    capacity.throttled(850, RTT_MS, 2_000);
    expect(capacity.limit).toBe(Math.floor(850 * 0.95));
  });

  it('comes back within seconds when there is room again', () => {
    const capacity = new Capacity(0);
    pass(capacity, { from: 0, to: 10_000, takes: () => 10_000 });
    pass(capacity, { from: 10_000, to: 40_000, takes: () => 5_000 });
    expect(capacity.limit).toBeLessThanOrEqual(5_000);
    pass(capacity, { from: 40_000, to: 43_000, takes: () => 10_000 });
    expect(capacity.limit).toBe(10_000);
  });

  it('tries one a second when Lambda refuses everything', () => {
    const capacity = new Capacity(0);
    pass(capacity, { from: 0, to: 10_000, takes: () => 0 });
    expect(capacity.limit).toBe(0);
    const refused = pass(capacity, { from: 10_000, to: 70_000, takes: () => 0 });
    expect(refused).toBeGreaterThanOrEqual(58);
    expect(refused).toBeLessThanOrEqual(61);
  });

  it('waits longer for throttles that take longer to come', () => {
    const [near, far] = [new Capacity(0), new Capacity(0)];
    for (let n = 0; n < 100; n++) {
      near.throttled(500, 10, 0);
      far.throttled(500, 400, 0);
    }
    near.raise(10_000, 2_000);
    far.raise(10_000, 2_000);
    expect(near.raiseIn(2_000)).toBe(50);
    expect(far.raiseIn(2_000)).toBeCloseTo(800, 0);
  });
});
