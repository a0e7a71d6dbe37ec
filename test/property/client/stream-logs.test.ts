import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogService, StoredLogEvent } from '../../../src/aws/logs.js';
import { LogPasses, OVERLAP_MS } from '../../../src/client/log/log-passes.js';

const written = fc.record({
  /** ms after the one before. */
  gap: fc.nat(5_000),
  /** How long after it was written CloudWatch tells it. */
  late: fc.nat(OVERLAP_MS - 5_000),
});

describe('passes over a log that grows', () => {
  it('tell every event once, however late it comes, as long as that is within the overlap', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(written, { maxLength: 80 }),
        fc.integer({ min: 1, max: 7 }),
        async (events, pageSize) => {
          let time = 1_000_000;
          const log = events.map(({ gap, late }, n) => {
            time += gap;
            return { id: `${n}`, timestamp: time, stream: 's', message: `${n}`, visibleAt: time + late };
          });
          let now = 1_000_000;
          const service = {
            async *events(_group: string, query: { since?: number | undefined }): AsyncGenerator<StoredLogEvent[]> {
              const visible = log.filter((event) => event.visibleAt <= now && event.timestamp >= (query.since ?? 0));
              const sorted = visible.toSorted((a, b) => a.timestamp - b.timestamp);
              for (let from = 0; from < sorted.length; from += pageSize) yield sorted.slice(from, from + pageSize);
            },
          } as Pick<LogService, 'events'> as LogService;
          const passes = new LogPasses(service, 'group', {}, () => now);
          const told: string[] = [];
          while (now < time + 2 * OVERLAP_MS) {
            now += 1_000;
            for await (const page of passes.pass(new AbortController().signal))
              told.push(...(page ?? []).map(({ id }) => id));
          }
          expect(told.toSorted()).toEqual(log.map(({ id }) => id).toSorted());
        },
      ),
      { numRuns: 60 },
    );
  });
});
