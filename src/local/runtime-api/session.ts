import { RuntimeStateMachine } from './state.js';

/** Lambda's limit for a synchronous response: 6 MB and a little (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). */
export const MAX_RESPONSE_BYTES = 6_291_556;

/** One event for the runtime, as `next` hands it out. */
export interface RuntimeInvocation {
  readonly requestId: string;
  /** Epoch milliseconds. */
  readonly deadlineMs: number;
  readonly functionArn: string;
  readonly traceId: string;
  /** JSON, for the mobile SDK's header of that name. */
  readonly clientContext?: string;
  /** JSON. */
  readonly payload: Uint8Array;
}

/** What the runtime answered. */
export type RuntimeAnswer =
  | { readonly kind: 'response'; readonly payload: Buffer }
  | { readonly kind: 'error'; readonly errorType: string; readonly payload: Buffer }
  | { readonly kind: 'too-large' };

/** What happens to a session, told to the execution environment that owns it. */
export interface SessionListener {
  /** The runtime waits for an event: its init, or the invocation before, is over. */
  ready(): void;
  initFailed(errorType: string, payload: Buffer): void;
  answered(answer: RuntimeAnswer): void;
}

/** The server's side of one runtime process: its state, the event it works on, and the `next` that waits. */
export class RuntimeSession {
  readonly machine = new RuntimeStateMachine();
  /** Set by the owner before the runtime can speak. */
  listener: SessionListener | undefined;
  #current: RuntimeInvocation | undefined;
  #deliver: ((invocation: RuntimeInvocation) => void) | undefined;

  /** The request ID that an answer must carry; undefined when none is due. */
  get currentRequestId(): string | undefined {
    return this.#current?.requestId;
  }

  /** `next` was called: `deliver` gets the next event, once there is one. */
  wait(deliver: (invocation: RuntimeInvocation) => void): void {
    this.machine.apply('next');
    this.#current = undefined;
    this.#deliver = deliver;
    this.listener?.ready();
  }

  /** Hands an event to the runtime that waits. */
  dispatch(invocation: RuntimeInvocation): void {
    this.machine.apply('dispatch');
    this.#current = invocation;
    const deliver = this.#deliver;
    this.#deliver = undefined;
    deliver?.(invocation);
  }

  /** An answer begins to arrive. */
  receive(): void {
    this.machine.apply('receive');
  }

  /** The answer is whole. */
  complete(answer: RuntimeAnswer): void {
    this.machine.apply('complete');
    this.listener?.answered(answer);
  }

  failInit(errorType: string, payload: Buffer): void {
    this.machine.apply('init-error');
    this.listener?.initFailed(errorType, payload);
  }

  /** The process is gone or about to be: whatever it still says is refused. */
  end(): void {
    if (this.machine.state !== 'ended') this.machine.apply('end');
    this.#deliver = undefined;
  }
}
