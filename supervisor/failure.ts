import type { FailureReason } from '../src/contract/index.js';
import { ScarError } from '../src/errors.js';

/** Why a container failed: what the outcome's `reason` and `message` will say. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly reason: FailureReason;

  constructor(reason: FailureReason, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
  }
}

/**
 * The failure behind whatever a stage threw. A full disk and a time that ran out are reasons of their own in every stage;
 * all else is the stage's.
 */
export function asFailure(error: unknown, stage: FailureReason): Failure {
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (isDiskFull(error)) return new Failure('no-space', message, error);
  return new Failure(stage, message, error);
}

/** Whether a full file system (or a used-up quota) is behind an error, however deep. */
export function isDiskFull(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current instanceof ScarError && current.code === 'no-space') return true;
    const { code } = current as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT') return true;
  }
  return false;
}
