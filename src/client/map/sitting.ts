import type { ClientContext } from '../context.js';
import type { Mapped } from './item.js';
import type { MapJournal } from './journal/journal.js';
import type { RunControl } from './run.js';
import type { Subject } from './subject.js';
import { completeWork, concludeIfOver, type MapWork, mapSubjects, prepareWork, type WorkOptions } from './work.js';

/** One process's part of a run: the first one's, or that of one that goes on with it. */
export interface Sitting<Own> {
  functionName: string;
  options: WorkOptions;
  journal?: MapJournal;
  /** Results of earlier sittings that stand. */
  earlier?(signal: AbortSignal): AsyncIterable<{ id: string; item: Mapped<Own> }>;
  /** What there is to do, read as it is needed. */
  steps(work: MapWork<Own>): AsyncGenerator<SittingStep<Own>>;
  /** Told when nothing more is to be sent, in an asynchronous run. */
  allSent?(): Promise<void>;
}

/** What one invocation works on; so many objects that are skipped; or a result that stands after all. */
export type SittingStep<Own, Kind extends Subject<Own> = Subject<Own>> =
  | { subjects: Kind[] }
  | { skipped: number }
  | { result: Mapped<Own> };

/** The way of a run's subjects: what is there already, what is left, and what comes of it. */
export async function runSitting<Own extends object>(
  context: ClientContext,
  run: RunControl<Own>,
  { functionName, options, journal, earlier, steps, allSent }: Sitting<Own>,
): Promise<void> {
  const { flow, tally } = run;
  let work: MapWork<Own> | undefined;
  try {
    work = await prepareWork(context, functionName, options, run, journal);
    const known = earlier ? await replay(run, earlier(run.admitting)) : new Set<string>();
    if (known.size > 0) concludeIfOver(run, options.completion);
    const left = steps(work);
    try {
      while (!flow.concluded) {
        const full = flow.room();
        if (full) {
          await full;
          continue;
        }
        const next = await left.next();
        if (next.done) {
          tally.listingDone();
          break;
        }
        take(work, next.value, known);
      }
    } finally {
      await left.return(undefined);
    }
    run.progressed();
    if (work.queue) {
      await Promise.race([work.queue.complete(), flow.settled()]);
      if (work.queue.isSent && tally.isListed) await allSent?.();
    }
    await completeWork(work);
  } catch (error) {
    run.fail(error);
    throw error;
  } finally {
    // What is under way when a run ends early has its time yet, and its results are to be kept.
    await flow.settled();
    await work?.larger?.remove();
    await journal?.close();
  }
}

function take<Own extends object>(work: MapWork<Own>, step: SittingStep<Own>, known: ReadonlySet<string>): void {
  const { run, queue } = work;
  if ('subjects' in step) {
    const subjects = known.size === 0 ? step.subjects : step.subjects.filter(({ id }) => !known.has(id));
    if (subjects.length === 0) return;
    run.tally.start(subjects.length);
    queue?.expect(subjects.length);
    run.flow.add(mapSubjects(work, subjects));
    return;
  }
  if ('skipped' in step) run.tally.skip(step.skipped);
  else give(run, step.result);
  run.progressed();
}

/** Gives a result that is there already. */
function give<Own extends object>({ flow, tally }: RunControl<Own>, item: Mapped<Own>): void {
  tally.replay(item);
  flow.add(Promise.resolve([item]));
}

/** Gives the results of earlier sittings, and says whose they are. */
async function replay<Own extends object>(
  run: RunControl<Own>,
  results: AsyncIterable<{ id: string; item: Mapped<Own> }>,
): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  const { flow } = run;
  for await (const { id, item } of results) {
    for (let full = flow.room(); full; full = flow.room()) await full;
    if (flow.concluded) break;
    known.add(id);
    give(run, item);
    run.progressed();
  }
  return known;
}
