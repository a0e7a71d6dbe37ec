import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { ValidationError } from '../../../errors.js';
import { FileStore } from './file-store.js';
import type { JournalStore } from './store.js';

/** A folder, or `true` for the usual one. */
export type JournalPlace = string | boolean;

/** @throws ValidationError */
export function checkJournal(journal: unknown): void {
  if (journal === undefined || typeof journal === 'boolean' || (typeof journal === 'string' && journal !== '')) return;
  throw new ValidationError('journal', 'be the path of a folder, or true', journal);
}

/** @throws ValidationError */
export function checkRunId(runId: unknown): asserts runId is string {
  if (typeof runId === 'string' && /^[A-Za-z0-9-]{1,64}$/.test(runId)) return;
  throw new ValidationError('runId', 'be the ID of a run, as in run.runId', runId);
}

/** @throws what {@link FileStore.open} does */
export function openJournalStore(place: string | true, runId: string, mode: 'new' | 'existing'): Promise<JournalStore> {
  return FileStore.open(join(place === true ? usualFolder() : resolve(place), `${runId}.jsonl`), mode);
}

/** https://specifications.freedesktop.org/basedir-spec/latest/ */
function usualFolder(): string {
  return join(process.env.XDG_STATE_HOME || join(homedir(), '.local/state'), 'scar-client/runs');
}
