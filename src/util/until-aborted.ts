/** Iterates over what may take long to give its next value; an abort does not wait for that, and throws the signal's reason. */
export async function* untilAborted<T>(
  values: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, undefined> {
  const iterator = Symbol.asyncIterator in values ? values[Symbol.asyncIterator]() : values[Symbol.iterator]();
  let state: 'between' | 'asking' | 'ended' = 'between';
  try {
    for (;;) {
      signal.throwIfAborted();
      state = 'asking';
      const next = await unlessAborted(ask(iterator), signal);
      state = next.done ? 'ended' : 'between';
      if (next.done) return;
      yield next.value;
    }
  } finally {
    if (state === 'between') await iterator.return?.();
    // A generator that is asked for more closes only after it has answered, which may be never. What failed is closed.
    else if (state === 'asking' && signal.aborted) ask(iterator, 'return').catch(() => {});
  }
}

/** Async, so that what a synchronous iterator throws is a rejection too. */
async function ask<T>(
  iterator: Iterator<T> | AsyncIterator<T>,
  what: 'next' | 'return' = 'next',
): Promise<IteratorResult<T>> {
  return (await iterator[what]?.()) ?? { done: true, value: undefined };
}

async function unlessAborted<T>(value: T | Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([value, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Whether it is sure to give the same again: iterators do not, nor do streams and most else that is asynchronous. */
export function isRepeatable(values: Iterable<unknown> | AsyncIterable<unknown>): boolean {
  return Symbol.iterator in values && !('next' in values);
}

/** Whether it can be iterated over, and is no text. */
export function isIterable(value: unknown): value is Iterable<unknown> | AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
}
