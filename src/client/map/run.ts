import { setMaxListeners } from 'node:events';
import { EventEmitter } from 'eventemitter3';
import { ScarError } from '../../errors.js';
import { Fifo } from '../../util/fifo.js';
import { type LinkedSignal, linkSignals } from '../../util/linked-signal.js';
import { type ClientContext, track } from '../context.js';
import type { WarningEvent } from '../events.js';
import { integer } from '../validate.js';
import { Flow } from './flow.js';
import type { Mapped, MappedObject } from './item.js';
import type { MapPlan, PlanOptions } from './plan.js';
import { ProgressTeller } from './progress.js';
import type { MapProgress, MapSummary, Tally } from './tally.js';

/** What a {@link MapRun} tells while it runs. A listener that throws ends the run with its error. */
export interface MapEvents<Own = MappedObject> {
  /** How far the run is: at most ten times a second, and at its end. Costs nothing while nobody listens. */
  progress: (progress: MapProgress) => void;
  /** An object got its result, which the loop gives, unless it is left before. */
  result: (item: Mapped<Own>) => void;
  warning: (event: WarningEvent) => void;
  /** In an asynchronous run: all events are in Lambda's queue, so many in all, and this process may end. */
  sent: (events: number) => void;
  /** The run is over, however it ended: the last event. */
  end: (summary: MapSummary) => void;
}

/** What the work of a run is done with. */
export interface RunControl<Own> {
  readonly runId: string;
  /** The items of one invocation come together. */
  readonly flow: Flow<readonly Mapped<Own>[]>;
  readonly tally: Tally;
  /** Aborted when the run ends early, for whatever reason: nothing new is to begin. */
  readonly admitting: AbortSignal;
  /** Aborted then too, or when what was under way has had its time. */
  readonly signal: AbortSignal;
  /** The concurrency that was asked for by `setConcurrency`, if any was. */
  wanted(): number | undefined;
  /** Says what brings another concurrency about; it returns what it has come to. */
  whenConcurrencyChanges(change: (wanted: number) => Promise<number>): void;
  /** Says how many invocations are on their way. */
  whenAsked(onTheWay: () => number): void;
  /** Says how all that there is can be counted, beside the run. */
  countedBy(count: (signal: AbortSignal) => Promise<number>): void;
  /** Ends the run before its time: what is under way is cancelled, what is there is given, then comes the error, if any. */
  conclude(error?: ScarError): void;
  /** Ends the run before its time: what is under way is cancelled, and who iterates gets the error at once. */
  fail(error: unknown): void;
  finished(item: Mapped<Own>): void;
  /** All events of an asynchronous run are sent. */
  sent(events: number): void;
  progressed(): void;
  warn(event: WarningEvent): void;
}

export interface MapRunSettings {
  runId: string;
  signal?: AbortSignal | undefined;
  ordered?: boolean | undefined;
  drainMs?: number | undefined;
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
export class MapRun<Own extends object = MappedObject>
  extends EventEmitter<MapEvents<Own>>
  implements AsyncIterable<Mapped<Own>>
{
  /** Names the run, for `resumeMap`. */
  readonly runId: string;
  readonly #context: ClientContext;
  readonly #task: (run: RunControl<Own>) => Promise<void>;
  readonly #tally: Tally;
  readonly #plan: (options?: PlanOptions) => Promise<MapPlan>;
  readonly #flow: Flow<readonly Mapped<Own>[]>;
  readonly #signal: AbortSignal | undefined;
  /** Made when the run begins, or ends before: a run that is only planned listens to nobody. */
  #linked: LinkedSignal | undefined;
  readonly #drainMs: number;
  readonly #admitting = new AbortController();
  readonly #work = new AbortController();
  #draining: NodeJS.Timeout | undefined;
  #onTheWay = () => 0;
  readonly #progress: ProgressTeller;
  /** What was taken and not given yet: the items of one invocation come together. */
  readonly #taken = new Fifo<Mapped<Own>>();
  #wanted: number | undefined;
  #changeConcurrency: ((wanted: number) => Promise<number>) | undefined;
  #iterated = false;
  #finished: Promise<void> | undefined;
  #closed = false;

  /** @internal */
  constructor(
    context: ClientContext,
    tally: Tally,
    { runId, signal, ordered, drainMs = 0 }: MapRunSettings,
    task: (run: RunControl<Own>) => Promise<void>,
    plan: (options?: PlanOptions) => Promise<MapPlan>,
  ) {
    super();
    this.runId = runId;
    this.#context = context;
    this.#tally = tally;
    this.#task = task;
    this.#plan = plan;
    this.#flow = new Flow({ ordered });
    this.#signal = signal;
    this.#drainMs = drainMs;
    this.#progress = new ProgressTeller(
      tally,
      () => this.listenerCount('progress') > 0,
      () => this.#onTheWay(),
      (progress) => this.#tell(() => this.emit('progress', progress)),
    );
    for (const { signal } of [this.#admitting, this.#work]) setMaxListeners(0, signal);
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

  /**
   * Iterates over the run, and folds its items, failures among them, into one value, in the order in which they come. What `fold` throws
   * ends the run.
   *
   * @throws what iterating throws
   * @example
   * const bytes = await run.reduce((sum, item) => sum + (item.size ?? 0), 0);
   */
  async reduce<Value>(
    fold: (value: Value, item: Mapped<Own>) => Value | Promise<Value>,
    initial: Value,
  ): Promise<Value> {
    let value = initial;
    for await (const item of this) value = await fold(value, item);
    return value;
  }

  /** Ends the run: what is under way is cancelled and waited for, and who iterates gets an error with code `aborted`. */
  async cancel(): Promise<void> {
    if (this.#closed) return;
    this.#link.abort(new ScarError('aborted', 'The map was cancelled'));
    await this.#end();
  }

  [Symbol.asyncIterator](): AsyncIterator<Mapped<Own>, undefined> {
    if (this.#iterated) {
      throw new ScarError('invalid-option', 'A map can be iterated once. Make another one for another run');
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

  async #next(): Promise<IteratorResult<Mapped<Own>, undefined>> {
    if (this.#closed) return { done: true, value: undefined };
    try {
      this.#link.signal.throwIfAborted();
      this.#finished ??= this.#start();
      // Several may ask at once: none takes away what another one has got.
      while (this.#taken.length === 0) {
        const result = await this.#flow.take();
        if (result.done && this.#taken.length === 0) return await this.#last();
        for (const item of result.value ?? []) this.#taken.push(item);
      }
      return { done: false, value: this.#taken.shift() as Mapped<Own> };
    } catch (error) {
      await this.#end();
      this.#closed = true;
      throw error;
    }
  }

  /** One that was concluded may have something under way yet, and fail by it: its summary is to be final. */
  async #last(): Promise<IteratorReturnResult<undefined>> {
    await this.#end();
    await this.#flow.take();
    this.#closed = true;
    return { done: true, value: undefined };
  }

  /** The consumer has had enough: quiet, because it knows. */
  async #stop(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#link.abort(new ScarError('aborted', 'Nobody asks for more results of this map'));
    await this.#end();
  }

  /** Waits for the end; one that never began has it now. */
  async #end(): Promise<void> {
    if (!this.#finished) {
      this.#finished = Promise.resolve();
      this.#conclude();
    }
    await this.#finished;
    this.#link.release();
  }

  get #link(): LinkedSignal {
    this.#linked ??= linkSignals(this.#signal, this.#context.closing);
    return this.#linked;
  }

  #start(): Promise<void> {
    const { signal } = this.#link;
    signal.addEventListener('abort', () => this.#abandon(signal.reason), { once: true });
    this.#tally.begin();
    const finished = this.#run();
    const forget = track(this.#context, finished);
    return finished.finally(forget);
  }

  /** Never fails itself: a failure is the iterating side's to see. */
  async #run(): Promise<void> {
    try {
      await this.#task(this.#control());
      await this.#flow.settled();
      this.#reconcile();
      this.#flow.end();
    } catch (error) {
      this.#fail(error);
    }
    await this.#flow.settled();
    clearTimeout(this.#draining);
    await this.#progress.end();
    this.#conclude();
  }

  #conclude(): void {
    this.#tally.end();
    this.#progress.tell();
    this.#tell(() => this.emit('end', this.summary));
  }

  /** A listener that throws ends the run with its error. */
  #tell(emit: () => void): void {
    try {
      emit();
    } catch (error) {
      this.#fail(error);
      this.#flow.conclude(error);
    }
  }

  #control(): RunControl<Own> {
    return {
      runId: this.runId,
      flow: this.#flow,
      tally: this.#tally,
      admitting: this.#admitting.signal,
      signal: this.#work.signal,
      wanted: () => this.#wanted,
      whenConcurrencyChanges: (change) => {
        this.#changeConcurrency = change;
      },
      whenAsked: (onTheWay) => {
        this.#onTheWay = onTheWay;
      },
      countedBy: (count) => this.#progress.countedBy(count),
      conclude: (error) => {
        this.#flow.conclude(error);
        this.#drain(new ScarError('aborted', 'The map has come to its end'));
      },
      fail: (error) => this.#fail(error),
      finished: (item) => {
        this.#tell(() => this.emit('result', item));
        this.#progress.changed();
      },
      sent: (events) => {
        this.#tell(() => this.emit('sent', events));
      },
      progressed: () => this.#progress.changed(),
      warn: (event) => this.#warn(event),
    };
  }

  /** Of what a concluded run has cancelled nobody wants to hear. */
  #fail(error: unknown): void {
    if (this.#flow.concluded) return;
    this.#flow.fail(error);
    this.#link.abort(error);
  }

  #abandon(reason: unknown): void {
    this.#flow.fail(reason);
    this.#drain(reason);
  }

  /** Lets nothing begin, and gives what is under way its time. */
  #drain(reason: unknown): void {
    if (this.#admitting.signal.aborted) return;
    this.#admitting.abort(reason);
    if (this.#drainMs > 0) this.#draining = setTimeout(() => this.#drop(reason), this.#drainMs);
    else this.#drop(reason);
  }

  #drop(reason: unknown): void {
    const running = this.#onTheWay();
    this.#work.abort(reason);
    if (running === 0) return;
    this.#warn({
      code: 'invocations-dropped',
      message: `The map ended with ${running} of its invocations on their way: they may still run on Lambda until their end`,
      context: { runId: this.runId, running },
    });
  }

  /** Every object that was listed has its result, or the run has not done its work. */
  #reconcile(): void {
    if (this.#flow.concluded) return;
    const { listed, succeeded, failed, skipped } = this.#tally.progress(0);
    if (listed === succeeded + failed + skipped) return;
    throw new ScarError(
      'map-incomplete',
      `Every object must have one result; of ${listed} objects ${succeeded} succeeded, ${failed} failed and ` +
        `${skipped} were skipped. This is a defect of scar-client: please report it`,
      { context: { summary: this.#tally.summary() } },
    );
  }

  #warn(event: WarningEvent): void {
    this.#tell(() => {
      this.emit('warning', event);
      this.#context.notify.warning(event);
    });
  }
}
