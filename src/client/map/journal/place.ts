import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ObjectStore } from '../../../aws/object-store.js';
import { ValidationError } from '../../../errors.js';
import { checkResults, type ResultsPlace } from '../options.js';
import { FileStore, type JournalMode } from './file-store.js';
import { ObjectsStore } from './objects-store.js';
import { runPrefix } from './run-prefix.js';
import type { JournalStore } from './store.js';

/** A folder, `true` for the usual one, or a place in a bucket. */
export type JournalPlace = string | boolean | ResultsPlace;

/** @throws ValidationError */
export function checkJournal(journal: unknown): void {
  if (journal === undefined || typeof journal === 'boolean' || (typeof journal === 'string' && journal !== '')) return;
  if (typeof journal !== 'object') {
    throw new ValidationError('journal', 'be the path of a folder, true, or { bucket, prefix }', journal);
  }
  checkResults('journal', journal);
}

/** @throws ValidationError */
export function checkRunId(runId: unknown, option = 'runId'): asserts runId is string {
  if (typeof runId === 'string' && /^[A-Za-z0-9-]{1,64}$/.test(runId)) return;
  throw new ValidationError(option, 'be the ID of a run, as in run.runId', runId);
}

/** Where functions leave the answers of a run. */
export function answerPlace(place: ResultsPlace, runId: string): { bucket: string; prefix: string } {
  return { bucket: place.bucket, prefix: `${runPrefix(place, runId)}answers/` };
}

/** @throws what {@link FileStore.open} does */
export async function openJournalStore(
  objects: ObjectStore,
  place: string | true | ResultsPlace,
  runId: string,
  mode: JournalMode,
): Promise<JournalStore> {
  if (typeof place === 'object') return openObjectsStore(objects, place, runId);
  return FileStore.open(join(place === true ? usualFolder() : resolve(place), `${runId}.jsonl`), mode);
}

export function openObjectsStore(objects: ObjectStore, place: ResultsPlace, runId: string): ObjectsStore {
  return new ObjectsStore(objects, place.bucket, `${runPrefix(place, runId)}journal/`);
}

/** https://specifications.freedesktop.org/basedir-spec/latest/ */
function usualFolder(): string {
  return join(process.env.XDG_STATE_HOME || join(homedir(), '.local/state'), 'scar-client/runs');
}
