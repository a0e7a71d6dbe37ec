import { ScarError } from '../../errors.js';
import type { Tally } from './tally.js';

/** When a map is over before all objects have their results; as Lambda's durable functions have it. */
export interface MapCompletion {
  /** Enough: so many successes end the run, quietly. Fewer, when all objects have their results, are an error. */
  minSuccessful?: number;
  /** More failures than this end the run with an error, at once. */
  toleratedFailureCount?: number;
  /** A larger part of the objects, skipped ones not counted, ends it, 0 to 100; asked once all objects are listed. */
  toleratedFailurePercentage?: number;
}

/** How a run ends before its time: in peace, or with an error. */
export type MapEnd = { error?: ScarError };

/** Asked after every result; undefined while the run goes on. */
export function endOf(completion: MapCompletion, tally: Tally): MapEnd | undefined {
  const { succeeded, failed, started, isListed } = tally;
  const { minSuccessful, toleratedFailureCount, toleratedFailurePercentage } = completion;
  if (toleratedFailureCount !== undefined && failed > toleratedFailureCount) {
    return { error: notReached(tally, `at most ${toleratedFailureCount} of its objects may fail`) };
  }
  if (toleratedFailurePercentage !== undefined && isListed && failed > (started * toleratedFailurePercentage) / 100) {
    return { error: notReached(tally, `at most ${toleratedFailurePercentage} % of its ${started} objects may fail`) };
  }
  return minSuccessful !== undefined && succeeded >= minSuccessful ? {} : undefined;
}

/** Asked when all objects have their results. */
export function endOfAll({ minSuccessful = 0 }: MapCompletion, tally: Tally): MapEnd | undefined {
  if (tally.succeeded >= minSuccessful) return undefined;
  return { error: notReached(tally, `at least ${minSuccessful} of its objects must succeed`) };
}

function notReached(tally: Tally, rule: string): ScarError {
  const summary = tally.summary();
  const { functionName, bucket, prefix, succeeded, failed } = summary;
  return new ScarError(
    'map-failed',
    `The map of ${functionName} over s3://${bucket}/${prefix} was ended: ${rule} (completion), and ${failed} failed and ` +
      `${succeeded} succeeded. The results so far tell why`,
    { context: { summary } },
  );
}
