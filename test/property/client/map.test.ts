import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mapOverBucket } from '../../../src/client/map-over-bucket.js';
import { decodeEventKey } from '../../../src/contract/index.js';
import { answer, response } from '../../unit/client/answers.js';
import { awsError, functionArn, mockedContext } from '../../unit/client/fixtures.js';

/** What happens to the successive sends of one object; after the last, it succeeds. */
type Fate = 'throttle' | 'reset' | 'crash' | 'exit' | 'garbage';
const RAN: readonly Fate[] = ['crash', 'exit', 'garbage'];

const object = fc.record({
  key: fc
    .string({ minLength: 1, maxLength: 20, unit: 'grapheme' })
    .map((text) => text.replace(/[\ud800-\udfff]/g, '?')),
  size: fc.nat(3),
  fates: fc.array(fc.constantFrom<Fate>('throttle', 'reset', 'crash', 'exit', 'garbage'), { maxLength: 3 }),
  turns: fc.nat(4),
});
const turn = () => new Promise((resolve) => setImmediate(resolve));

function send(fate: Fate | undefined) {
  const [outcome] = response().outcomes;
  switch (fate) {
    case 'throttle':
      throw awsError('TooManyRequestsException', 'Rate Exceeded.', {}, 429);
    case 'reset':
      throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    case 'crash':
      return answer({ errorMessage: 'crash' }, { functionError: 'Unhandled' });
    case 'exit':
      return answer({
        ...response(),
        outcomes: [{ ...outcome, status: 'failed', reason: 'exit', exitCode: 1, message: 'no' }],
      });
    case 'garbage':
      return answer('garbage');
    default:
      return answer(response());
  }
}

describe('mapOverBucket, over any listing and any failures', () => {
  it('gives exactly one result for each object, never above the cap, and its sums are right', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(object, { selector: ({ key }) => key, maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 7 }),
        fc.nat(2),
        async (objects, concurrency, pageSize, failures) => {
          const mocked = mockedContext();
          const byKey = new Map(objects.map((entry) => [entry.key, { ...entry, fates: [...entry.fates] }]));
          let [inFlight, most, throttles] = [0, 0, 0];
          mocked.lambda.callsFake(async (input) => {
            if (!input.Payload) {
              return input.FunctionName
                ? { FunctionName: 'f', FunctionArn: functionArn('f'), MemorySize: 512, State: 'Active' }
                : { AccountLimit: { ConcurrentExecutions: 1000, UnreservedConcurrentExecutions: 1000 } };
            }
            const key = decodeEventKey(JSON.parse(Buffer.from(input.Payload).toString()).Records[0].s3.object.key);
            const entry = byKey.get(key);
            most = Math.max(most, ++inFlight);
            for (let n = 0; n < (entry?.turns ?? 0); n++) await turn();
            inFlight--;
            const fate = entry?.fates.shift();
            if (fate === 'throttle') throttles++;
            return send(fate);
          });
          mocked.s3.callsFake(async (input) => {
            const from = Number(input.ContinuationToken ?? 0);
            const page = objects.slice(from, from + pageSize);
            const more = from + pageSize < objects.length;
            return {
              Contents: page.map(({ key, size }) => ({ Key: key, Size: size })),
              IsTruncated: more,
              ...(more && { NextContinuationToken: String(from + pageSize) }),
            };
          });

          const run = mapOverBucket(mocked.context, 'f', { bucket: 'photos', concurrency, retry: { failures } });
          const seen: string[] = [];
          const succeeded = new Set<string>();
          for await (const item of run) {
            seen.push(item.key);
            if (item.status === 'succeeded') succeeded.add(item.key);
          }

          const wanted = objects.filter(({ key, size }) => !(size === 0 && key.endsWith('/')));
          expect(seen.toSorted()).toEqual(wanted.map(({ key }) => key).toSorted());
          // At most three resets: within the four attempts. So what decides is how often it ran in vain.
          const expected = wanted.filter(({ fates }) => fates.filter((fate) => RAN.includes(fate)).length <= failures);
          expect([...succeeded].toSorted()).toEqual(expected.map(({ key }) => key).toSorted());
          expect(most).toBeLessThanOrEqual(concurrency);
          const { summary } = run;
          expect(summary).toMatchObject({ complete: true, cancelled: 0, throttles, listed: objects.length });
          expect(summary.succeeded + summary.failed + summary.skipped).toBe(objects.length);
          expect(Object.values(summary.reasons).reduce((sum, n) => sum + n, 0)).toBe(summary.failed);
          mocked.lambda.restore();
          mocked.s3.restore();
        },
      ),
      { numRuns: 100 },
    );
  });

  it('sends nothing after it was left, wherever that is', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 12 }),
        fc.nat(30),
        async (count, concurrency, leaveAfter) => {
          const mocked = mockedContext();
          let [sent, inFlight] = [0, 0];
          mocked.lambda.callsFake(async (input) => {
            if (!input.Payload) {
              return {
                FunctionName: 'f',
                FunctionArn: functionArn('f'),
                MemorySize: 512,
                AccountLimit: { UnreservedConcurrentExecutions: 99 },
              };
            }
            sent++;
            inFlight++;
            await turn();
            inFlight--;
            return answer(response());
          });
          mocked.s3.callsFake(async () => ({
            Contents: Array.from({ length: count }, (_, n) => ({ Key: `k${n}`, Size: 1 })),
            IsTruncated: false,
          }));
          const run = mapOverBucket(mocked.context, 'f', { bucket: 'photos', concurrency });
          let taken = 0;
          for await (const _ of run) if (++taken > leaveAfter) break;
          expect(inFlight).toBe(0);
          const before = sent;
          expect(before).toBeLessThanOrEqual(taken + 2 * concurrency);
          for (let n = 0; n < 10; n++) await turn();
          expect(sent).toBe(before);
          const { summary } = run;
          expect(summary.listed).toBe(summary.succeeded + summary.failed + summary.skipped + summary.cancelled);
          mocked.lambda.restore();
          mocked.s3.restore();
        },
      ),
      { numRuns: 60 },
    );
  });
});
