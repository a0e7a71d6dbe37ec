import { createHash } from 'node:crypto';
import type { SelectedObject } from './selection.js';

/** What is to have one result of a run: an object. */
export interface Subject {
  /** The same in every sitting of a run, and its alone. */
  readonly id: string;
  readonly object: SelectedObject;
}

/** @param position - in the list that it is from, if that may have it more than once */
export function subjectOf(object: SelectedObject, position?: number): Subject {
  const { key, versionId } = object;
  const version = versionId === undefined ? '' : `\n${versionId}`;
  const place = position === undefined ? '' : `\n#${position}`;
  return { id: key + version + place, object };
}

/**
 * Names one execution: whoever sends it again, from whatever process, sends the same. A failure that is run again is another
 * execution.
 *
 * @param execution - from 1
 */
export function idempotencyKey(runId: string, subjectId: string, execution: number): string {
  return createHash('sha256').update(`${runId}\n${subjectId}\n${execution}`).digest('base64url');
}
