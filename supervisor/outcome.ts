import type {
  ContainerOutcome,
  FailureReason,
  InputObject,
  OutputObject,
  OutputTail,
  Timings,
} from '../src/contract/index.js';
import type { ContainerEnd } from './container/run-container.js';
import { asFailure, type Failure } from './failure.js';

const NOTHING: OutputTail = { text: '', bytes: 0 };

/** Gathers what becomes of one container; of its failures the first is the outcome's. */
export class OutcomeRecorder {
  readonly outputs: OutputObject[] = [];
  readonly #input: InputObject | undefined;
  readonly #timings: Timings = { pullMs: 0, stageInMs: 0, containerMs: 0, stageOutMs: 0 };
  #end: Pick<ContainerEnd, 'exitCode' | 'signal' | 'stdout' | 'stderr'> | undefined;
  #failure: Failure | undefined;
  #later = '';

  constructor(input: InputObject | undefined) {
    this.#input = input;
  }

  /** Whether the container ran: then there may be outputs. */
  get hasRun(): boolean {
    return this.#end !== undefined;
  }

  /** What the outcome's status will be, in one word. */
  get mark(): 'succeeded' | FailureReason {
    return this.#failure?.reason ?? 'succeeded';
  }

  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** Runs a stage and notes its time; what it throws becomes a failure of that stage, and is thrown. */
  async stage<T>(timing: keyof Timings, reason: FailureReason, action: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await action();
    } catch (error) {
      throw asFailure(error, reason);
    } finally {
      this.#timings[timing] += performance.now() - started;
    }
  }

  ended(end: ContainerEnd): void {
    this.#end = end;
    if (end.failure) this.fail(end.failure);
  }

  fail(failure: Failure): void {
    if (this.#failure) this.#later += `. Then: ${failure.message}`;
    else this.#failure = failure;
  }

  finish(): ContainerOutcome {
    const { exitCode = null, signal = null, stdout = NOTHING, stderr = NOTHING } = this.#end ?? {};
    const timings = { ...this.#timings };
    for (const name of Object.keys(timings) as (keyof Timings)[]) timings[name] = Math.round(timings[name] * 10) / 10;
    const facts = {
      ...(this.#input && { input: this.#input }),
      exitCode,
      signal,
      outputs: this.outputs,
      stdout,
      stderr,
      timings,
    };
    if (!this.#failure) return { status: 'succeeded', ...facts };
    const { reason, message } = this.#failure;
    return { status: 'failed', reason, message: message + this.#later, ...facts };
  }
}
