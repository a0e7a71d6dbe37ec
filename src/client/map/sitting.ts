import { ValidationError } from '../../errors.js';
import type { ClientContext } from '../context.js';
import type { ResumeOptions } from '../resume-map.js';
import type { MapItem } from './item.js';
import { makeHead, storedOptions } from './journal/head.js';
import { MapJournal } from './journal/journal.js';
import { openJournalStore } from './journal/place.js';
import type { MapOptions } from './options.js';
import type { RunControl } from './run.js';
import { selectObjects } from './selection.js';
import { type Subject, subjectOf } from './subject.js';
import { completeWork, mapSubjects, prepareWork } from './work.js';

/** One process's part of a run: the first one's, or that of one that goes on with it. */
export interface Sitting {
  functionName: string;
  options: MapOptions;
  journal: MapJournal | undefined;
  /** Results of earlier sittings that stand. */
  earlier(signal: AbortSignal): AsyncIterable<{ id: string; item: MapItem }>;
  /** What is to run again, if that is all. */
  failures: Subject[] | undefined;
}

/** The way of a run's objects: what is there already, what is left, and what comes of it. */
export async function runSitting(context: ClientContext, run: RunControl, sitting: Sitting): Promise<void> {
  const { functionName, options, journal } = sitting;
  const { flow, tally } = run;
  try {
    const work = { ...(await prepareWork(context, functionName, options, run)), journal };
    const known = await replay(run, sitting);
    const subjects = select(context, sitting, run.admitting);
    try {
      while (tally.started < (options.limit ?? Number.POSITIVE_INFINITY) && !flow.concluded) {
        const full = flow.room();
        if (full) {
          await full;
          continue;
        }
        const next = await subjects.next();
        if (next.done) break;
        const { subject, passes } = next.value;
        if (known.has(subject.id)) continue;
        if (!passes) {
          tally.skip();
          run.progressed();
          continue;
        }
        tally.start();
        flow.add(mapSubjects(work, [subject]));
      }
    } finally {
      await subjects.return(undefined);
    }
    tally.listingDone();
    run.progressed();
    await completeWork(work);
    await flow.settled();
  } finally {
    await journal?.close();
  }
}

/** Gives the results of earlier sittings, and says whose they are. */
async function replay(run: RunControl, sitting: Sitting): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  const { flow, tally } = run;
  for await (const { id, item } of sitting.earlier(run.admitting)) {
    for (let full = flow.room(); full; full = flow.room()) await full;
    if (flow.concluded) break;
    known.add(id);
    tally.replay(item);
    flow.add(Promise.resolve([item]));
    run.progressed();
  }
  return known;
}

async function* select(
  context: ClientContext,
  { options, failures }: Sitting,
  signal: AbortSignal,
): AsyncGenerator<{ subject: Subject; passes: boolean }, undefined> {
  if (failures) {
    for (const subject of failures) yield { subject, passes: true };
    return;
  }
  // A listing has each key once; a list may have it twice, and then it has two results.
  const given = options.keys !== undefined || options.manifest !== undefined;
  let position = 0;
  for await (const { object, passes } of selectObjects(context.objects, options, signal)) {
    yield { subject: subjectOf(object, given ? position++ : undefined), passes };
  }
}

/** A new run. */
export async function beginSitting(functionName: string, options: MapOptions, run: RunControl): Promise<Sitting> {
  const { journal: place } = options;
  const fresh = { functionName, options, failures: undefined, earlier: async function* () {} };
  if (place === undefined || place === false) return { ...fresh, journal: undefined };
  const head = await makeHead(run.runId, functionName, options);
  const store = await openJournalStore(place, run.runId, 'new');
  return { ...fresh, journal: await MapJournal.begin(store, head, (error) => run.conclude(error)) };
}

/** A run that a journal tells of. */
export async function resumeSitting(options: ResumeOptions, run: RunControl): Promise<Sitting> {
  const store = await openJournalStore(options.journal || true, run.runId, 'existing');
  const journal = await MapJournal.open(store, (error) => run.conclude(error), run.admitting);
  try {
    const all = resumedOptions(journal, options);
    const { functionName } = journal.head;
    run.tally.isOf({ functionName, bucket: all.bucket, prefix: all.prefix ?? '' });
    run.flow.ordered = all.ordered ?? false;
    const failures = options.retryFailed ? await failedSubjects(journal, run.admitting) : undefined;
    return { functionName, options: all, journal, failures, earlier: (signal) => standing(journal, failures, signal) };
  } catch (error) {
    await journal.close();
    throw error;
  }
}

/** What the journal's run was asked for, with what is another in this sitting. Opens nothing for long. */
export async function readOptions(
  runId: string,
  options: ResumeOptions,
): Promise<{ functionName: string; options: MapOptions }> {
  const store = await openJournalStore(options.journal || true, runId, 'existing');
  const journal = await MapJournal.open(store, () => {}, new AbortController().signal);
  await journal.close();
  return { functionName: journal.head.functionName, options: resumedOptions(journal, options) };
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

async function failedSubjects(journal: MapJournal, signal: AbortSignal): Promise<Subject[]> {
  const failed: Subject[] = [];
  for await (const { id, item } of journal.results(signal)) {
    const { key, versionId, size, status } = item;
    if (status === 'failed') failed.push({ id, object: { key, bytes: size, versionId } });
  }
  return failed;
}

async function* standing(journal: MapJournal, failures: Sitting['failures'], signal: AbortSignal) {
  for await (const result of journal.results(signal)) {
    if (!failures || result.item.status === 'succeeded') yield result;
  }
}
