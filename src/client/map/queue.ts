import type { FunctionFacts } from '../../aws/lambda.js';
import type { ClientContext } from '../context.js';
import { type InvocationResult, lostAnswer, readAnswer } from '../invocation-result.js';
import { AnswerBox, type AnswerPlace } from './answer-box.js';
import type { QueuedSubject } from './subject.js';

export const DEFAULT_QUEUE_LIMIT = 10_000;

/** A subject's execution, as the queue knows it. */
export interface Execution {
  /** Whether an event of it was sent, by whatever process. */
  sent: QueuedSubject['sent'];
  /** Whether another is to be sent if it has failed. */
  again: boolean;
  /** Whether its subject counts among those of which something is to be sent. */
  unsent: boolean;
}

/** Lambda's queue, as an asynchronous run sees it: what is in it, and what comes out at the other end. */
export class Queue {
  readonly #box: AnswerBox;
  #unsent = 0;
  #complete = false;
  #whenSent: (() => void) | undefined;

  constructor(
    context: ClientContext,
    place: AnswerPlace,
    { timeoutSeconds }: FunctionFacts,
    { admitting }: { admitting: AbortSignal },
  ) {
    this.#box = new AnswerBox(context.objects, place, timeoutSeconds * 1000, admitting, context);
  }

  /** So many subjects are to be sent. */
  expect(subjects: number): void {
    this.#unsent += subjects;
  }

  hasSent(executions: readonly Execution[]): void {
    for (const one of executions) {
      if (!one.unsent || one.again) continue;
      one.unsent = false;
      this.#unsent--;
    }
    this.#tell();
  }

  /** They have results that stand. */
  hasEnded(executions: readonly Execution[]): void {
    for (const one of executions) one.again = false;
    this.hasSent(executions);
  }

  get isSent(): boolean {
    return this.#complete && this.#unsent === 0;
  }

  /** Nothing more is to be sent but what fails and runs again: resolves when all is sent. */
  complete(): Promise<void> {
    return new Promise((resolve) => {
      this.#complete = true;
      this.#whenSent = resolve;
      this.#tell();
    });
  }

  /** Whether an event with these keys is in the queue, or has left it, for all that is known. */
  async wasSent(executions: readonly Execution[], keys: readonly string[]): Promise<boolean> {
    const sent = await Promise.all(
      executions.map(
        async ({ sent }, index) =>
          sent === 'yes' || (sent === 'maybe' && (await this.isClaimed(keys[index] as string))),
      ),
    );
    const all = sent.every(Boolean);
    if (all) this.hasSent(executions);
    return all;
  }

  /** Whether an event with the key has left the queue. */
  isClaimed(key: string): Promise<boolean> {
    return this.#box.isClaimed(key);
  }

  answers(functionName: string, keys: readonly string[]): Promise<InvocationResult[]> {
    return Promise.all(
      keys.map(async (key) => {
        const answer = await this.#box.wait(key);
        return 'lost' in answer ? lostAnswer(functionName, answer.lost) : readAnswer(functionName, answer.response);
      }),
    );
  }

  #tell(): void {
    if (this.isSent) this.#whenSent?.();
  }
}
