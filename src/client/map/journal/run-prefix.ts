import type { ResultsPlace } from '../options.js';
import type { JournalPlace } from './place.js';

const DEFAULT_PREFIX = 'scar-runs/';

/** Everything of a run in a bucket begins with it. */
export function runPrefix({ prefix = DEFAULT_PREFIX }: ResultsPlace, runId: string): string {
  return `${prefix}${runId}/`;
}

/** What a run keeps there, by what follows the place's prefix: its ID, as `newRunId` makes them, and then which of the two. */
const KEPT = /^\d{8}-\d{6}-[0-9a-f]{10}\/(journal|answers)\//;

/** Whether an object of the bucket is an answer, or of a journal, of any run that one of the places is of. */
export function isKeptByRun(key: string, bucket: string, places: readonly (JournalPlace | undefined)[]): boolean {
  return places.some((place) => {
    if (typeof place !== 'object' || place.bucket !== bucket) return false;
    const { prefix = DEFAULT_PREFIX } = place;
    return key.startsWith(prefix) && KEPT.test(key.slice(prefix.length));
  });
}
