import type { FunctionDescription } from '../function-description.js';
import type { InvocationFailureReason, InvocationResult } from '../invocation-result.js';
import { type CostEstimate, estimateCost, gbSeconds } from '../pricing.js';

/** What the price of its time depends on. */
type FunctionSize = Pick<FunctionDescription, 'memoryMiB' | 'architecture'>;

/** How far a run is. */
export interface MapProgress {
  /** Objects that the listing has given so far, skipped ones among them. */
  listed: number;
  /**
   * How many there are in all: known when the listing is through, or before, as who listens to `progress` has the objects counted beside from the first
   * result on. Undefined until then, and where inputs can be read only once.
   */
  total: number | undefined;
  /** Succeeded, failed and skipped. */
  done: number;
  succeeded: number;
  failed: number;
  skipped: number;
  inFlight: number;
  /** Of those in flight: on their way to Lambda and back ... */
  running: number;
  /** ... and waiting to be sent, or sent again. */
  queued: number;
  /** Answers of Lambda that said 429 so far. */
  throttles: number;
  /** Size of the objects that have results, as far as it is known. */
  bytes: number;
  /** When the last result is to be expected, in ms from now, as the last ones came; undefined while nobody can know. */
  etaMs: number | undefined;
  /** What it has cost so far on AWS, in USD: an estimate, without the time of the results `withoutBill`. */
  costUsd: number;
  /** Results whose `billedMs` is not known: see {@link MapSummary}. */
  withoutBill: number;
}

/** A run in numbers. While it goes on, those so far. */
export interface MapSummary {
  runId: string;
  functionName: string;
  bucket: string;
  prefix: string;
  /**
   * Whether every object that matches has its result: listed = succeeded + failed + skipped. With `retryFailed`, which runs nothing else, false if
   * there are others that have none; those are not in `listed`.
   */
  complete: boolean;
  /** Objects that the listing gave; always succeeded + failed + skipped + cancelled once the run is over. */
  listed: number;
  succeeded: number;
  failed: number;
  /** Folder markers, and objects that the options leave out. */
  skipped: number;
  /** Listed, and without a result because the run was ended early. */
  cancelled: number;
  /** How many of the results are those of earlier sittings. */
  replayed: number;
  /** Invocations that were sent because others took long; what those cost that were dropped then is not known, and not in the sums below. */
  backups: number;
  /** How many failed for which reason. */
  reasons: Partial<Record<InvocationFailureReason, number>>;
  /** Invocations that were sent, repetitions among them; of earlier sittings as many as the results say. */
  attempts: number;
  throttles: number;
  coldStarts: number;
  /** The most invocations at once that were allowed. */
  concurrency: number;
  memoryMiB: number;
  /**
   * Results whose `billedMs` is not known, so that the sums below lack it: all of an asynchronous run, and those whose answer got lost. Who looks on by
   * `attachMap` has sent nothing, so that the requests are missing, too.
   */
  withoutBill: number;
  billedMs: number;
  gbSeconds: number;
  /** What it costs on AWS, in USD: an estimate. */
  costUsd: CostEstimate;
  /** From the first item asked for to the last one, in ms. */
  wallMs: number;
}

/** Counts what happens in a run. */
export class Tally {
  readonly #runId: string;
  #of = { functionName: '', bucket: '', prefix: '' };
  readonly #reasons: Partial<Record<InvocationFailureReason, number>> = {};
  readonly #clock: () => number;
  #startedAt: number | undefined;
  #endedAt: number | undefined;
  #memoryMiB = 0;
  #architecture: FunctionSize['architecture'] = 'x86_64';
  #concurrency = 0;
  #listingDone = false;
  #expected: number | undefined;
  #leftOut = 0;
  #started = 0;
  #succeeded = 0;
  #failed = 0;
  #skipped = 0;
  #replayed = 0;
  #replayedRequest = '';
  #backups = 0;
  #bytes = 0;
  #attempts = 0;
  #billedRequests = 0;
  #throttles = 0;
  #coldStarts = 0;
  #withoutBill = 0;
  #billedMs = 0;
  #paidMs = 0;

  readonly #pace: Pace;

  constructor(runId: string, clock: () => number = () => performance.now()) {
    this.#runId = runId;
    this.#clock = clock;
    this.#pace = new Pace(clock);
  }

  /** What it is a run of: a resumed one's journal has to be read first. */
  isOf(of: { functionName: string; bucket: string; prefix: string }): void {
    this.#of = of;
  }

  get succeeded(): number {
    return this.#succeeded;
  }

  get failed(): number {
    return this.#failed;
  }

  get skipped(): number {
    return this.#skipped;
  }

  get inFlight(): number {
    return this.#started - this.#succeeded - this.#failed;
  }

  /** Objects that were not skipped, so far. */
  get started(): number {
    return this.#started;
  }

  /** Whether all objects are known. */
  get isListed(): boolean {
    return this.#listingDone;
  }

  begin(): void {
    this.#startedAt = this.#clock();
  }

  runsWith({ memoryMiB, architecture }: FunctionSize, concurrency: number): void {
    this.#memoryMiB = memoryMiB;
    this.#architecture = architecture;
    this.#concurrency = Math.max(this.#concurrency, concurrency);
  }

  skip(objects = 1): void {
    this.#skipped += objects;
  }

  start(subjects = 1): void {
    this.#started += subjects;
  }

  listingDone(): void {
    this.#listingDone = true;
  }

  /** So many were read that have no result and get none in this sitting. */
  leaveOut(subjects: number): void {
    this.#leftOut += subjects;
  }

  /** So many there were when somebody counted. */
  expects(objects: number): void {
    this.#expected = objects;
  }

  backedUp(): void {
    this.#backups++;
  }

  throttled(): void {
    this.#throttles++;
  }

  /**
   * An invocation was sent.
   *
   * @param throttles - how many of the attempts Lambda did not let run
   */
  sent(attempts: number, throttles: number): void {
    this.#attempts += attempts;
    this.#billedRequests += attempts - throttles;
  }

  /**
   * A subject has its result.
   *
   * @param paidMs - what was billed, in ms of the function's own memory
   */
  record(item: InvocationResult & { size?: number | undefined }, paidMs = item.billedMs ?? 0): void {
    if (item.status === 'succeeded') this.#succeeded++;
    else {
      this.#failed++;
      this.#reasons[item.reason] = (this.#reasons[item.reason] ?? 0) + 1;
    }
    if (item.coldStart) this.#coldStarts++;
    // What Lambda did not let run costs nothing.
    if (item.billedMs === undefined && item.reason !== 'throttled') this.#withoutBill++;
    this.#billedMs += item.billedMs ?? 0;
    this.#paidMs += paidMs;
    this.#bytes += item.size ?? 0;
  }

  /** A result of an earlier sitting; those of one invocation come one after the other. */
  replay(item: InvocationResult): void {
    this.#started++;
    this.#replayed++;
    if (item.requestId === '' || item.requestId !== this.#replayedRequest) this.sent(item.attempts, 0);
    this.#replayedRequest = item.requestId;
    this.record(item);
  }

  end(): void {
    this.#endedAt ??= this.#clock();
  }

  /** @param running - invocations on their way */
  progress(running: number): MapProgress {
    const listed = this.#started + this.#skipped;
    const finished = this.#succeeded + this.#failed;
    const { inFlight } = this;
    const perMs = this.#pace.perMs(finished - this.#replayed);
    const done = finished + this.#skipped;
    const total = this.#total(listed);
    const left = total === undefined ? undefined : total - done;
    return {
      listed,
      total,
      done,
      succeeded: this.#succeeded,
      failed: this.#failed,
      skipped: this.#skipped,
      inFlight,
      running,
      queued: Math.max(0, inFlight - running),
      throttles: this.#throttles,
      bytes: this.#bytes,
      etaMs: left === undefined || (left > 0 && perMs === 0) ? undefined : left / (perMs || 1),
      costUsd: this.#cost().total,
      withoutBill: this.#withoutBill,
    };
  }

  /** What was counted may have got more since, or less. */
  #total(listed: number): number | undefined {
    if (this.#listingDone) return listed;
    return this.#expected === undefined ? undefined : Math.max(this.#expected, listed);
  }

  #cost(): CostEstimate {
    return estimateCost(this.#architecture, gbSeconds(this.#paidMs, this.#memoryMiB), this.#billedRequests);
  }

  summary(): MapSummary {
    const finished = this.#succeeded + this.#failed;
    const ended = this.#endedAt !== undefined;
    return {
      runId: this.#runId,
      ...this.#of,
      complete: ended && this.#listingDone && finished === this.#started && this.#leftOut === 0,
      listed: this.#started + this.#skipped,
      succeeded: this.#succeeded,
      failed: this.#failed,
      skipped: this.#skipped,
      cancelled: ended ? this.#started - finished : 0,
      replayed: this.#replayed,
      backups: this.#backups,
      reasons: { ...this.#reasons },
      attempts: this.#attempts,
      throttles: this.#throttles,
      coldStarts: this.#coldStarts,
      concurrency: this.#concurrency,
      memoryMiB: this.#memoryMiB,
      withoutBill: this.#withoutBill,
      billedMs: this.#billedMs,
      gbSeconds: gbSeconds(this.#paidMs, this.#memoryMiB),
      costUsd: this.#cost(),
      wallMs: this.#startedAt === undefined ? 0 : (this.#endedAt ?? this.#clock()) - this.#startedAt,
    };
  }
}

/** How long what lies back counts in what is expected. */
const MEMORY_MS = 10_000;

/** How fast results come, by the last ones more than by those before. */
class Pace {
  readonly #clock: () => number;
  #at: number | undefined;
  #finished = 0;
  #perMs = 0;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  perMs(finished: number): number {
    const now = this.#clock();
    const elapsed = now - (this.#at ?? now);
    if (elapsed > 0) {
      const latest = (finished - this.#finished) / elapsed;
      const weight = this.#perMs === 0 ? 1 : 1 - Math.exp(-elapsed / MEMORY_MS);
      this.#perMs += (latest - this.#perMs) * weight;
    }
    this.#at = now;
    this.#finished = finished;
    return this.#perMs;
  }
}
