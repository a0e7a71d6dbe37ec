import { EventEmitter } from 'eventemitter3';
import { ScarError } from '../../errors.js';
import { type LinkedSignal, linkSignals } from '../../util/linked-signal.js';
import { type ClientContext, track } from '../context.js';
import type { WarningEvent } from '../events.js';
import { integer } from '../validate.js';
import { Flow } from './flow.js';
import type { MapItem } from './item.js';
import type { MapPlan, PlanOptions } from './plan.js';
import type { MapProgress, MapSummary, Tally } from './tally.js';

/** What a {@link MapRun} tells while it runs. */
export interface MapEvents {
  /** An object was skipped or got its result, or the listing ended. Costs nothing while nobody listens. */
  progress: (progress: MapProgress) => void;
  /** The loop over the run gets a result. */
  result: (item: MapItem) => void;
  /** The loop over the run has ended, for whatever reason: there are no more results. */
  end: () => void;
  warning: (event: WarningEvent) => void;
}

/** What the work of a run is done with. */
export interface RunControl {
  readonly flow: Flow<MapItem>;
  readonly tally: Tally;
  /** Aborted when the run ends early, for whatever reason. */
  readonly signal: AbortSignal;
  /** The concurrency that was asked for before the run began, if any was. */
  readonly wanted: number | undefined;
  /** Says what brings another concurrency about; it returns what it has come to. */
  whenConcurrencyChanges(change: (wanted: number) => Promise<number>): void;
  /** Ends the run before its time: what is under way is cancelled, what is there is given, then comes the error, if any. */
  conclude(error?: ScarError): void;
  progressed(): void;
  warn(event: WarningEvent): void;
}

/**
 * One map over a bucket. Iterate over it, once, to get its results as they come; nothing is sent before that, and nothing
 * is read far ahead: at most as many results wait as may be under way. Leaving the loop cancels what is under way and
 * waits for it. An abort throws the signal's reason.
 *
 * @example
 * const run = scar.mapOverBucket('gray', { bucket: 'photos', prefix: 'input/' });
 * run.on('progress', ({ done, total }) => console.log(`${done} of ${total ?? '?'}`));
 * for await (const item of run) if (item.status === 'failed') console.error(item.key, item.reason, item.error.message);
 * console.log(run.summary);
 */
export class MapRun extends EventEmitter<MapEvents> implements AsyncIterable<MapItem> {
  readonly #context: ClientContext;
  readonly #task: (run: RunControl) => Promise<void>;
  readonly #tally: Tally;
  readonly #plan: (options?: PlanOptions) => Promise<MapPlan>;
  readonly #flow: Flow<MapItem>;
  readonly #link: LinkedSignal;
  /** What the run itself ends; the link above is the caller's. */
  readonly #work: LinkedSignal;
  #wanted: number | undefined;
  #changeConcurrency: ((wanted: number) => Promise<number>) | undefined;
  #iterated = false;
  #finished: Promise<void> | undefined;
  #closed = false;
  #ended = false;

  /** @internal */
  constructor(
    context: ClientContext,
    tally: Tally,
    { signal, ordered }: { signal?: AbortSignal | undefined; ordered?: boolean | undefined },
    task: (run: RunControl) => Promise<void>,
    plan: (options?: PlanOptions) => Promise<MapPlan>,
  ) {
    super();
    this.#context = context;
    this.#tally = tally;
    this.#task = task;
    this.#plan = plan;
    this.#flow = new Flow({ ordered });
    this.#link = linkSignals(signal, context.closing);
    this.#work = linkSignals(this.#link.signal);
  }

  /** Whether the loop over it has begun. */
  get isIterated(): boolean {
    return this.#iterated;
  }

  /** The run in numbers: final after the loop, those so far before. */
  get summary(): MapSummary {
    return this.#tally.summary();
  }

  /**
   * Counts the objects that the run would work on, without invoking anything, and says what that would cost. The run can follow.
   *
   * @throws ValidationError, also if `keys` is an iterator or asynchronous, as a plan may use it up; otherwise as iterating does
   * @example
   * const { objects, skipped, costUsd } = await run.plan({ billedMs: 2_500 });
   */
  async plan(options?: PlanOptions): Promise<MapPlan> {
    return this.#plan(options);
  }

  /**
   * Changes how many invocations may be under way, from now on: up at once, down as they end. Capped by what Lambda allows now.
   *
   * @returns what it has come to
   * @throws ValidationError; what reading the limits throws
   */
  async setConcurrency(concurrency: number): Promise<number> {
    integer('concurrency', concurrency, { min: 1, max: Number.MAX_SAFE_INTEGER });
    this.#wanted = concurrency;
    return this.#changeConcurrency && !this.#closed ? await this.#changeConcurrency(concurrency) : concurrency;
  }

  /** Ends the run: what is under way is cancelled and waited for, and who iterates gets an error with code `aborted`. */
  async cancel(): Promise<void> {
    if (this.#closed) return;
    this.#link.abort(new ScarError('aborted', 'The map was cancelled'));
    await this.#finished;
  }

  [Symbol.asyncIterator](): AsyncIterator<MapItem, undefined> {
    if (this.#iterated) {
      throw new ScarError('invalid-option', 'A map can be iterated once. Call mapOverBucket again for another run');
    }
    this.#iterated = true;
    return {
      next: () => this.#next(),
      return: async () => {
        await this.#stop();
        return { done: true, value: undefined };
      },
    };
  }

  async #next(): Promise<IteratorResult<MapItem, undefined>> {
    if (this.#closed) return { done: true, value: undefined };
    try {
      this.#link.signal.throwIfAborted();
      this.#finished ??= this.#start();
      const result = await this.#flow.take();
      if (result.done) this.#close();
      else this.emit('result', result.value);
      return result;
    } catch (error) {
      await this.#finished;
      this.#close();
      throw error;
    }
  }

  /** The consumer has had enough: quiet, because it knows. */
  async #stop(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#link.abort(new ScarError('aborted', 'Nobody asks for more results of this map'));
    await this.#finished;
    this.#close();
  }

  #close(): void {
    this.#closed = true;
    this.#link.release();
    this.#work.release();
    if (!this.#ended) this.emit('end');
    this.#ended = true;
  }

  #start(): Promise<void> {
    const { signal } = this.#link;
    signal.addEventListener('abort', () => this.#flow.fail(signal.reason), { once: true });
    this.#tally.begin();
    const finished = this.#run();
    const forget = track(this.#context, finished);
    return finished.finally(forget);
  }

  /** Never fails itself: a failure is the iterating side's to see. */
  async #run(): Promise<void> {
    try {
      await this.#task({
        flow: this.#flow,
        tally: this.#tally,
        signal: this.#work.signal,
        wanted: this.#wanted,
        whenConcurrencyChanges: (change) => {
          this.#changeConcurrency = change;
        },
        conclude: (error) => {
          this.#flow.conclude(error);
          this.#work.abort(new ScarError('aborted', 'The map has come to its end'));
        },
        progressed: () => this.#progressed(),
        warn: (event) => {
          this.emit('warning', event);
          this.#context.notify.warning(event);
        },
      });
      this.#flow.end();
    } catch (error) {
      // Of what a concluded run has cancelled nobody wants to hear.
      if (!this.#flow.concluded) {
        this.#flow.fail(error);
        this.#link.abort(error);
      }
    }
    await this.#flow.settled();
    this.#tally.end();
  }

  #progressed(): void {
    if (this.listenerCount('progress') > 0) this.emit('progress', this.#tally.progress());
  }
}
