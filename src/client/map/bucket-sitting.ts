import type { InvocationOptions } from '../../contract/index.js';
import { ValidationError } from '../../errors.js';
import { isRepeatable } from '../../util/until-aborted.js';
import type { ClientContext } from '../context.js';
import { invocationOptions, objectRecord, type RecordOrigin, recordOrigin, roomForRecords } from '../invocation.js';
import type { ResumeOptions } from '../resume-map.js';
import { type EventRoom, type KnownObjects, needsKnown, type ObjectInput, readInputs } from './inputs.js';
import type { MappedObject } from './item.js';
import { makeHead, storedOptions } from './journal/head.js';
import { type EarlierResult, MapJournal } from './journal/journal.js';
import { openJournalStore } from './journal/place.js';
import type { MapOptions } from './options.js';
import { countSteps, notRepeatable, type Planned } from './plan.js';
import { queuedSitting, retriedSitting } from './queued-sitting.js';
import type { RunControl } from './run.js';
import type { Sitting, SittingStep } from './sitting.js';
import { ObjectSubject, objectId, objectOfId } from './subject.js';
import { refuseTriggeredPlaces } from './triggered-place.js';
import type { MapWork } from './work.js';

type BucketSitting = Sitting<MappedObject>;
/** One whose steps are about objects. */
export type ObjectSitting = Omit<BucketSitting, 'steps'> & {
  /** @param known - objects that the journal tells of */
  steps(work: Work, known?: KnownObjects): ObjectSteps;
};

/** A new run. */
export async function beginSitting(
  context: ClientContext,
  functionName: string,
  options: MapOptions,
  run: RunControl<MappedObject>,
): Promise<BucketSitting> {
  const { mode, results, journal: wanted } = options;
  const sitting = { functionName, options, steps: (work: Work) => selected(work, options) };
  const place = mode === 'async' ? results : wanted;
  countObjects(context, functionName, options, run);
  await refuseTriggeredPlaces(context, functionName, options, run.runId, run.admitting);
  if (!place) return sitting;
  const head = await makeHead(run.runId, functionName, options);
  const store = await openJournalStore(context.objects, place, run.runId, 'new');
  const journal = await MapJournal.begin(store, head, (error) => run.conclude(error));
  return mode === 'async' ? queuedSitting(sitting, journal, run) : { ...sitting, journal };
}

/** A run that a journal tells of. */
export async function resumeSitting(
  context: ClientContext,
  options: ResumeOptions,
  run: RunControl<MappedObject>,
): Promise<BucketSitting> {
  const { retryFailed } = options;
  const store = await openJournalStore(context.objects, options.journal || true, run.runId, 'existing');
  const journal = await MapJournal.open(store, (error) => run.conclude(error), run.admitting);
  try {
    const { functionName, options: stored } = journal.head;
    // What an asynchronous run retries is all in its journal.
    const needsList = !(retryFailed && stored.mode === 'async');
    const all = resumedOptions(journal, options, needsList);
    run.tally.isOf({ functionName, bucket: all.bucket, prefix: all.prefix ?? '' });
    run.flow.ordered = all.ordered ?? false;
    if (all.keys || !stored.givenKeys) countObjects(context, functionName, all, run);
    await refuseTriggeredPlaces(context, functionName, all, run.runId, run.admitting);
    const steps = (work: Work, known?: KnownObjects) => selected(work, all, known);
    const sitting = { functionName, options: all, steps };
    if (all.mode === 'async') return (retryFailed ? retriedSitting : queuedSitting)(sitting, journal, run);
    const known = new Map<string, ObjectInput>();
    const earlier = (signal: AbortSignal) => resultsOf(journal, known, signal);
    const resumed = { ...sitting, journal, earlier, steps: (work: Work) => steps(work, known) };
    return retryFailed ? retrySitting(resumed, run) : resumed;
  } catch (error) {
    await journal.close();
    throw error;
  }
}

/** A sitting of a run that waits for its results, after the first. */
type ResumedSitting = Omit<ObjectSitting, 'earlier'> & { earlier(signal: AbortSignal): AsyncIterable<EarlierResult> };

/** @param known - gets the objects of the results */
async function* resultsOf(
  journal: MapJournal,
  known: Map<string, ObjectInput>,
  signal: AbortSignal,
): AsyncGenerator<EarlierResult, undefined> {
  const wanted = needsKnown(journal.head.options);
  for await (const result of journal.results(signal)) {
    if (wanted) {
      const object = objectOfId(result.id, result.item);
      known.set(objectId(object), object);
    }
    yield result;
  }
}

/** Runs again what failed, and nothing else. What is not found any more keeps the result that it has. */
function retrySitting(sitting: ResumedSitting, { tally }: RunControl<MappedObject>): BucketSitting {
  const failed = new Map<string, EarlierResult>();
  const succeeded = new Set<string>();
  return {
    ...sitting,
    async *earlier(signal) {
      for await (const result of sitting.earlier(signal)) {
        if (result.item.status === 'failed') {
          failed.set(result.id, result);
          continue;
        }
        succeeded.add(result.id);
        yield result;
      }
    },
    async *steps(work) {
      // To the end, also if nothing has failed: the run may not have come so far.
      for await (const step of sitting.steps(work)) {
        if (!('subjects' in step)) {
          yield step;
          continue;
        }
        const others = step.subjects.filter(({ id }) => !failed.has(id) && !succeeded.has(id));
        tally.leaveOut(others.length);
        const subjects = step.subjects.filter((subject) => {
          subject.executed = failed.get(subject.id)?.execution ?? 0;
          return failed.delete(subject.id);
        });
        if (subjects.length > 0) yield { subjects };
      }
      for (const { item } of failed.values()) yield { result: item };
    },
  };
}

/** What the journal's run was asked for, with what is another in this sitting; the run may go on meanwhile. */
export async function readOptions(
  context: ClientContext,
  runId: string,
  options: ResumeOptions,
): Promise<{ functionName: string; options: MapOptions }> {
  const store = await openJournalStore(context.objects, options.journal || true, runId, 'read');
  const journal = await MapJournal.open(store, () => {}, new AbortController().signal);
  await journal.close();
  return { functionName: journal.head.functionName, options: resumedOptions(journal, options) };
}

function resumedOptions(
  { head }: MapJournal,
  { journal, keys, concurrency, drainMs, signal }: ResumeOptions,
  needsList = true,
): MapOptions {
  if (head.options.givenKeys && !keys && needsList) {
    const hint = 'A journal has results, and not the list';
    throw new ValidationError('keys', 'be given again, as mapOverBucket had them', keys, hint);
  }
  if (keys && !head.options.givenKeys) {
    const hint = 'Leave it out: the objects are those that the run selected';
    throw new ValidationError('keys', 'not be given, as mapOverBucket had none', keys, hint);
  }
  const now = { journal, keys, concurrency, drainMs, signal };
  for (const name of Object.keys(now) as (keyof typeof now)[]) if (now[name] === undefined) delete now[name];
  return { ...storedOptions(head), ...now } as MapOptions;
}

type Work = MapWork<MappedObject>;
type ObjectSteps = AsyncGenerator<SittingStep<MappedObject, ObjectSubject>>;

async function* selected(
  { context, scar, origin, queue, run }: Work,
  options: MapOptions,
  known?: KnownObjects,
): ObjectSteps {
  const { bucket } = options;
  const room = eventRoom(bucket, origin, scar, queue !== undefined);
  for await (const step of readInputs(context.objects, options, room, run.admitting, known)) {
    if ('skipped' in step) yield { skipped: 1 };
    else yield { subjects: step.inputs.map((input) => new ObjectSubject(objectId(input), bucket, input)) };
  }
}

/** A record's idempotency key, with its quotes, and a comma behind each. */
const BYTES_BESIDE_RECORD = 43 + 2 + 2;

function eventRoom(bucket: string, origin: RecordOrigin, scar: InvocationOptions, queued: boolean): EventRoom {
  return {
    bytes: roomForRecords({ ...scar, idempotencyKeys: [] }, { queued }),
    bytesOf: (input) =>
      Buffer.byteLength(JSON.stringify(objectRecord({ bucket, ...input }, origin))) + BYTES_BESIDE_RECORD,
  };
}

/** Lets a run count what it is over; a list that can be read only once is the run's own. */
export function countObjects(
  context: ClientContext,
  functionName: string,
  options: MapOptions,
  run: RunControl<MappedObject>,
): void {
  if (options.keys && !isRepeatable(options.keys)) return;
  run.countedBy(async (signal) => countSteps(await plannedObjects(context, functionName, options), signal));
}

/** What `plan` counts. */
export async function plannedObjects(
  context: ClientContext,
  functionName: string,
  options: MapOptions,
): Promise<Planned> {
  const { bucket, keys, mode } = options;
  if (keys && !isRepeatable(keys)) throw notRepeatable('keys');
  const origin = recordOrigin(await context.region());
  const room = eventRoom(bucket, origin, await invocationOptions(options), mode === 'async');
  return { functionName, bucket, steps: (signal) => readInputs(context.objects, options, room, signal) };
}
