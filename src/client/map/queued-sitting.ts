import { ScarError, ValidationError } from '../../errors.js';
import type { ClientContext } from '../context.js';
import type { ObjectSitting } from './bucket-sitting.js';
import { needsKnown, type ObjectInput } from './inputs.js';
import type { MappedObject } from './item.js';
import type { MapJournal } from './journal/journal.js';
import { type EndLine, type JournalLine, type PlannedLine, parseLine } from './journal/line.js';
import type { ObjectsStore } from './journal/objects-store.js';
import type { MapOptions } from './options.js';
import type { RunControl } from './run.js';
import type { Sitting } from './sitting.js';
import { ObjectSubject, objectId, type QueuedSubject } from './subject.js';

/** Lines that are written to the journal at once: the first few soon, so that the first event is sent soon. */
const FIRST_LINES = 100;
const LINES = 1_000;

/** The sitting of an asynchronous run: what the journal has planned already, then what else there is, each planned before it is sent. */
export function queuedSitting(
  sitting: ObjectSitting,
  journal: MapJournal,
  run: RunControl<MappedObject>,
): Sitting<MappedObject> {
  return {
    ...sitting,
    journal,
    async *steps(work) {
      const known = new Set<string>();
      const objects = new Map<string, ObjectInput>();
      const wanted = needsKnown(journal.head.options);
      const plan = new SendingPlan(journal);
      for await (const line of journal.lines(run.admitting)) {
        if (!('number' in line)) continue;
        known.add(line.id);
        const { chunk: _chunk, ...object } = line.object;
        if (wanted) objects.set(objectId(object), object);
        plan.isKnown(line);
        yield { subjects: [subjectOf(line, 'maybe')] };
      }
      for await (const step of sitting.steps(work, objects)) {
        if (!('subjects' in step)) yield step;
        else plan.add(step.subjects.filter(({ id }) => !known.has(id)));
        if (plan.isFull) yield* plan.write();
      }
      yield* plan.write();
    },
    async allSent() {
      await journal.end({ sent: run.tally.started, skipped: run.tally.skipped });
      run.sent(run.tally.started);
    },
  };
}

/** What is to be sent next, by invocations; written to the journal before it is. */
class SendingPlan {
  readonly #journal: MapJournal;
  #number = 0;
  #batches: PlannedLine[][] = [];
  #lines = 0;
  #atOnce = FIRST_LINES;

  constructor(journal: MapJournal) {
    this.#journal = journal;
  }

  get isFull(): boolean {
    return this.#lines >= this.#atOnce;
  }

  isKnown({ number }: PlannedLine): void {
    this.#number = Math.max(this.#number, number + 1);
  }

  add(subjects: readonly ObjectSubject[]): void {
    if (subjects.length === 0) return;
    this.#batches.push(subjects.map(({ id, bucket, object }) => ({ id, number: this.#number++, bucket, object })));
    this.#lines += subjects.length;
  }

  async *write(): AsyncGenerator<{ subjects: ObjectSubject[] }> {
    const batches = this.#batches;
    this.#batches = [];
    this.#lines = 0;
    this.#atOnce = LINES;
    if (batches.length > 0) await this.#journal.plan(batches.flat());
    for (const batch of batches) yield { subjects: batch.map((line) => subjectOf(line, 'no')) };
  }
}

function subjectOf(
  { id, number, bucket, object }: PlannedLine,
  sent: QueuedSubject['sent'],
  again = false,
): ObjectSubject {
  return new ObjectSubject(id, bucket, object, { number, sent, again });
}

/**
 * The sitting that runs again what has failed, of all that was sent, and nothing else. It writes nothing: where a later execution was sent, its answer
 * is looked for, and found, by whoever finds a failure.
 */
export function retriedSitting(
  sitting: ObjectSitting,
  journal: MapJournal,
  run: RunControl<MappedObject>,
): Sitting<MappedObject> {
  return {
    ...sitting,
    journal,
    async *steps() {
      let end: EndLine | undefined;
      for await (const line of journal.lines(run.admitting)) end = endOf(line);
      if (!end) {
        const hint = 'Let resumeMap send the rest first, without it';
        throw new ValidationError('retryFailed', 'come when all events of an asynchronous run are sent', true, hint);
      }
      for await (const line of journal.lines(run.admitting)) {
        if ('number' in line) yield { subjects: [subjectOf(line, 'yes', true)] };
      }
      yield { skipped: end.skipped };
    },
    async allSent() {
      run.sent(run.tally.started);
    },
  };
}

/** What a line says if all was sent by then. */
function endOf(line: JournalLine): EndLine | undefined {
  return 'sent' in line ? line : undefined;
}

/** Between two looks at what the sender has written, in ms. */
const FOLLOW_MS = 1_000;

/** A sender writes with each thousand objects: it is gone when nothing has come for so long, and nothing is left that it could be waiting for. */
const SILENCE_MS = 5 * 60_000;

/** The sitting of who looks on: all that was sent, as the one who sends writes it down. */
export function attachedSitting(
  context: ClientContext,
  sitting: { functionName: string; options: MapOptions },
  store: ObjectsStore,
  run: RunControl<MappedObject>,
): Sitting<MappedObject> {
  return {
    ...sitting,
    async *steps() {
      const signal = run.admitting;
      let heardAt = context.now();
      let after = 0;
      for (;;) {
        let end: EndLine | undefined;
        for await (const text of store.lines(signal, { after })) {
          const line = parseLine(text, `A line of part ${store.last} of ${store.name}`);
          heardAt = context.now();
          if ('number' in line) yield { subjects: [subjectOf(line, 'yes')] };
          end = endOf(line);
        }
        if (end) {
          yield { skipped: end.skipped };
          return;
        }
        after = store.last;
        if (run.tally.inFlight > 0) heardAt = context.now();
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
