import { describe, expect, it } from 'vitest';
import { bestSchedule } from '../../../support/simulation/best-schedule.js';
import { scenarios } from '../../../support/simulation/scenarios.js';
import { simulate } from '../../../support/simulation/simulate.js';

/** The whole of it, 1,000,000 items at 10,000 at once, is `npm run bench -- simulation`. */
const size = { items: 60_000, concurrency: 3_000, seed: 1 };

/** Over in two seconds with so few items, of which it takes a part to find out what is warm. */
const SHORT = '50 ms each, all warm';
const longer = scenarios({ ...size, items: 3 * size.items });

describe(`a map in virtual time, seed ${size.seed}`, () => {
  for (const { name, concurrency, facts } of [
    ...scenarios(size).filter(({ name }) => name !== SHORT),
    ...longer.filter(({ name }) => name === SHORT),
  ]) {
    it(`takes within 5 % of the best schedule: ${name}`, { timeout: 120_000 }, async () => {
      const best = bestSchedule(facts);
      const { ms, failed } = await simulate(facts, concurrency, size.seed);
      expect(failed).toBe(0);
      expect(ms / best.ms).toBeLessThan(1.05);
    });
  }
});
