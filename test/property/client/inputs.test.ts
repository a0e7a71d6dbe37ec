import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BatchSize, group, type Step } from '../../../src/client/map/group.js';

interface Input extends BatchSize {
  n: number;
}

const size = { items: fc.constant(1), bytes: fc.nat(20), eventBytes: fc.nat(20), responseBytes: fc.nat(20) };
const limit = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(Number.POSITIVE_INFINITY));
const limits = fc.record({ items: limit, bytes: limit, eventBytes: limit, responseBytes: limit });
const NAMES = ['items', 'bytes', 'eventBytes', 'responseBytes'] as const;

describe('batches of any inputs', () => {
  it('have each once and in order, are within their limits, and as full as they can be', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(fc.record(size)), { maxLength: 40 }), limits, async (sizes, most) => {
        let read = 0;
        async function* steps(): AsyncGenerator<Step<Input>> {
          for (const [n, input] of sizes.entries()) {
            read++;
            yield input ? { inputs: [{ ...input, n }] } : { skipped: { key: String(n) } };
          }
        }
        const batches: Input[][] = [];
        const skipped: number[] = [];
        for await (const step of group(steps(), most, (input) => input)) {
          if ('skipped' in step) {
            skipped.push(Number(step.skipped.key));
            expect(read, 'what is skipped is told at once').toBe(Number(step.skipped.key) + 1);
          } else {
            batches.push(step.inputs);
            const inputs = sizes.slice(step.inputs.at(-1)?.n).filter((input, n) => input && n > 0);
            const readBeyond = inputs.length - sizes.slice(read).filter((input) => input).length;
            expect(readBeyond, 'inputs that were read beyond the batch').toBeLessThanOrEqual(1);
          }
        }
        const all = [...sizes.entries()];
        expect(batches.flat().map(({ n }) => n)).toEqual(all.filter(([, input]) => input).map(([n]) => n));
        expect(skipped).toEqual(all.filter(([, input]) => !input).map(([n]) => n));
        const exceeds = (inputs: readonly Input[]) =>
          NAMES.some((name) => inputs.reduce((sum, input) => sum + input[name], 0) > most[name]);
        batches.forEach((batch, at) => {
          expect(batch.length).toBeGreaterThan(0);
          expect(batch.length === 1 || !exceeds(batch)).toBe(true);
          const next = batches[at + 1]?.[0];
          expect(next === undefined || exceeds([...batch, next])).toBe(true);
        });
      }),
      { numRuns: 1_000 },
    );
  });
});
