import { describe, expect, it } from 'vitest';
import {
  type ContainerOutcome,
  type InvocationResponse,
  MAX_RESPONSE_BYTES,
  MIN_OUTCOME_BYTES,
} from '../../../src/contract/index.js';
import { fitResponse } from '../../../supervisor/response-size.js';

interface Sizes {
  outputs?: number;
  /** Characters of each tail. */
  tail?: number;
  /** Of a failure's message. */
  message?: number;
}

function outcome(key: string, { outputs = 0, tail = 0, message = 0 }: Sizes): ContainerOutcome {
  const text = '\u001b'.repeat(tail); // as long in JSON as any character
  return {
    status: 'failed',
    reason: 'out-of-memory',
    message: '\u001b'.repeat(message),
    input: { bucket: 'b'.repeat(63), key, bytes: Number.MAX_SAFE_INTEGER, versionId: 'v'.repeat(32) },
    exitCode: null,
    signal: 'SIGVTALRM',
    outputs: Array.from({ length: outputs }, (_, i) => ({ bucket: 'b', key: `${'k'.repeat(900)}${i}`, bytes: i })),
    stdout: { text, bytes: Number.MAX_SAFE_INTEGER },
    stderr: { text, bytes: Number.MAX_SAFE_INTEGER },
    timings: { pullMs: 900_000.1, stageInMs: 900_000.1, containerMs: 900_000.1, stageOutMs: 900_000.1 },
  };
}

function response(...outcomes: ContainerOutcome[]): InvocationResponse {
  const image = { digest: `sha256:${'0'.repeat(64)}`, pulled: false };
  return { scar: 1, requestId: 'r', environmentId: 'e', coldStart: false, image, outcomes };
}

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

describe('a response', () => {
  it('is left alone if it fits, of however many records', () => {
    const small = response(outcome('a', { outputs: 3_000 }), ...Array(500).fill(outcome('b', { tail: 400 })));
    const before = structuredClone(small);
    fitResponse(small);
    expect(small).toEqual(before);
  });

  it('loses of what containers wrote the beginning, and no more than it must', () => {
    const tails = response(...Array.from({ length: 100 }, (_, n) => outcome(`k${n}`, { tail: 16_384, outputs: 3 })));
    tails.outcomes.push({ ...outcome('last', {}), stdout: { text: `${'x'.repeat(16_000)} the end`, bytes: 16_008 } });
    fitResponse(tails);
    expect(bytesOf(tails)).toBeLessThanOrEqual(MAX_RESPONSE_BYTES);
    expect(tails.outcomes.map(({ outputs }) => outputs.length)).toEqual([...Array(100).fill(3), 0]);
    expect(tails.outcomes[0]?.stdout).toEqual({ text: '\u001b'.repeat(4_096), bytes: Number.MAX_SAFE_INTEGER });
    expect(tails.outcomes[100]?.stdout).toEqual({ text: `${'x'.repeat(4_088)} the end`, bytes: 16_008 });
  });

  it('loses of outputs those at the end of the longest lists, and counts them', () => {
    const large = response(...[9_000, 10, 8_000].map((outputs, n) => outcome(`k${n}`, { outputs, tail: 100 })));
    fitResponse(large);
    expect(bytesOf(large)).toBeLessThanOrEqual(MAX_RESPONSE_BYTES);
    const totals = large.outcomes.map(({ outputs, outputsOmitted = 0 }) => outputs.length + outputsOmitted);
    expect(totals).toEqual([9_000, 10, 8_000]);
    expect(large.outcomes[1]?.outputs).toHaveLength(10);
    expect(large.outcomes[1]).not.toHaveProperty('outputsOmitted');
  });

  it.each([
    ['names of the usual length', 'some/where/in/a/bucket/an-object.txt'],
    ['the longest names', 'k'.repeat(1_024)],
    ['names that JSON must escape', '\u0001'.repeat(1_024)],
  ])('has every outcome, with its status, of as many records as the client sends: %s', (_, key) => {
    const one = outcome(key, { outputs: 20, tail: 16_384, message: 3_000 });
    const count = Math.floor((MAX_RESPONSE_BYTES - 1_000) / (MIN_OUTCOME_BYTES + bytesOf(one.input)));
    const many = response(...Array.from({ length: count }, () => structuredClone(one)));
    fitResponse(many);
    expect(bytesOf(many)).toBeLessThanOrEqual(MAX_RESPONSE_BYTES);
    expect(many.outcomes).toHaveLength(count);
    for (const { status, input, outputs, outputsOmitted = 0, stdout } of many.outcomes) {
      expect([status, input?.key]).toEqual(['failed', key]);
      expect(outputs.length + outputsOmitted).toBe(20);
      expect(stdout.bytes).toBe(Number.MAX_SAFE_INTEGER);
    }
    // Only `input` and the message vary in length.
    const least = many.outcomes[0] as ContainerOutcome;
    expect(bytesOf(least) - bytesOf(least.input)).toBeLessThanOrEqual(MIN_OUTCOME_BYTES);
  });
});
