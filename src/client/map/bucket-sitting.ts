import { ValidationError } from '../../errors.js';
import { isRepeatable } from '../../util/until-aborted.js';
import type { ClientContext } from '../context.js';
import type { ResumeOptions } from '../resume-map.js';
import type { MapItem, MappedObject } from './item.js';
import { makeHead, storedOptions } from './journal/head.js';
import { MapJournal } from './journal/journal.js';
import { type JournalPlace, openJournalStore } from './journal/place.js';
import type { MapOptions } from './options.js';
import { notRepeatable, type Planned } from './plan.js';
import { queuedSitting } from './queued-sitting.js';
import type { RunControl } from './run.js';
import { selectObjects } from './selection.js';
import type { Candidate, Sitting } from './sitting.js';
import { ObjectSubject, objectId } from './subject.js';

type BucketSitting = Sitting<MappedObject>;

/** A new run. */
export async function beginSitting(
  context: ClientContext,
  functionName: string,
  options: MapOptions,
  run: RunControl<MappedObject>,
): Promise<BucketSitting> {
  const place = journalPlace(options);
  const fresh = { functionName, options, subjects: (signal: AbortSignal) => selected(context, options, signal) };
  if (!place) return fresh;
  const head = await makeHead(run.runId, functionName, options);
  const store = await openJournalStore(context.objects, place, run.runId, 'new');
  const journal = await MapJournal.begin(store, head, (error) => run.conclude(error));
  return options.mode === 'async' ? queuedSitting({ ...fresh, options }, journal, run) : { ...fresh, journal };
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
    const all = resumedOptions(journal, options);
    const { functionName } = journal.head;
    run.tally.isOf({ functionName, bucket: all.bucket, prefix: all.prefix ?? '' });
    run.flow.ordered = all.ordered ?? false;
    const resumed = { functionName, options: all };
    if (all.mode === 'async') {
      if (retryFailed) throw new ValidationError('retryFailed', 'come with the journal of a synchronous run', true);
      const subjects = (signal: AbortSignal) => selected(context, all, signal);
      return queuedSitting({ ...resumed, subjects }, journal, run);
    }
    return {
      ...resumed,
      journal,
      earlier: (signal) => standing(journal, retryFailed, signal),
      subjects: (signal) => (retryFailed ? failed(journal, signal) : selected(context, all, signal)),
    };
  } catch (error) {
    await journal.close();
    throw error;
  }
}

/** What the journal's run was asked for, with what is another in this sitting. Opens nothing for long. */
export async function readOptions(
  context: ClientContext,
  runId: string,
  options: ResumeOptions,
): Promise<{ functionName: string; options: MapOptions }> {
  const store = await openJournalStore(context.objects, options.journal || true, runId, 'existing');
  const journal = await MapJournal.open(store, () => {}, new AbortController().signal);
  await journal.close();
  return { functionName: journal.head.functionName, options: resumedOptions(journal, options) };
}

function journalPlace({ mode, results, journal }: MapOptions): JournalPlace | undefined {
  return mode === 'async' ? results : journal;
}

function resumedOptions({ head }: MapJournal, { keys, concurrency, drainMs, signal }: ResumeOptions): MapOptions {
  if (head.options.givenKeys && !keys) {
    const hint = 'A journal has results, and not the list';
    throw new ValidationError('keys', 'be given again, as mapOverBucket had them', keys, hint);
  }
  const now = { keys, concurrency, drainMs, signal };
  for (const name of Object.keys(now) as (keyof typeof now)[]) if (now[name] === undefined) delete now[name];
  return { ...storedOptions(head), ...now } as MapOptions;
}

async function* selected(
  context: ClientContext,
  options: MapOptions,
  signal: AbortSignal,
): AsyncGenerator<Candidate<MappedObject, ObjectSubject>, undefined> {
  // A listing has each key once; a list may have it twice, and then it has two results.
  const given = options.keys !== undefined || options.manifest !== undefined;
  let position = 0;
  for await (const { object, passes } of selectObjects(context.objects, options, signal)) {
    const id = objectId(object, given ? position++ : undefined);
    yield { subject: new ObjectSubject(id, options.bucket, object), passes };
  }
}

/** What is to run again because its last result is a failure. */
async function* failed(journal: MapJournal, signal: AbortSignal): AsyncGenerator<Candidate<MappedObject>, undefined> {
  const subjects: ObjectSubject[] = [];
  // Their results will be written to where they are read from.
  for await (const { id, item } of journal.results(signal)) {
    const { bucket, key, versionId, size, status } = item;
    if (status === 'failed') subjects.push(new ObjectSubject(id, bucket, { key, bytes: size, versionId }));
  }
  for (const subject of subjects) yield { subject, passes: true };
}

async function* standing(
  journal: MapJournal,
  retryFailed: boolean | undefined,
  signal: AbortSignal,
): AsyncGenerator<{ id: string; item: MapItem }> {
  for await (const result of journal.results(signal)) {
    if (!retryFailed || result.item.status === 'succeeded') yield result;
  }
}

/** What `plan` counts. */
export function plannedObjects(context: ClientContext, functionName: string, options: MapOptions): Planned {
  const { bucket, limit, keys, manifest } = options;
  if (keys && !isRepeatable(keys)) throw notRepeatable('keys');
  return {
    functionName,
    bucket,
    limit,
    sized: keys === undefined && manifest === undefined,
    async *entries(signal) {
      for await (const { object, passes } of selectObjects(context.objects, options, signal)) {
        yield { passes, bytes: object.bytes };
      }
    },
  };
}
