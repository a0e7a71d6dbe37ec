import { expect, it } from 'vitest';
import { countBytes } from '../../../src/util/count-bytes.js';

it('tells a hundred times at most, and of the end', () => {
  const told: [number, number][] = [];
  const count = countBytes(10_000, (...progress) => told.push(progress));
  for (let bytes = 0; bytes < 10_000; bytes += 8) count(8);
  expect(told.length).toBeLessThanOrEqual(100);
  expect(told.length).toBeGreaterThan(90);
  expect(told.at(-1)).toEqual([10_000, 10_000]);
});
