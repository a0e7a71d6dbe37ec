import { describe, expect, it } from 'vitest';
import { divideTime, within } from '../../../supervisor/budget.js';

describe('divideTime', () => {
  it('keeps the reserve for the time after the container', () => {
    expect(divideTime(60_000, 10_000, { now: 0 })).toEqual({
      containerEnd: 50_000,
      killGraceMs: 2_000,
      stageOutEnd: 59_500,
      answerEnd: 59_500,
      deadline: 60_000,
    });
  });

  it('leaves the container half of a time that is shorter than the reserve', () => {
    expect(divideTime(3_000, 10_000, { now: 0 })).toMatchObject({
      containerEnd: 1_500,
      killGraceMs: 300,
      stageOutEnd: 2_850,
    });
  });

  it('takes the time for an answer that is kept from that for outputs', () => {
    const { stageOutEnd, answerEnd } = divideTime(60_000, 10_000, { keepsAnswers: true, now: 0 });
    expect({ stageOutEnd, answerEnd }).toEqual({ stageOutEnd: 57_500, answerEnd: 59_500 });
  });

  it('orders the ends whatever the numbers', () => {
    for (const remaining of [0, 1, 100, 1_000, 12_000, 900_000]) {
      for (const reserve of [0, 500, 10_000, 600_000]) {
        for (const keepsAnswers of [false, true]) {
          const division = divideTime(remaining, reserve, { keepsAnswers, now: 0 });
          const { containerEnd, killGraceMs, stageOutEnd, answerEnd, deadline } = division;
          expect(containerEnd).toBeGreaterThanOrEqual(0);
          expect(containerEnd + killGraceMs).toBeLessThanOrEqual(stageOutEnd);
          expect(stageOutEnd).toBeLessThanOrEqual(answerEnd);
          expect(answerEnd).toBeLessThanOrEqual(deadline);
          expect(deadline).toBe(remaining);
        }
      }
    }
  });
});

describe('within', () => {
  it('ends a stage in time, whatever it throws then', async () => {
    const stage = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('socket hang up'))));
    await expect(within(performance.now() + 5, 'counting', stage)).rejects.toMatchObject({
      reason: 'timeout',
      message: expect.stringContaining('while counting'),
    });
  });

  it('does not begin a stage for which there is no time', async () => {
    let begun = false;
    const stage = async () => {
      begun = true;
    };
    await expect(within(performance.now() - 1, 'counting', stage)).rejects.toMatchObject({ reason: 'timeout' });
    expect(begun).toBe(false);
  });

  it('passes on results and errors of its own', async () => {
    expect(await within(performance.now() + 1_000, 'counting', async () => 3)).toBe(3);
    const error = new Error('own');
    await expect(within(performance.now() + 1_000, 'counting', () => Promise.reject(error))).rejects.toBe(error);
  });
});
