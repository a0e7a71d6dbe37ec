import { Failure } from './failure.js';

/**
 * The reserve takes at most this part of the time that is left when the invocation starts: with the default reserve of
 * 10 s, a function with a timeout of 3 s would otherwise never run anything. Half, because neither the container nor the
 * staging out of what it made may starve the other.
 */
const MAX_RESERVE_FRACTION = 1 / 2;

/**
 * What is left of the reserve for the reply itself when stage-out is stopped: JSON of at most 6 MB to the Runtime API, and
 * removal of the request's folder. A tenth of a short reserve.
 */
const REPLY_MS = 500;
const REPLY_FRACTION = 1 / 10;

/** For the answer that is kept in S3, where one is: a small object, with the SDK's further attempts. A fifth of a short reserve. */
const ANSWER_MS = 2_000;
const ANSWER_FRACTION = 1 / 5;

/** Time between SIGTERM and SIGKILL, taken from the reserve: enough to flush a file, not to finish the work. */
const KILL_GRACE_MS = 2_000;
const KILL_GRACE_FRACTION = 1 / 5;

/**
 * How one invocation's time is divided, counted back from Lambda's deadline:
 *
 * ```
 * now ......... containerEnd ... + killGraceMs ......... stageOutEnd ....... answerEnd ... deadline
 *  stage in, run   SIGTERM          SIGKILL   stage out     keep the answer    reply
 * ```
 * Ends are times of `performance.now()`, in ms.
 */
export interface Budget {
  /** When the container must have ended. */
  containerEnd: number;
  /** How long it may take to end after SIGTERM. */
  killGraceMs: number;
  /** When the last output must have been sent. */
  stageOutEnd: number;
  /** When the answer must be in S3; the same where none is kept there. */
  answerEnd: number;
  /** When Lambda ends it. */
  deadline: number;
}

/**
 * @param remainingMs - time until Lambda's deadline
 * @param reserveMs - what the function keeps back for stage-out and the reply
 * @param keepsAnswers - whether the answer goes to S3 before the reply. Default false
 */
export function divideTime(
  remainingMs: number,
  reserveMs: number,
  { keepsAnswers = false, now = performance.now() }: { keepsAnswers?: boolean; now?: number } = {},
): Budget {
  const reserve = Math.min(reserveMs, remainingMs * MAX_RESERVE_FRACTION);
  const deadline = now + remainingMs;
  const answerEnd = deadline - Math.min(REPLY_MS, reserve * REPLY_FRACTION);
  return {
    containerEnd: deadline - reserve,
    killGraceMs: Math.min(KILL_GRACE_MS, reserve * KILL_GRACE_FRACTION),
    stageOutEnd: answerEnd - (keepsAnswers ? Math.min(ANSWER_MS, reserve * ANSWER_FRACTION) : 0),
    answerEnd,
    deadline,
  };
}

/**
 * Runs a stage with a signal that aborts at `end`. When that happened, whatever the stage threw becomes a failure of
 * reason `timeout` that says what was still going on.
 */
export async function within<T>(end: number, doing: string, stage: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const expired = () =>
    new Failure(
      'timeout',
      `The function's time ran out while ${doing}. Raise its timeout, or its memory, which brings more CPU and network`,
    );
  const left = end - performance.now();
  if (left <= 0) throw expired();
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(expired()), left);
  try {
    return await stage(controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}
