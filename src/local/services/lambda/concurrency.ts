import { errors } from './errors.js';

/** Lambda keeps a tenth of the default limit of 1,000 unreserved; smaller accounts here keep a tenth of theirs. */
const UNRESERVED_SHARE = 0.1;
const MAX_UNRESERVED_MINIMUM = 100;

/** What the ledger must know of functions. */
export interface Reservations {
  /** The function's own reservation; undefined when it draws from the account's. */
  of(name: string): number | undefined;
  /** All reservations together. */
  total(): number;
}

/**
 * Who may run how much at a time
 * (https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html): a function with a reservation up to that,
 * all others together up to what the account has left.
 */
export class ConcurrencyLedger {
  readonly limit: number;
  readonly #reservations: Reservations;
  readonly #active = new Map<string, number>();

  /** @param limit - the account's, for all functions together */
  constructor(limit: number, reservations: Reservations) {
    this.limit = limit;
    this.#reservations = reservations;
  }

  get unreserved(): number {
    return this.limit - this.#reservations.total();
  }

  /** What reservations must leave for functions that have none. */
  get unreservedMinimum(): number {
    return Math.min(MAX_UNRESERVED_MINIMUM, Math.floor(this.limit * UNRESERVED_SHARE));
  }

  /** Whether the function could start one more invocation now. */
  hasRoom(name: string): boolean {
    const reserved = this.#reservations.of(name);
    if (reserved !== undefined) return this.#activeOf(name) < reserved;
    return this.#activeUnreserved() < this.unreserved;
  }

  /** Counts one more invocation in. @throws ServiceError `TooManyRequestsException` with its reason */
  enter(name: string): void {
    if (!this.hasRoom(name)) {
      const reserved = this.#reservations.of(name) !== undefined;
      throw errors.throttled(
        reserved ? 'ReservedFunctionConcurrentInvocationLimitExceeded' : 'ConcurrentInvocationLimitExceeded',
      );
    }
    this.#active.set(name, this.#activeOf(name) + 1);
  }

  leave(name: string): void {
    const left = this.#activeOf(name) - 1;
    if (left > 0) this.#active.set(name, left);
    else this.#active.delete(name);
  }

  #activeOf(name: string): number {
    return this.#active.get(name) ?? 0;
  }

  #activeUnreserved(): number {
    let sum = 0;
    for (const [name, count] of this.#active) if (this.#reservations.of(name) === undefined) sum += count;
    return sum;
  }
}
