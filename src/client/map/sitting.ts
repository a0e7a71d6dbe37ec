import type { ClientContext } from '../context.js';
import type { Mapped } from './item.js';
import type { MapJournal } from './journal/journal.js';
import type { RunControl } from './run.js';
import type { Subject } from './subject.js';
import { completeWork, mapSubjects, prepareWork, type WorkOptions } from './work.js';

/** One process's part of a run: the first one's, or that of one that goes on with it. */
export interface Sitting<Own> {
  functionName: string;
  options: WorkOptions & { limit?: number };
  journal?: MapJournal;
  /** Results of earlier sittings that stand. */
  earlier?(signal: AbortSignal): AsyncIterable<{ id: string; item: Mapped<Own> }>;
  /** What there is to do, and what is skipped, read as it is needed. */
  subjects(signal: AbortSignal): AsyncGenerator<Candidate<Own>>;
  /** Told when nothing more is to be sent, in an asynchronous run. */
  allSent?(): Promise<void>;
}

export interface Candidate<Own, Kind extends Subject<Own> = Subject<Own>> {
  subject: Kind;
  passes: boolean;
}

/** The way of a run's subjects: what is there already, what is left, and what comes of it. */
export async function runSitting<Own extends object>(
  context: ClientContext,
  run: RunControl<Own>,
  { functionName, options, journal, earlier, subjects, allSent }: Sitting<Own>,
): Promise<void> {
  const { flow, tally } = run;
  try {
    const work = await prepareWork(context, functionName, options, run, journal);
    const known = earlier ? await replay(run, earlier(run.admitting)) : new Set();
    const candidates = subjects(run.admitting);
    try {
      while (tally.started < (options.limit ?? Number.POSITIVE_INFINITY) && !flow.concluded) {
        const full = flow.room();
        if (full) {
          await full;
          continue;
        }
        const next = await candidates.next();
        if (next.done) break;
        const { subject, passes } = next.value;
        if (known.has(subject.id)) continue;
        if (!passes) {
          tally.skip();
          run.progressed();
          continue;
        }
        tally.start();
        work.queue?.expect();
        flow.add(mapSubjects(work, [subject]));
      }
    } finally {
      await candidates.return(undefined);
    }
    tally.listingDone();
    run.progressed();
    if (work.queue) {
      await Promise.race([work.queue.complete(), flow.settled()]);
      if (work.queue.isSent) await allSent?.();
    }
    await completeWork(work);
    await flow.settled();
  } finally {
    await journal?.close();
  }
}

/** Gives the results of earlier sittings, and says whose they are. */
async function replay<Own extends object>(
  { flow, tally, progressed }: RunControl<Own>,
  results: AsyncIterable<{ id: string; item: Mapped<Own> }>,
): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  for await (const { id, item } of results) {
    for (let full = flow.room(); full; full = flow.room()) await full;
    if (flow.concluded) break;
    known.add(id);
    tally.replay(item);
    flow.add(Promise.resolve([item]));
    progressed();
  }
  return known;
}
