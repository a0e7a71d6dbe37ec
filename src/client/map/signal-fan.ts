import { setMaxListeners } from 'node:events';

/** Requests that share one signal. */
const SHARE = 16;

/**
 * One signal for many requests, as several: Node looks through all listeners of a signal whenever one is added, which for a
 * thousand requests in flight costs more than all else that a map adds to a request.
 */
export class SignalFan {
  readonly #signals: AbortSignal[];
  #turn = 0;

  /** @param requests - how many there may be at a time */
  constructor(signal: AbortSignal, requests: number) {
    const controllers = Array.from({ length: Math.ceil(requests / SHARE) }, () => new AbortController());
    for (const controller of controllers) setMaxListeners(0, controller.signal);
    const abort = () => {
      for (const controller of controllers) controller.abort(signal.reason);
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    this.#signals = controllers.map((controller) => controller.signal);
  }

  /** A signal that aborts with the one behind it, for the next request. */
  next(): AbortSignal {
    this.#turn = (this.#turn + 1) % this.#signals.length;
    return this.#signals[this.#turn] as AbortSignal;
  }
}
