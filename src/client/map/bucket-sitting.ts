import type { InvocationOptions } from '../../contract/index.js';
import { ValidationError } from '../../errors.js';
import { isRepeatable } from '../../util/until-aborted.js';
import type { ClientContext } from '../context.js';
import { invocationOptions, objectRecord, type RecordOrigin, recordOrigin, roomForRecords } from '../invocation.js';
import type { ResumeOptions } from '../resume-map.js';
import { type EventRoom, type ObjectInput, readInputs } from './inputs.js';
import type { MappedObject } from './item.js';
import { makeHead, storedOptions } from './journal/head.js';
import { type EarlierResult, MapJournal } from './journal/journal.js';
import { openJournalStore } from './journal/place.js';
import type { MapOptions } from './options.js';
import { countSteps, notRepeatable, type Planned } from './plan.js';
import { queuedSitting, retriedSitting } from './queued-sitting.js';
import type { RunControl } from './run.js';
import type { Sitting, SittingStep } from './sitting.js';
import { ObjectSubject, objectId } from './subject.js';
import { refuseTriggeredPlaces } from './triggered-place.js';
import type { MapWork } from './work.js';

type BucketSitting = Sitting<MappedObject>;
/** One whose steps are about objects. */
export type ObjectSitting = Omit<BucketSitting, 'steps'> & { steps(work: Work): ObjectSteps };

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
    const sitting = { functionName, options: all, steps: (work: Work) => selected(work, all) };
    if (all.mode === 'async') return (retryFailed ? retriedSitting : queuedSitting)(sitting, journal, run);
    if (retryFailed) return retrySitting(sitting, journal);
    return { ...sitting, journal, earlier: (signal) => journal.results(signal) };
  } catch (error) {
    await journal.close();
    throw error;
  }
}

/** Runs again what failed, and nothing else. What is not found any more keeps the result that it has. */
function retrySitting(sitting: ObjectSitting, journal: MapJournal): BucketSitting {
  const failed = new Map<string, EarlierResult>();
  return {
    ...sitting,
    journal,
    async *earlier(signal) {
      for await (const result of journal.results(signal)) {
        if (result.item.status === 'succeeded') yield result;
        else failed.set(result.id, result);
      }
    },
    async *steps(work) {
      for await (const step of failed.size === 0 ? [] : sitting.steps(work)) {
        if (!('subjects' in step)) {
          yield step;
          continue;
        }
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

async function* selected({ context, scar, origin, queue, run }: Work, options: MapOptions): ObjectSteps {
  const { bucket, keys, manifest } = options;
  const room = eventRoom(bucket, origin, scar, queue !== undefined);
  // A listing has each key once; a list may have it twice, and then it has two results.
  let position = keys || manifest ? 0 : undefined;
  for await (const step of readInputs(context.objects, options, room, run.admitting)) {
    if ('skipped' in step) {
      yield { skipped: 1 };
      continue;
    }
    const subjects = step.inputs.map((input) => {
      const id = objectId(input, position);
      if (position !== undefined && isLast(input)) position++;
      return new ObjectSubject(id, bucket, input);
    });
    yield { subjects };
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

/** Whether it is a whole object, or the last chunk of one. */
function isLast({ chunk }: ObjectInput): boolean {
  return !chunk || chunk.index === chunk.count - 1;
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
