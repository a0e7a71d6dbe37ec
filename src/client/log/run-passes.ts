import type { LogService } from '../../aws/logs.js';
import type { ClientContext } from '../context.js';
import type { InvocationFacts } from '../invocation-result.js';
import { InvocationLog } from './invocation-log.js';
import { type LogEvent, LogReader } from './log-event.js';
import type { PassSource } from './log-passes.js';
import { checkPatience, warnOfMissing } from './patience.js';

/** How much earlier than by this machine's clock an invocation may have begun. */
const SKEW_MS = 60_000;
/** The longest that an invocation lasts: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const LONGEST_MS = 15 * 60_000;
/** After this it is looked for from the beginning of the run. */
const NEARBY_MS = 30_000;
/** When a run began that another process may have begun, in ms since 1970: IDs of runs tell, as `20261128-174501-...`, in UTC. */
function beginOf(runId: string): number | undefined {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-/.exec(runId) ?? [];
  return year === undefined ? undefined : Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

interface Wanted {
  invocation: InvocationLog;
  /** In ms since 1970, by this machine's clock. */
  since: number;
  givenAt: number;
}

/**
 * Passes for the invocations of a map's run, as their results become known: each pass goes back to where the first of them began
 * that is not complete, and takes their events out of the log of the function. Who is complete is forgotten; so nothing is kept
 * but IDs, of invocations whose report has not come.
 */
export class RunPasses implements PassSource {
  readonly #context: ClientContext;
  readonly #group: string;
  readonly #begun: number;
  /** By request ID. */
  readonly #wanted = new Map<string, Wanted>();
  #isOver = false;
  #failure: { error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(context: ClientContext, group: string, runId: string) {
    this.#context = context;
    this.#group = group;
    this.#begun = beginOf(runId) ?? 0;
  }

  /** A result is known. @param isNew - whether it came about just now */
  want(item: InvocationFacts, { isNew = true } = {}): void {
    // What never ran has no log.
    if (item.requestId === '' || this.#wanted.has(item.requestId)) return;
    const givenAt = Date.now();
    const since = isNew ? givenAt - (item.billedMs ?? LONGEST_MS) - SKEW_MS : this.#earliest;
    this.#wanted.set(item.requestId, { invocation: new InvocationLog(item.requestId, item.logs), since, givenAt });
    this.#wake?.();
  }

  /** No more will be known. */
  end(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  /** No more can be known. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.end();
  }

  /** Whether every event of the run was told. Throws why more cannot be known. */
  get isComplete(): boolean {
    if (this.#failure) throw this.#failure.error;
    return this.#isOver && this.#wanted.size === 0;
  }

  /** Waits until there is something to look for. @throws ScarError `log-cut` when a report does not come for minutes */
  async *pass(signal: AbortSignal): AsyncGenerator<LogEvent[] | undefined> {
    if (this.#wanted.size === 0 && !this.#isOver) await this.#arrival(signal);
    if (this.#wanted.size === 0) return;
    const wanted = [...this.#wanted.values()];
    const began = Date.now();
    const since = wanted.reduce((first, one) => Math.min(first, this.#sinceOf(one, began)), began);
    const reader = new LogReader();
    const logs: LogService = this.#context.logs;
    for await (const page of logs.events(this.#group, { since }, signal)) {
      yield page
        ?.map((stored) => reader.read(stored))
        .filter((event) => this.#wanted.get(event.requestId ?? '')?.invocation.take(event));
    }
    for (const one of wanted) this.#passed(one, began);
  }

  #sinceOf({ since, givenAt }: Wanted, now: number): number {
    return now - givenAt < NEARBY_MS ? since : this.#earliest;
  }

  get #earliest(): number {
    return Math.max(0, this.#begun - LONGEST_MS);
  }

  #passed({ invocation, givenAt }: Wanted, passBegan: number): void {
    checkPatience(this.#group, invocation, givenAt, passBegan);
    if (!invocation.passed(passBegan)) return;
    this.#wanted.delete(invocation.requestId);
    warnOfMissing(this.#context, invocation);
  }

  async #arrival(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const abort = () => reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      this.#wake = () => {
        signal.removeEventListener('abort', abort);
        resolve();
      };
    });
  }
}
