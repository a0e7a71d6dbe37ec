import { setMaxListeners } from 'node:events';

/** Requests that share one signal. */
const SHARE = 16;

/**
 * One signal for many requests, as several: Node looks through all listeners of a signal whenever one is added, which for a
 * thousand requests in flight costs more than all else that a map adds to a request.
 */
export class SignalFan {
  readonly #signal: AbortSignal;
  readonly #controllers: AbortController[] = [];
  #turn = 0;

  /** @param requests - how many there may be at a time */
  constructor(signal: AbortSignal, requests: number) {
    this.#signal = signal;
    this.growTo(requests);
    const abort = () => {
      for (const controller of this.#controllers) controller.abort(signal.reason);
    };
    if (!signal.aborted) signal.addEventListener('abort', abort, { once: true });
  }

  /** Makes room for so many requests at a time. */
  growTo(requests: number): void {
    while (this.#controllers.length < Math.ceil(requests / SHARE)) {
      const controller = new AbortController();
      setMaxListeners(0, controller.signal);
      if (this.#signal.aborted) controller.abort(this.#signal.reason);
      this.#controllers.push(controller);
    }
  }

  /** A signal that aborts with the one behind it, for the next request. */
  next(): AbortSignal {
    this.#turn = (this.#turn + 1) % this.#controllers.length;
    return (this.#controllers[this.#turn] as AbortController).signal;
  }
}
