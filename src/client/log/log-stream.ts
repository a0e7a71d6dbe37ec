import { ScarError } from '../../errors.js';
import { linkSignals } from '../../util/linked-signal.js';
import { type ClientContext, track } from '../context.js';
import type { LogEvent } from './log-event.js';

/**
 * A function's log as it is iterated over, once. Nothing is asked for before the first event is, and no more than one page
 * is held. Leaving the loop ends the request in progress. An abort throws the signal's reason.
 */
export class LogStream implements AsyncIterable<LogEvent> {
  readonly #context: ClientContext;
  readonly #read: (signal: AbortSignal) => AsyncGenerator<LogEvent, undefined>;
  readonly #link: ReturnType<typeof linkSignals>;
  #iterated = false;

  /** @internal */
  constructor(
    context: ClientContext,
    signal: AbortSignal | undefined,
    read: (signal: AbortSignal) => AsyncGenerator<LogEvent, undefined>,
  ) {
    this.#context = context;
    this.#read = read;
    this.#link = linkSignals(signal, context.closing);
  }

  [Symbol.asyncIterator](): AsyncIterator<LogEvent, undefined> {
    if (this.#iterated) {
      throw new ScarError('invalid-option', 'A log can be iterated once. Call streamLogs again to read it again');
    }
    this.#iterated = true;
    const link = this.#link;
    const events = this.#read(link.signal);
    let closed = false;
    const close = () => {
      closed = true;
      link.release();
    };
    return {
      next: async () => {
        if (closed) return { done: true, value: undefined };
        try {
          link.signal.throwIfAborted();
          const next = events.next();
          const forget = track(this.#context, next);
          const result = await next.finally(forget);
          if (result.done) close();
          return result;
        } catch (error) {
          close();
          throw error;
        }
      },
      return: async () => {
        if (!closed) {
          link.abort(new ScarError('aborted', 'Nobody asks for more of this log'));
          await events.return(undefined);
          close();
        }
        return { done: true, value: undefined };
      },
    };
  }
}
