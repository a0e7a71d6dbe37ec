import { PassThrough } from 'node:stream';
import type { ObjectStore } from '../../../src/aws/object-store.js';
import type { InvocationResponse } from '../../../src/contract/index.js';
import { sleep } from '../../../src/util/sleep.js';
import { Answers } from '../../../supervisor/answers.js';
import { divideTime } from '../../../supervisor/budget.js';
import { type EventRecord, parseEvent } from '../../../supervisor/event.js';
import { Failure } from '../../../supervisor/failure.js';
import { OutcomeRecorder } from '../../../supervisor/outcome.js';
import { fitResponse } from '../../../supervisor/response-size.js';
import { CLAIM_TIMES } from '../../../supervisor/stored-answer.js';
import type { DeathCause, Fault } from './schedule.js';

/** The function's timeout, and what the supervisor keeps of it. */
export const TIMEOUT_MS = 5_000;
const RESERVE_MS = 2_000;

/** A claim is dead once its maker must be, by S3's clock of whole seconds: sooner than on Lambda, whose clock is another one. */
export const GRACE_MS = 2_000;
const TIMES = { ...CLAIM_TIMES, firstPauseMs: 50, longestPauseMs: 500, graceMs: GRACE_MS };

/** How an environment ended. */
export class Death extends Error {
  constructor(readonly reason: DeathCause) {
    super(reason);
  }
}

/**
 * An execution environment: the supervisor's way from event to response, its memory and its claims, around a container that is replaced by an
 * effect. Once dead it neither works nor writes any more.
 */
export class Environment {
  readonly id: string;
  readonly #answers: Answers;
  readonly #effect: (key: string) => void;
  #used = false;
  #dead = false;
  #deadline = 0;
  #die: (death: Death) => void = () => {};

  /** @param effect - what a container does, for an idempotency key */
  constructor(id: string, store: ObjectStore, effect: (key: string) => void) {
    this.id = id;
    this.#effect = effect;
    const log = new PassThrough().resume();
    this.#answers = new Answers({ log, store: async () => this.#mortal(store) }, TIMES);
  }

  /** @throws Death; ScarError if an answer cannot be kept */
  async invoke(requestId: string, event: unknown, fault: Fault | undefined): Promise<InvocationResponse> {
    this.#deadline = performance.now() + TIMEOUT_MS;
    const death = new Promise<never>((_, reject) => {
      this.#die = reject;
    });
    const timer = setTimeout(() => this.#kill('timeout'), TIMEOUT_MS);
    const serving = this.#serve(requestId, event, fault);
    serving.catch(() => {});
    try {
      return await Promise.race([serving, death]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #serve(requestId: string, event: unknown, fault: Fault | undefined): Promise<InvocationResponse> {
    const { options, records } = parseEvent(event);
    const response: InvocationResponse = {
      scar: 1,
      requestId,
      environmentId: this.id,
      coldStart: !this.#used,
      image: { digest: 'sha256:0', pulled: !this.#used },
      runner: 'in-process',
      outcomes: [],
    };
    this.#used = true;
    const keepsAnswers = options.results !== undefined;
    const asking = { options, budget: divideTime(TIMEOUT_MS, RESERVE_MS, { keepsAnswers }), response };
    // In the midst of a batch: some are served before it, others would be after it.
    const victim = records[records.length >> 1];
    for (const record of records) {
      const serve = () => this.#container(record, record === victim ? fault : undefined);
      response.outcomes.push(await this.#answers.once(record, asking, serve));
    }
    await this.#mayDie('kept', fault);
    fitResponse(response);
    return response;
  }

  async #container({ input, idempotencyKey = '' }: EventRecord, fault: Fault | undefined) {
    await this.#mayDie('before', fault);
    await sleep(fault?.kind === 'slow' ? fault.ms : 1);
    this.#checkAlive();
    this.#effect(idempotencyKey);
    await this.#mayDie('after', fault);
    const recorder = new OutcomeRecorder(input);
    const exitCode = fault?.kind === 'exit' ? 1 : 0;
    const nothing = { text: '', bytes: 0 };
    const failure = exitCode === 0 ? undefined : new Failure('exit', 'The container ended with exit code 1');
    recorder.ended({ exitCode, signal: null, stdout: nothing, stderr: nothing, ...(failure && { failure }) });
    return recorder.finish();
  }

  async #mayDie(moment: string, fault: Fault | undefined): Promise<void> {
    if (fault?.kind === 'death' && fault.moment === moment) {
      if (fault.cause !== 'timeout') this.#kill(fault.cause);
      await new Promise(() => {});
    }
  }

  /** Timers may be late: what Lambda has ended at its deadline does nothing after it. */
  #checkAlive(): void {
    if (performance.now() >= this.#deadline) this.#kill('timeout');
    if (this.#dead) throw new Death('timeout');
  }

  #kill(cause: DeathCause): void {
    this.#dead = true;
    this.#die(new Death(cause));
  }

  #mortal(store: ObjectStore): ObjectStore {
    const whileAlive = <Method extends (...args: never[]) => unknown>(method: Method) =>
      ((...args) => {
        this.#checkAlive();
        return method.apply(store, args);
      }) as Method;
    const methods = { head: whileAlive(store.head), read: whileAlive(store.read), write: whileAlive(store.write) };
    return methods as unknown as ObjectStore;
  }
}
