import { randomUUID } from 'node:crypto';
import { type AgedObjectHead, type ObjectAddress, type ObjectStore, readText } from '../src/aws/object-store.js';
import type { InvocationResponse } from '../src/contract/index.js';
import { ScarError } from '../src/errors.js';
import { sleep } from '../src/util/sleep.js';
import { type Budget, within } from './budget.js';

/**
 * What there is for a key: a claim that was made now, an answer, a claim whose maker is dead, or one whose maker may still live; that of the
 * same request if it was queued, and came twice.
 */
export type Claim =
  | { state: 'made' }
  | { state: 'answered'; answer: InvocationResponse }
  | { state: 'dead'; eTag: string | undefined }
  | { state: 'pending'; isSameRequest: boolean };

/** How long others are waited for, in ms. */
export interface ClaimTimes {
  /** Between two looks at a claim, at first and at most. */
  firstPauseMs: number;
  longestPauseMs: number;
  /** After Lambda must have ended a claim's maker: S3's clock has whole seconds, and Lambda's may differ. */
  graceMs: number;
  /**
   * Lambda repeats an event, under its request ID, a minute after the attempt before has ended
   * (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html). What comes sooner may be a double of its
   * queue, "eventually consistent", with the first one still at work.
   */
  repetitionMs: number;
}

export const CLAIM_TIMES: ClaimTimes = {
  firstPauseMs: 1_000,
  longestPauseMs: 10_000,
  graceMs: 10_000,
  repetitionMs: 30_000,
};

/** Lambda's longest timeout: for an empty object that does not say how long its maker had. */
const LONGEST_MS = 900_000;

/** Metadata, as outputs have it too: who made the object, and what came of the container. */
const [REQUEST_ID, OUTCOME] = ['scar-request-id', 'scar-outcome'];
/** Of a claim, which itself is empty: a mark unlike any other, and how long its maker has, in ms. */
const [MARK, REMAINING] = ['scar-claim', 'scar-remaining-ms'];

/** The object of one idempotency key. Every failure to reach it is a ScarError: then nobody would learn of the answer. */
export class StoredAnswer {
  readonly url: string;
  readonly #address: ObjectAddress;
  readonly #store: () => Promise<ObjectStore>;
  readonly #budget: Budget;
  readonly #times: ClaimTimes;

  constructor(address: ObjectAddress, store: () => Promise<ObjectStore>, budget: Budget, times: ClaimTimes) {
    this.url = `s3://${address.bucket}/${address.key}`;
    this.#address = address;
    this.#store = store;
    this.#budget = budget;
    this.#times = times;
  }

  /** Claims the key for an invocation; if another one has, waits for its answer while there is time to run anything. */
  claim(requestId: string): Promise<Claim> {
    return this.#reach('be claimed, so nothing ran', async (store, signal) => {
      const mark = randomUUID();
      let found: AgedObjectHead | undefined;
      for (let pause = this.#times.firstPauseMs; ; ) {
        if (!found && (await this.#create(store, requestId, mark, signal))) return { state: 'made' };
        found = await this.#find(store, signal);
        // It was removed in between.
        if (!found) continue;
        if (found.bytes > 0) return { state: 'answered', answer: await this.#read(store, signal) };
        // The reply to the first attempt was lost.
        if (found.metadata[MARK] === mark) return { state: 'made' };
        if (this.#isDead(found, requestId)) return { state: 'dead', eTag: found.eTag };
        if (performance.now() + pause > this.#budget.containerEnd) {
          return { state: 'pending', isSameRequest: found.metadata[REQUEST_ID] === requestId };
        }
        await sleep(pause, signal);
        pause = Math.min(pause * 1.5, this.#times.longestPauseMs);
      }
    });
  }

  /**
   * Puts the answer in the claim's place. Who lives has the last word, also over one who took it for dead.
   *
   * @param claim - ETag of a dead claim, to write only if it still is all there is; false otherwise
   */
  keep(answer: InvocationResponse, claim?: string): Promise<boolean> {
    const { requestId, outcomes } = answer;
    const [outcome] = outcomes;
    const mark = outcome?.status === 'failed' ? outcome.reason : 'succeeded';
    const metadata = { [REQUEST_ID]: requestId, [OUTCOME]: mark };
    const options = { contentType: 'application/json', metadata, ifMatch: claim };
    const json = JSON.stringify(answer);
    return this.#reach('be kept', (store, signal) => store.write(this.#address, json, { ...options, signal }));
  }

  #create(store: ObjectStore, requestId: string, mark: string, signal: AbortSignal): Promise<boolean> {
    const remaining = Math.ceil(this.#budget.deadline - performance.now());
    const metadata = { [REQUEST_ID]: requestId, [MARK]: mark, [REMAINING]: String(remaining) };
    return store.write(this.#address, '', { ifNoneMatch: '*', metadata, signal });
  }

  async #find(store: ObjectStore, signal: AbortSignal): Promise<AgedObjectHead | undefined> {
    try {
      return await store.head(this.#address, signal);
    } catch (error) {
      if (error instanceof ScarError && error.code === 'object-not-found') return undefined;
      throw error;
    }
  }

  async #read(store: ObjectStore, signal: AbortSignal): Promise<InvocationResponse> {
    const text = await readText(store, this.#address, signal);
    try {
      const answer = JSON.parse(text) as Partial<InvocationResponse>;
      if (answer.scar === 1 && answer.outcomes?.length === 1) return answer as InvocationResponse;
    } catch {
      // It is told below what was there.
    }
    throw new Error(
      `it should be an answer of this package's functions; it begins ${JSON.stringify(text.slice(0, 80))}`,
    );
  }

  #isDead({ ageMs = 0, metadata }: AgedObjectHead, requestId: string): boolean {
    const { graceMs, repetitionMs } = this.#times;
    const longest = (Number(metadata[REMAINING]) || LONGEST_MS) + graceMs;
    return ageMs > (metadata[REQUEST_ID] === requestId ? Math.min(repetitionMs, longest) : longest);
  }

  async #reach<T>(what: string, action: (store: ObjectStore, signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      const store = await this.#store();
      return await within(this.#budget.answerEnd, `reaching ${this.url}`, (signal) => action(store, signal));
    } catch (error) {
      throw new ScarError(
        'invocation-failed',
        `The answer ${this.url} could not ${what}: ${(error as Error).message}`,
        {
          context: { ...this.#address },
          cause: error,
        },
      );
    }
  }
}
