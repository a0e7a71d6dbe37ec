import { expect, it } from 'vitest';
import type { ContainerOutcome, InvocationResponse } from '../../../src/contract/index.js';
import { fitResponse, MAX_RESPONSE_BYTES } from '../../../supervisor/response-size.js';

function response(...counts: number[]): InvocationResponse {
  const outcomes = counts.map((count): ContainerOutcome => {
    const outputs = Array.from({ length: count }, (_, i) => ({ bucket: 'b', key: `${'k'.repeat(900)}${i}`, bytes: i }));
    return { outputs } as ContainerOutcome;
  });
  return { outcomes } as InvocationResponse;
}

it('leaves a response alone that fits', () => {
  const small = response(3_000, 10);
  fitResponse(small);
  expect(small.outcomes.map(({ outputs }) => outputs.length)).toEqual([3_000, 10]);
  expect(small.outcomes[0]).not.toHaveProperty('outputsOmitted');
});

it('cuts the longest lists until it fits, and counts what it cut', () => {
  const large = response(9_000, 10, 8_000);
  fitResponse(large);
  expect(Buffer.byteLength(JSON.stringify(large))).toBeLessThanOrEqual(MAX_RESPONSE_BYTES);
  const totals = large.outcomes.map(({ outputs, outputsOmitted = 0 }) => outputs.length + outputsOmitted);
  expect(totals).toEqual([9_000, 10, 8_000]);
  expect(large.outcomes[1]?.outputs).toHaveLength(10);
});
