import { ValidationError } from '../../errors.js';
import { watchMap } from '../attach-map.js';
import type { ClientContext } from '../context.js';
import type { InvocationFacts } from '../invocation-result.js';
import { MapJournal } from '../map/journal/journal.js';
import { openJournalStore } from '../map/journal/place.js';
import type { ResultsPlace } from '../map/options.js';
import type { MapRun } from '../map/run.js';
import type { RunPasses } from './run-passes.js';

/** A run as whoever has no part in it knows it. */
export interface RunAddress {
  runId: string;
  /** Where its journal is: with its answers, if it is asynchronous. */
  journal: string | true | ResultsPlace;
}

/**
 * Has passes look for the invocations whose results a run gives from now on. Returns how to let go of it. Whose map a run is that goes on with
 * another may be known only when it has read the journal: at its first result, or at its end.
 */
export function followRun(run: MapRun, functionName: string, passes: RunPasses): () => void {
  let known = '';
  const isItsOwn = () => {
    known ||= run.summary.functionName;
    const other = isAnother(known, functionName);
    if (other) passes.fail(otherFunction(functionName, known));
    return !other;
  };
  const want = (item: InvocationFacts) => {
    if (isItsOwn()) passes.want(item);
  };
  const end = () => {
    isItsOwn();
    passes.end();
  };
  run.on('result', want).on('end', end);
  return () => run.off('result', want).off('end', end);
}

/** What came when the log was asked for was there already, for all that is known. */
const AT_ONCE_MS = 30_000;

/** The same for a run whose results are elsewhere. Never rejects: what goes wrong is told to the passes. */
export async function followAddress(
  context: ClientContext,
  functionName: string,
  address: RunAddress,
  passes: RunPasses,
  signal: AbortSignal,
): Promise<void> {
  // A batch has several results, which may come one by one.
  const known = new Set<string>();
  const askedAt = Date.now();
  try {
    for await (const item of resultsOf(context, functionName, address, signal)) {
      if (known.has(item.requestId)) continue;
      known.add(item.requestId);
      passes.want(item, { isNew: Date.now() - askedAt > AT_ONCE_MS });
    }
    passes.end();
  } catch (error) {
    passes.fail(error);
  }
}

/** All results that a journal has, those that do not count any more among them; all answers of an asynchronous run. Invokes nothing. */
async function* resultsOf(
  context: ClientContext,
  name: string,
  { runId, journal: place }: RunAddress,
  signal: AbortSignal,
): AsyncGenerator<InvocationFacts, undefined> {
  const store = await openJournalStore(context.objects, place, runId, 'read');
  const journal = await MapJournal.open(store, () => {}, signal);
  try {
    const { functionName, options } = journal.head;
    if (functionName !== name) throw otherFunction(name, functionName);
    if (options.mode !== 'async') {
      for await (const line of journal.lines(signal)) if ('item' in line) yield line.item;
      return;
    }
  } finally {
    await journal.close();
  }
  yield* watchMap(context, runId, place as ResultsPlace, signal);
}

/** @param known - empty while it is not */
export function isAnother(known: string, functionName: string): boolean {
  return known !== '' && known !== functionName;
}

export function otherFunction(name: string, received: string): ValidationError {
  return new ValidationError('run', `be a map of function ${name}`, `one of ${received}`);
}
