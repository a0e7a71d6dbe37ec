import type { FunctionDescription } from '../function-description.js';
import type { InvocationFailureReason } from '../invocation-result.js';
import { type CostEstimate, estimateCost, gbSeconds } from '../pricing.js';
import type { MapItem } from './item.js';

/** What the price of its time depends on. */
type FunctionSize = Pick<FunctionDescription, 'memoryMiB' | 'architecture'>;

/** How far a run is. */
export interface MapProgress {
  /** Objects that the listing has given so far, skipped ones among them. */
  listed: number;
  /** How many there are in all, once the listing is through. */
  total: number | undefined;
  /** Succeeded, failed and skipped. */
  done: number;
  succeeded: number;
  failed: number;
  skipped: number;
  inFlight: number;
  /** Answers of Lambda that said 429 so far. */
  throttles: number;
}

/** A run in numbers. While it goes on, those so far. */
export interface MapSummary {
  functionName: string;
  bucket: string;
  prefix: string;
  /** Whether every object that matches has its result: listed = succeeded + failed + skipped. */
  complete: boolean;
  /** Objects that the listing gave; always succeeded + failed + skipped + cancelled once the run is over. */
  listed: number;
  succeeded: number;
  failed: number;
  /** Folder markers, and objects that the options leave out. */
  skipped: number;
  /** Listed, and without a result because the run was ended early. */
  cancelled: number;
  /** How many failed for which reason. */
  reasons: Partial<Record<InvocationFailureReason, number>>;
  /** Invocations that were sent, repetitions among them. */
  attempts: number;
  throttles: number;
  coldStarts: number;
  /** The most invocations at once that were allowed. */
  concurrency: number;
  memoryMiB: number;
  billedMs: number;
  gbSeconds: number;
  /** What it costs on AWS, in USD: an estimate. */
  costUsd: CostEstimate;
  /** From the first item asked for to the last one, in ms. */
  wallMs: number;
}

/** Counts what happens in a run. */
export class Tally {
  readonly #of: { functionName: string; bucket: string; prefix: string };
  readonly #reasons: Partial<Record<InvocationFailureReason, number>> = {};
  readonly #clock: () => number;
  #startedAt: number | undefined;
  #endedAt: number | undefined;
  #memoryMiB = 0;
  #architecture: FunctionSize['architecture'] = 'x86_64';
  #concurrency = 0;
  #listingDone = false;
  #started = 0;
  #succeeded = 0;
  #failed = 0;
  #skipped = 0;
  #attempts = 0;
  #billedRequests = 0;
  #throttles = 0;
  #coldStarts = 0;
  #billedMs = 0;

  constructor(
    of: { functionName: string; bucket: string; prefix: string },
    clock: () => number = () => performance.now(),
  ) {
    this.#of = of;
    this.#clock = clock;
  }

  get succeeded(): number {
    return this.#succeeded;
  }

  get failed(): number {
    return this.#failed;
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
    this.#concurrency = concurrency;
  }

  skip(): void {
    this.#skipped++;
  }

  start(): void {
    this.#started++;
  }

  listingDone(): void {
    this.#listingDone = true;
  }

  throttled(): void {
    this.#throttles++;
  }

  /** @param throttles - how many of its attempts Lambda did not let run */
  record(item: MapItem, throttles: number): void {
    if (item.status === 'succeeded') this.#succeeded++;
    else {
      this.#failed++;
      this.#reasons[item.reason] = (this.#reasons[item.reason] ?? 0) + 1;
    }
    this.#attempts += item.attempts;
    this.#billedRequests += item.attempts - throttles;
    if (item.coldStart) this.#coldStarts++;
    this.#billedMs += item.billedMs ?? 0;
  }

  end(): void {
    this.#endedAt ??= this.#clock();
  }

  progress(): MapProgress {
    const listed = this.#started + this.#skipped;
    return {
      listed,
      total: this.#listingDone ? listed : undefined,
      done: this.#succeeded + this.#failed + this.#skipped,
      succeeded: this.#succeeded,
      failed: this.#failed,
      skipped: this.#skipped,
      inFlight: this.#started - this.#succeeded - this.#failed,
      throttles: this.#throttles,
    };
  }

  summary(): MapSummary {
    const finished = this.#succeeded + this.#failed;
    const ended = this.#endedAt !== undefined;
    const used = gbSeconds(this.#billedMs, this.#memoryMiB);
    return {
      ...this.#of,
      complete: ended && this.#listingDone && finished === this.#started,
      listed: this.#started + this.#skipped,
      succeeded: this.#succeeded,
      failed: this.#failed,
      skipped: this.#skipped,
      cancelled: ended ? this.#started - finished : 0,
      reasons: { ...this.#reasons },
      attempts: this.#attempts,
      throttles: this.#throttles,
      coldStarts: this.#coldStarts,
      concurrency: this.#concurrency,
      memoryMiB: this.#memoryMiB,
      billedMs: this.#billedMs,
      gbSeconds: used,
      costUsd: estimateCost(this.#architecture, used, this.#billedRequests),
      wallMs: this.#startedAt === undefined ? 0 : (this.#endedAt ?? this.#clock()) - this.#startedAt,
    };
  }
}
