import { ScarError } from '../../errors.js';
import type { ClientContext } from '../context.js';
import type { LogEvent } from './log-event.js';
import { OVERLAP_MS, type PassSource } from './log-passes.js';
import { Pace } from './pace.js';

/** Which log is read, and for how long. */
export interface LogSource {
  context: ClientContext;
  functionName: string;
  group: string;
  follow: boolean;
  until: number | undefined;
  pollIntervalMs: number;
  watch: GroupWatch;
}

/** Stands between the pages of a pass that is complete and what comes next. */
export const PASSED = Symbol('passed');

/** Waits, and may bring something meanwhile. */
export type Pause = (ms: number) => AsyncIterable<LogEvent[]>;

/** Passes that fail one after the other, for other reasons than too many requests, before it is given up. */
const MAX_FAILURES = 8;

/**
 * Pass after pass while the log is followed, one otherwise: their pages, and `PASSED` after each that is complete. A pass that
 * ends in the middle for a reason that passes is made up for by the next; any other end throws.
 */
export async function* follow(
  log: LogSource,
  source: PassSource,
  signal: AbortSignal,
  pause?: Pause,
): AsyncGenerator<LogEvent[] | typeof PASSED, undefined> {
  const pace = new Pace(log.pollIntervalMs);
  let failures = 0;
  for (;;) {
    const over = log.until !== undefined && Date.now() > log.until + OVERLAP_MS;
    let pauseMs: number;
    try {
      let found = false;
      for await (const page of source.pass(signal)) {
        await log.watch.sees(page !== undefined, signal);
        found ||= page !== undefined && page.length > 0;
        if (page) yield page;
      }
      failures = 0;
      yield PASSED;
      if (!log.follow || over) return;
      pauseMs = pace.after(found);
    } catch (error) {
      failures++;
      if (!isPassing(log, error) || (error.code !== 'throttled' && failures > MAX_FAILURES)) throw error;
      pauseMs = pace.afterFailure() * (0.5 + log.context.random());
      const doing = `read the log of ${log.functionName}`;
      log.context.notify.retry({ doing, attempt: failures + 1, delayMs: pauseMs, error });
    }
    if (pause) yield* pause(pauseMs);
    else await log.context.sleep(pauseMs, signal);
  }
}

/** Without `follow` the caller hears of everything, but for a pass that only has to begin again. */
function isPassing(log: LogSource, error: unknown): error is ScarError {
  return error instanceof ScarError && error.retryable && (log.follow || error.code === 'log-cut');
}

/** Before the first event there may be no group; without the function there will be none; and one that was there is gone for ever. */
export class GroupWatch {
  readonly #context: ClientContext;
  readonly #functionName: string;
  #isThere = false;

  constructor(context: ClientContext, functionName: string) {
    this.#context = context;
    this.#functionName = functionName;
  }

  get isThere(): boolean {
    return this.#isThere;
  }

  /** @throws ScarError `log-cut`; FunctionError `function-not-found` */
  async sees(isThere: boolean, signal: AbortSignal): Promise<void> {
    const functionName = this.#functionName;
    if (!isThere && this.#isThere) {
      const message = `The log of ${functionName} was deleted while it was read: what was not read before is lost`;
      throw new ScarError('log-cut', message, { context: { functionName } });
    }
    this.#isThere = isThere;
    if (!isThere) await this.#context.functions.configuration(functionName, signal);
  }
}
