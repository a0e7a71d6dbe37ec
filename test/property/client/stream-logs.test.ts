import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogQuery, LogService, StoredLogEvent } from '../../../src/aws/logs.js';
import { InvocationLog } from '../../../src/client/log/invocation-log.js';
import type { LogEvent } from '../../../src/client/log/log-event.js';
import { LogPasses, OVERLAP_MS } from '../../../src/client/log/log-passes.js';
import { NewEvents } from '../../../src/client/log/new-events.js';

const BEGIN = 1_000_000;

interface Written extends StoredLogEvent {
  /** From when on passes find it. */
  visibleAt: number;
}

/** CloudWatch as passes see it: what is visible by now, in order, in pages; and a clock that the test moves. */
function cloudWatch(log: readonly Written[], pageSize: number) {
  const clock = { now: BEGIN, failAfterPages: Number.POSITIVE_INFINITY };
  const service = {
    async *events(_group: string, { since = 0, until = Number.POSITIVE_INFINITY }: LogQuery) {
      const visible = log
        .filter(({ visibleAt, timestamp }) => visibleAt <= clock.now && timestamp >= since && timestamp <= until)
        .toSorted((a, b) => a.timestamp - b.timestamp);
      for (let from = 0; from < visible.length; from += pageSize) {
        if (from / pageSize >= clock.failAfterPages) throw new Error('throttled');
        yield visible.slice(from, from + pageSize);
      }
    },
  } as Pick<LogService, 'events'> as LogService;
  return { clock, service };
}

/** One complete pass, or as much of it as comes before it fails. */
async function pages(source: NewEvents | ReturnType<InvocationLog['of']>, onPage: (page: LogEvent[]) => void) {
  try {
    for await (const page of source.pass(new AbortController().signal)) onPage(page ?? []);
    return true;
  } catch {
    return false;
  }
}

const written = fc.record({
  /** ms after the one before: often none, so that equal lines share a millisecond. */
  gap: fc.oneof(fc.constant(0), fc.nat(5_000), fc.nat(OVERLAP_MS)),
  stream: fc.constantFrom('s1', 's2'),
  message: fc.constantFrom('a', 'b\n'),
  /** How long after it was written CloudWatch's search finds it. */
  late: fc.nat(OVERLAP_MS),
  /** How long after that it was written Live Tail brings it: not at all, once or more often, also when it is long told. */
  tailed: fc.array(fc.nat(2 * OVERLAP_MS), { maxLength: 3 }),
});

const step = fc.record({
  /** Pause before it, in ms. */
  pause: fc.integer({ min: 1, max: 10_000 }),
  /** The pass fails after so many pages; never if undefined. */
  fails: fc.option(fc.nat(2), { nil: undefined, freq: 3 }),
});

describe('passes over a log that grows', () => {
  it('tell every event once, whatever Live Tail brings beside them, twice, late or not at all', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(written, { maxLength: 60 }),
        fc.array(step, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 7 }),
        fc.boolean(),
        async (events, steps, pageSize, besideLiveTail) => {
          let timestamp = BEGIN;
          const log = events.map(({ gap, late, ...event }, n) => {
            timestamp += gap;
            return { ...event, id: `${n}`, timestamp, visibleAt: timestamp + late };
          });
          const end = timestamp + 3 * OVERLAP_MS;
          const arrivals = log
            .flatMap((event) => event.tailed.map((delay) => ({ event, at: event.timestamp + delay })))
            .toSorted((a, b) => a.at - b.at);
          const { clock, service } = cloudWatch(log, pageSize);
          const told: Pick<LogEvent, 'stream' | 'timestamp' | 'message' | 'eventId'>[] = [];
          const source = new NewEvents(new LogPasses(service, 'group', {}, () => clock.now), { besideLiveTail });
          const bringTailed = () => {
            while (arrivals[0] && arrivals[0].at <= clock.now) {
              const { stream, timestamp, message } = (arrivals.shift() as (typeof arrivals)[number]).event;
              const event = { stream, timestamp, message: message.trimEnd() };
              if (source.claim(event)) told.push(event);
            }
          };
          for (let n = 0; clock.now < end; n++) {
            const { pause, fails } = steps[n % steps.length] as (typeof steps)[number];
            clock.now += pause;
            // The last ones must get through, or nothing would.
            const mayFail = clock.now < end - OVERLAP_MS;
            clock.failAfterPages = mayFail ? (fails ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
            await pages(source, (page) => {
              told.push(...page);
              bringTailed();
            });
            bringTailed();
          }
          const line = ({ stream, timestamp, message }: Omit<StoredLogEvent, 'id'>) =>
            `${stream} ${timestamp} ${message.trimEnd()}`;
          expect(told.map(line).toSorted()).toEqual(log.map(line).toSorted());
          const ids = told.flatMap(({ eventId }) => eventId ?? []);
          expect(new Set(ids).size, 'no ID is told twice').toBe(ids.length);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('the log of one invocation', () => {
  const output = fc.record({ gap: fc.nat(20), late: fc.nat(14_000) });
  const invocation = fc.record({
    gap: fc.nat(50),
    lines: fc.array(output, { maxLength: 8 }),
    late: fc.array(fc.nat(14_000), { minLength: 3, maxLength: 3 }),
  });

  it('has all of its events, once, and no others, in whatever order CloudWatch finds them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(invocation, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(4),
        async (invocations, pageSize, chosen) => {
          const log: (Written & { of: string })[] = [];
          let timestamp = BEGIN;
          // What comes after an END is not found before it: nothing else could tell whose it is.
          let ended = 0;
          const write = (of: string, message: string, late: number) => {
            const id = `${log.length}`;
            const visibleAt = Math.max(timestamp + late, ended);
            log.push({ id, of, stream: 's', timestamp, message: `${message}\n`, visibleAt });
            return visibleAt;
          };
          for (const [n, { gap, lines, late }] of invocations.entries()) {
            timestamp += gap;
            write(`r${n}`, `START RequestId: r${n} Version: $LATEST`, late[0] ?? 0);
            for (const line of lines) {
              timestamp += line.gap;
              write(`r${n}`, 'the same line', line.late);
            }
            ended = write(`r${n}`, `END RequestId: r${n}`, late[1] ?? 0);
            const facts = 'Duration: 1.00 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\t';
            write(`r${n}`, `REPORT RequestId: r${n}\t${facts}`, late[2] ?? 0);
          }
          const wanted = `r${chosen % invocations.length}`;
          const own = log.filter(({ of }) => of === wanted);
          const tail = own.map(({ message }) => message).join('');
          const { clock, service } = cloudWatch(log, pageSize);
          const asked = new InvocationLog(wanted, tail);
          const source = asked.of(new LogPasses(service, 'group', { since: own[0]?.timestamp }, () => clock.now));
          const told: LogEvent[] = [];
          for (let over = false; !over; ) {
            clock.now += 700;
            await pages(source, (page) => told.push(...page));
            over = asked.passed(clock.now);
          }
          expect(told.map(({ eventId }) => Number(eventId)).toSorted((a, b) => a - b)).toEqual(
            own.map(({ id }) => Number(id)),
          );
          expect(asked.missing).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });
});
