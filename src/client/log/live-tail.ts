import type { LogService, TailedLogEvent } from '../../aws/logs.js';
import { ScarError } from '../../errors.js';
import { linkSignals } from '../../util/linked-signal.js';
import type { ClientContext } from '../context.js';
import { type LogEvent, LogReader } from './log-event.js';

/** What waits for a consumer that is slow. What is beyond, the passes will bring. */
const MAX_WAITING = 5_000;

/** Sessions that fail one after the other before it is given up. */
const MAX_FAILURES = 5;
const FIRST_DELAY_MS = 1_000;

/** As long as one session may last: what others bring after it broke costs no more than it would have. */
const LONGEST_MS = 3 * 60 * 60_000;
const LONGEST = 'SessionTimeoutException';

/** Which log, and what of it. */
export interface TailedLog {
  functionName: string;
  group: string;
  filter: string | undefined;
}

/**
 * Live Tail as the fast path of a log that is followed: it brings events as they come in, some of them, as it likes. Whatever
 * becomes of it, the log goes on by passes: a session that breaks is opened again, one that cannot be had is told of once, by a
 * warning. As sessions are paid for by the minute, it is over after the three hours that CloudWatch gives to one, all sessions
 * of a stream together.
 */
export class LiveTail {
  readonly #context: ClientContext;
  readonly #log: TailedLog;
  readonly #link: ReturnType<typeof linkSignals>;
  readonly #waiting: LogEvent[] = [];
  #reader = new LogReader();
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;

  constructor(context: ClientContext, log: TailedLog, signal: AbortSignal) {
    this.#context = context;
    this.#log = log;
    this.#link = linkSignals(signal);
  }

  /** Opens the session, the first time; what comes in from about now on will wait. */
  start(): void {
    if (this.#running) return;
    this.#running = this.#run();
    // Only a listener of the events throws here; `close` passes that on.
    this.#running.catch(() => {});
  }

  async close(): Promise<void> {
    this.#link.abort(new ScarError('aborted', 'Nobody asks for more of this log'));
    await this.#running;
    this.#link.release();
  }

  /** What comes in within the next `ms`, as it does. */
  async *during(ms: number, signal: AbortSignal): AsyncGenerator<LogEvent[]> {
    let over = false;
    const end = this.#context.sleep(ms, signal).finally(() => {
      over = true;
    });
    // It may be left before.
    end.catch(() => {});
    for (;;) {
      if (this.#waiting.length > 0) yield this.#waiting.splice(0);
      else if (over) return await end;
      else await Promise.race([end, this.#arrival()]);
    }
  }

  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** What ends it is told as an event. */
  async #run(): Promise<void> {
    const { signal } = this.#link;
    const { notify, sleep } = this.#context;
    const endsAt = Date.now() + LONGEST_MS;
    try {
      const groupArn = await this.#groupArn(signal);
      for (let failures = 0; ; failures++) {
        const error = await this.#session(groupArn, endsAt, () => {
          failures = 0;
        });
        if (failures >= MAX_FAILURES || !isPassing(error)) throw error;
        const delayMs = FIRST_DELAY_MS * 2 ** failures;
        const doing = `open Live Tail for the log of ${this.#log.functionName}`;
        notify.retry({ doing, attempt: failures + 2, delayMs, error });
        await sleep(delayMs, signal);
      }
    } catch (error) {
      if (!signal.aborted) this.#giveUp(error);
    }
  }

  /** Returns why it ended. Throws only the signal's reason. */
  async #session(groupArn: string, endsAt: number, onUpdate: () => void): Promise<ScarError> {
    const { signal } = this.#link;
    // Between two sessions anything may have begun and ended.
    this.#reader = new LogReader();
    try {
      const logs: LogService = this.#context.logs;
      for await (const { events, sampled } of logs.liveTail(groupArn, this.#log.filter, signal)) {
        onUpdate();
        this.#add(events, sampled);
        if (Date.now() > endsAt)
          return new ScarError('service', 'Three hours are over', { context: { error: LONGEST } });
      }
      return new ScarError('service', 'Live Tail ended its connection', { retryable: true });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ScarError) return error;
      throw error;
    }
  }

  #add(events: readonly TailedLogEvent[], sampled: boolean): void {
    for (const event of events.toSorted((a, b) => a.timestamp - b.timestamp)) {
      // What was left out may be the end of an invocation and the start of the next: only what a line itself says is known.
      const reader = sampled ? new LogReader() : this.#reader;
      this.#waiting.push(reader.read(event));
    }
    if (sampled) this.#reader = new LogReader();
    this.#waiting.splice(0, Math.max(0, this.#waiting.length - MAX_WAITING));
    if (this.#waiting.length > 0) this.#wake?.();
  }

  /** The ARN of a function has all that its log group's needs. */
  async #groupArn(signal: AbortSignal): Promise<string> {
    const { arn } = await this.#context.functions.configuration(this.#log.functionName, signal);
    const [, partition, , region, account] = arn.split(':');
    return `arn:${partition}:logs:${region}:${account}:log-group:${this.#log.group}`;
  }

  #giveUp(error: unknown): void {
    const { functionName } = this.#log;
    const detail = error instanceof Error ? error.message : String(error);
    const reason =
      errorName(error) === LONGEST
        ? 'it lasts three hours at most, as it is paid for by the minute. Call streamLogs again for more'
        : `${detail}. Or give liveTail: 'never'`;
    this.#context.notify.warning({
      code: 'live-tail-off',
      message: `The log of ${functionName} goes on without Live Tail, complete and some seconds later: ${reason}`,
      context: { functionName, error },
    });
  }
}

/** Whether another session may do better: not where CloudWatch refuses to open one, but for want of room. */
function isPassing(error: ScarError): boolean {
  const name = errorName(error);
  const broke = error.code === 'service' && error.context.status === undefined;
  return error.retryable || name === 'LimitExceededException' || (broke && name !== LONGEST);
}

function errorName(error: unknown): string {
  return error instanceof ScarError ? String(error.context.error) : '';
}
