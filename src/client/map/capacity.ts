/**
 * What Lambda gives a function, where its documentation says so: 1,000 execution environments at once, and as many again in
 * 10 s, refilled continuously as far as Lambda manages (https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html).
 */
const RAMP_BURST = 1_000;
const RAMP_PER_MS = RAMP_BURST / 10_000;

/** A raise holds if no throttle came in so many times what a throttle takes to come, which is at first not known. */
const FEEDBACK_ROUND_TRIPS = 2;
const FIRST_ROUND_TRIP_MS = 100;
export const LEAST_FEEDBACK_MS = 50;

/** The first raise above what is documented, how much larger the next is after one that held, how much smaller after one that was refused. */
const FIRST_STEP = 512;
const STEP_UP = 2;
const STEP_DOWN = 8;

/** The longest wait between raises that are refused one after the other. */
const LONGEST_PAUSE_MS = 1_000;

/** How long the documented ramp is kept to after more than that was refused. Doubles up to the longest. */
const BOLD_PAUSE_MS = 5_000;
const LONGEST_BOLD_PAUSE_MS = 40_000;

/** Lambda takes less than what held before if the limit has fallen to this share of it; then the limit is decreased further. */
const SHRUNK = 0.99;
const DECREASE = 0.95;

/**
 * How many requests of a function Lambda lets run, as far as its throttles tell. TCP learns from rounds of answers, which may
 * take minutes here; but Lambda refuses at once. So a limit that was raised holds if no throttle comes soon, and is raised again by twice as much;
 * one that was refused falls back to what runs, and the next raise is small. Above what held before, raises keep to the documented
 * ramp, but for a try now and then, as environments that are warm need no ramp. A limit that held and is refused now is decreased below what
 * runs: others need room.
 *
 * Lambda's quota of requests, 10 a second for each execution that it allows, comes as throttles too, and bounds the requests on their way as well.
 */
export class Capacity {
  #limit = RAMP_BURST;
  /** The limit that last held. */
  #held = RAMP_BURST;
  /** Environments that there are, for all that is known: the highest limit that held. */
  #environments = RAMP_BURST;
  #raiseAt: number;
  #raisedBy = 0;
  /** Whether a throttle came since the last raise. */
  #refused = true;
  #step = FIRST_STEP;
  #pauses = 0;
  #decreaseAt = 0;
  /** Whether the last raise was above what is documented. */
  #bold = false;
  #boldAt = 0;
  #boldPauseMs = BOLD_PAUSE_MS;
  /** How many new environments the ramp allows. */
  #tokens = 0;
  #refilledAt: number;
  #roundTripMs = FIRST_ROUND_TRIP_MS;

  constructor(now: number) {
    this.#raiseAt = now + this.#feedbackMs;
    this.#refilledAt = now;
  }

  /** How many requests may be on their way. */
  get limit(): number {
    return this.#limit;
  }

  /** In how many ms it is time to raise the limit, if all of it is used. */
  raiseIn(now: number): number {
    return this.#raiseAt - now;
  }

  /** Raises the limit, all of which is used, as far as the cap. Returns whether it did. */
  raise(cap: number, now: number): boolean {
    if (now < this.#raiseAt || this.#limit >= cap) return false;
    if (!this.#refused && this.#limit > this.#held) this.#lastRaiseHeld();
    this.#tokens = Math.min(RAMP_BURST, this.#tokens + (now - this.#refilledAt) * RAMP_PER_MS);
    this.#refilledAt = now;
    const known = Math.max(0, this.#environments - this.#limit);
    const documented = known + Math.floor(this.#tokens);
    const step = Math.min(this.#step, cap - this.#limit, now < this.#boldAt ? documented : Number.POSITIVE_INFINITY);
    if (step < 1) return false;
    this.#raisedBy = step;
    this.#bold = this.#raisedBy > documented;
    this.#tokens = Math.max(0, this.#tokens - Math.max(0, this.#raisedBy - known));
    this.#limit += this.#raisedBy;
    this.#refused = false;
    this.#raiseAt = now + this.#feedbackMs;
    return true;
  }

  /**
   * Lambda refused a request.
   *
   * @param onTheWay - how many others are
   * @param tookMs - from sending it to its refusal
   */
  throttled(onTheWay: number, tookMs: number, now: number): void {
    this.#roundTripMs += (tookMs - this.#roundTripMs) / 8;
    this.#limit = Math.min(this.#limit, onTheWay);
    if (!this.#refused) this.#lastRaiseRefused(now);
    if (this.#limit < this.#held * SHRUNK && now >= this.#decreaseAt) this.#decrease(now);
    this.#raiseAt = now + Math.min(LONGEST_PAUSE_MS, this.#feedbackMs * 2 ** this.#pauses);
  }

  /** Lambda ran a request: nothing takes longer than that to be refused. */
  answered(tookMs: number): void {
    this.#roundTripMs = Math.min(this.#roundTripMs, tookMs);
  }

  #lastRaiseHeld(): void {
    this.#held = this.#limit;
    this.#environments = Math.max(this.#environments, this.#limit);
    this.#step = STEP_UP * this.#raisedBy;
    this.#pauses = 0;
    if (this.#bold) this.#boldPauseMs = BOLD_PAUSE_MS;
  }

  #lastRaiseRefused(now: number): void {
    this.#refused = true;
    this.#step = Math.max(1, Math.floor(this.#raisedBy / STEP_DOWN));
    this.#pauses++;
    if (this.#limit >= this.#environments) this.#tokens = 0;
    if (!this.#bold) return;
    this.#boldAt = now + this.#boldPauseMs;
    this.#boldPauseMs = Math.min(LONGEST_BOLD_PAUSE_MS, 2 * this.#boldPauseMs);
  }

  /** Throttles of requests that were sent before the last decrease tell of the same moment. */
  #decrease(now: number): void {
    const ran = this.#limit;
    this.#limit = Math.floor(ran * DECREASE);
    this.#held = this.#limit;
    this.#step = Math.max(1, Math.ceil((ran - this.#limit) / 4));
    this.#decreaseAt = now + this.#feedbackMs;
  }

  get #feedbackMs(): number {
    return Math.max(LEAST_FEEDBACK_MS, FEEDBACK_ROUND_TRIPS * this.#roundTripMs);
  }
}
