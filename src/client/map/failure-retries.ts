import { ValidationError } from '../../errors.js';
import type { InvocationFailureReason } from '../invocation-result.js';
import * as check from '../validate.js';

/** Why something that ran failed; throttles and lost answers have limits of their own. */
export type RetriedReason = Exclude<InvocationFailureReason, 'throttled' | 'service'>;

/** How often an object runs again that failed for a reason; not named: never. */
export type FailureRetries = Partial<Record<RetriedReason, number>>;

/** A record, so that none can be forgotten. */
const REASONS: Record<RetriedReason, true> = {
  event: true,
  exit: true,
  'function-error': true,
  image: true,
  lost: true,
  'no-space': true,
  'not-started': true,
  'out-of-memory': true,
  response: true,
  signal: true,
  'stage-in': true,
  'stage-out': true,
  timeout: true,
};

/** What one object may still use. */
export class RetriesLeft {
  /** For whatever reason; undefined: each has its own. */
  #left: number | undefined;
  readonly #byReason = new Map<string, number>();

  constructor(allowed: number | FailureRetries = 0) {
    if (typeof allowed === 'number') this.#left = allowed;
    else this.#byReason = new Map(Object.entries(allowed));
  }

  /** Whether there was one left for this failure, which is used now. */
  take(reason: InvocationFailureReason): boolean {
    const left = this.#left ?? this.#byReason.get(reason) ?? 0;
    if (this.#left !== undefined) this.#left--;
    else this.#byReason.set(reason, left - 1);
    return left > 0;
  }
}

export function checkFailureRetries(failures: unknown): void {
  if (failures === undefined || typeof failures === 'number') {
    check.integer('retry.failures', failures, { min: 0, max: 100 });
    return;
  }
  if (typeof failures !== 'object' || failures === null) {
    throw new ValidationError('retry.failures', 'be a number, or numbers by reason', failures);
  }
  check.knownOptions(failures, Object.keys(REASONS), 'retry.failures');
  for (const [reason, count] of Object.entries(failures)) {
    check.integer(`retry.failures.${reason}`, count as number, { min: 0, max: 100 });
  }
}
