import { ScarError } from '../../errors.js';
import type { ClientContext } from '../context.js';
import type { MappedObject } from './item.js';
import type { JournalLine, MapJournal, PlannedLine } from './journal/journal.js';
import type { ObjectsStore } from './journal/objects-store.js';
import type { MapOptions } from './options.js';
import type { RunControl } from './run.js';
import type { Candidate, Sitting } from './sitting.js';
import { ObjectSubject } from './subject.js';

/** Lines that are written to the journal at once: the first few soon, so that the first event is sent soon. */
const FIRST_LINES = 100;
const LINES = 1_000;

type Objects = AsyncGenerator<Candidate<MappedObject, ObjectSubject>, undefined>;

/** The sitting of an asynchronous run: what the journal has planned already, then what else there is, each planned before it is sent. */
export function queuedSitting(
  sitting: { functionName: string; options: MapOptions; subjects(signal: AbortSignal): Objects },
  journal: MapJournal,
  run: RunControl<MappedObject>,
): Sitting<MappedObject> {
  const { options } = sitting;
  return {
    functionName: sitting.functionName,
    options,
    journal,
    async *subjects(signal) {
      const known = new Set<string>();
      let number = 0;
      for await (const line of journal.lines(signal)) {
        if (!('number' in line)) continue;
        known.add(line.id);
        number = Math.max(number, line.number + 1);
        yield candidate(options.bucket, line, 'maybe');
      }
      yield* planned(sitting, journal, known, number, signal);
    },
    async allSent() {
      await journal.end({ sent: run.tally.started, skipped: run.tally.skipped });
      run.sent(run.tally.started);
    },
  };
}

async function* planned(
  { options, subjects }: { options: MapOptions; subjects(signal: AbortSignal): Objects },
  journal: MapJournal,
  known: ReadonlySet<string>,
  first: number,
  signal: AbortSignal,
): AsyncGenerator<Candidate<MappedObject>, undefined> {
  const { bucket, limit = Number.POSITIVE_INFINITY } = options;
  let number = first;
  let lines: PlannedLine[] = [];
  let atOnce = FIRST_LINES;
  if (number >= limit) return;
  for await (const one of subjects(signal)) {
    const { id, object } = one.subject;
    if (known.has(id)) continue;
    if (!one.passes) {
      yield one;
      continue;
    }
    lines.push({ id, number: number++, object });
    if (lines.length < atOnce && number < limit) continue;
    atOnce = LINES;
    await journal.plan(lines);
    for (const line of lines) yield candidate(bucket, line, 'no');
    if (number >= limit) return;
    lines = [];
  }
  if (lines.length > 0) await journal.plan(lines);
  for (const line of lines) yield candidate(bucket, line, 'no');
}

function candidate(
  bucket: string,
  { id, number, object }: PlannedLine,
  sent: 'no' | 'maybe' | 'yes',
): Candidate<MappedObject> {
  return { subject: new ObjectSubject(id, bucket, object, { number, sent }), passes: true };
}

/** Between two looks at what the sender has written, in ms. */
const FOLLOW_MS = 1_000;

/** A sender writes with each thousand objects: it is gone when nothing has come for so long. */
const SILENCE_MS = 5 * 60_000;

/** The sitting of who looks on: all that was sent, as the one who sends writes it down. */
export function attachedSitting(
  context: ClientContext,
  sitting: { functionName: string; options: MapOptions },
  store: ObjectsStore,
  run: RunControl<MappedObject>,
): Sitting<MappedObject> {
  const { bucket } = sitting.options;
  return {
    ...sitting,
    async *subjects(signal) {
      let heardAt = context.now();
      let after = 0;
      for (;;) {
        for await (const text of store.lines(signal, { after })) {
          const line = JSON.parse(text) as JournalLine;
          heardAt = context.now();
          if ('number' in line) yield candidate(bucket, line, 'yes');
          if (!('sent' in line)) continue;
          run.tally.skip(line.skipped);
          return;
        }
        after = store.last;
        if (context.now() - heardAt > SILENCE_MS) throw senderIsGone(run.runId);
        await context.sleep(FOLLOW_MS, signal);
      }
    },
  };
}

function senderIsGone(runId: string): ScarError {
  return new ScarError(
    'timeout',
    `The process that sends the run ${runId} should go on or say that it is through; nothing was heard of it for five minutes. ` +
      'Let resumeMap send the rest',
    { context: { runId } },
  );
}
