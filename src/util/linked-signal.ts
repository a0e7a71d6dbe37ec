import { setMaxListeners } from 'node:events';

/** A signal that aborts as soon as one of its sources does, with that source's reason. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  /** Lets go of the sources, which may live for much longer: call it when the work is over. */
  release(): void;
}

/**
 * Links signals. Unlike `AbortSignal.any`, it can let go of a source that outlives it: a client's own signal would
 * otherwise gather one dependent for every call.
 */
export function linkSignals(...sources: readonly (AbortSignal | undefined)[]): LinkedSignal {
  const controller = new AbortController();
  // Every request in flight listens to it.
  setMaxListeners(0, controller.signal);
  const links: (() => void)[] = [];
  for (const source of sources) {
    if (!source) continue;
    if (source.aborted) {
      controller.abort(source.reason);
      break;
    }
    const follow = () => controller.abort(source.reason);
    // Any number of calls may share it: each lets go of it, and Node would take the eleventh for a leak.
    setMaxListeners(0, source);
    source.addEventListener('abort', follow, { once: true });
    links.push(() => source.removeEventListener('abort', follow));
  }
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    release() {
      for (const unlink of links.splice(0)) unlink();
    },
  };
}
