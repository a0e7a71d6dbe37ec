import type { VirtualClock } from './virtual-clock.js';

/** What a simulated account and function are like. Times in ms, numbers of execution environments. */
export interface LambdaFacts {
  /** What the account lets run at once. */
  quota: number;
  /** New environments: `burst` at first, then as many again in every 10 s, bit by bit or all at once. */
  ramp: { burst: number; refill: 'continuous' | 'step' };
  /** Environments that are there when the run begins. */
  warm: number;
  /** What others take of the quota. */
  others(now: number): number;
  /** How long each item runs. */
  durations: Float64Array;
  coldStartMs(environment: number): number;
}

const REFILL_MS = 10_000;

/** How many environments there can be at most. */
export function rampedTo({ ramp, warm }: LambdaFacts, now: number): number {
  const refills = now / REFILL_MS;
  return warm + ramp.burst * (1 + (ramp.refill === 'continuous' ? refills : Math.floor(refills)));
}

/**
 * Lambda takes 10 requests a second for each execution that it allows, in the account's quota as in the ramp
 * (https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html): a bucket that fills so fast, and holds the requests of this time.
 */
export const RATE_BUCKET_MS = 100;

/** Lambda as its documentation tells it: an item starts in a warm environment, in a new one if the ramp allows it, or not at all. */
export class LambdaModel {
  readonly facts: LambdaFacts;
  readonly #clock: VirtualClock;
  #busy = 0;
  #idle: number;
  #coldStarts = 0;
  #tokens: number;
  #requests = Number.POSITIVE_INFINITY;
  #refilledAt = 0;

  constructor(facts: LambdaFacts, clock: VirtualClock) {
    this.facts = facts;
    this.#clock = clock;
    this.#idle = facts.warm;
    this.#tokens = facts.ramp.burst;
  }

  get busy(): number {
    return this.#busy;
  }

  get coldStarts(): number {
    return this.#coldStarts;
  }

  /** Starts an item now, or refuses it. Calls back when it has run. */
  start(item: number, ended: () => void): boolean {
    const now = this.#clock.now();
    this.#refill(now);
    const allowed = this.facts.quota - this.facts.others(now);
    if (this.#busy >= allowed || this.#requests < 1) return false;
    let ms = this.facts.durations[item] as number;
    if (this.#idle > 0) this.#idle--;
    else if (this.#tokens < 1) return false;
    else ms += this.#startEnvironment();
    this.#requests--;
    this.#busy++;
    this.#clock.at(now + ms, () => {
      this.#busy--;
      this.#idle++;
      ended();
    });
    return true;
  }

  #startEnvironment(): number {
    this.#tokens--;
    return this.facts.coldStartMs(this.#coldStarts++);
  }

  #refill(now: number): void {
    const { burst, refill } = this.facts.ramp;
    const since = now - this.#refilledAt;
    if (refill === 'continuous') this.#tokens = Math.min(burst, this.#tokens + (since * burst) / REFILL_MS);
    else if (Math.floor(now / REFILL_MS) > Math.floor(this.#refilledAt / REFILL_MS)) this.#tokens = burst;
    const allowed = Math.min(this.facts.quota - this.facts.others(now), rampedTo(this.facts, now));
    this.#requests = Math.min(allowed, this.#requests + (since * allowed) / RATE_BUCKET_MS);
    this.#refilledAt = now;
  }
}
