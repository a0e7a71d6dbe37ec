/**
 * What a runtime may do next. `starting` is the init phase; `ready` means that it waits in `next`; `receiving` that the
 * body of its answer is on the way.
 */
export type RuntimeState = 'starting' | 'ready' | 'invoking' | 'receiving' | 'responded' | 'failed' | 'ended';

/** What moves it: the runtime's own calls, and `dispatch` and `end`, which are ours. */
export type RuntimeEvent = 'next' | 'init-error' | 'dispatch' | 'receive' | 'complete' | 'end';

/** Every transition there is (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html); all others are refused. */
const transitions: Readonly<Record<RuntimeState, Partial<Record<RuntimeEvent, RuntimeState>>>> = {
  starting: { next: 'ready', 'init-error': 'failed', end: 'ended' },
  ready: { dispatch: 'invoking', end: 'ended' },
  invoking: { receive: 'receiving', end: 'ended' },
  receiving: { complete: 'responded', end: 'ended' },
  responded: { next: 'ready', end: 'ended' },
  failed: { end: 'ended' },
  ended: {},
};

/** A call of the runtime that its state does not allow. */
export class InvalidTransitionError extends Error {
  override readonly name = 'InvalidTransitionError';

  constructor(state: RuntimeState, event: RuntimeEvent) {
    super(`Transition from ${state} by ${event} is not allowed for runtime`);
  }
}

/** The state of one runtime process. */
export class RuntimeStateMachine {
  #state: RuntimeState = 'starting';

  get state(): RuntimeState {
    return this.#state;
  }

  /** @throws InvalidTransitionError when the table does not list this event for the present state; the state stays. */
  apply(event: RuntimeEvent): void {
    const next = transitions[this.#state][event];
    if (next === undefined) throw new InvalidTransitionError(this.#state, event);
    this.#state = next;
  }
}
