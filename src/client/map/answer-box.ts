import pLimit from 'p-limit';
import { type ObjectStore, readText } from '../../aws/object-store.js';
import type { InvocationResponse } from '../../contract/index.js';
import { ScarError } from '../../errors.js';
import { parseResponse } from '../invocation-result.js';

/** Where functions leave their answers: the answer for a key is the object `<prefix><key>`, empty while somebody works on it. */
export interface AnswerPlace {
  bucket: string;
  prefix: string;
}

/** What has become of a key: its answer, or why there will be none. */
export type Answer = { response: InvocationResponse } | { lost: string };

interface Waiting {
  since: number;
  /** When its claim was first seen. */
  claimedAt: number | undefined;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/** Between two looks, in ms: at first, and at most. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

/** Answers that are read at once. */
const READS = 32;

/**
 * How long Lambda may take to give up on an event: it keeps it for six hours
 * (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html).
 */
const EVENT_AGE_MS = 6 * 3_600_000;

/** After a function's time is over, Lambda runs its event again twice, after one and two minutes; then the supervisor says that it is lost. */
const REPETITIONS_MS = 6 * 60_000;

/**
 * Waits for the answers of invocations that nobody waits for. Keys begin with their number, ten digits: answers come about in that order, so that a
 * look begins at the lowest number that is waited for and not at the beginning.
 */
export class AnswerBox {
  readonly #store: ObjectStore;
  readonly #place: AnswerPlace;
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal;
  readonly #sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  readonly #now: () => number;
  readonly #waiting = new Map<string, Waiting>();
  readonly #limit = pLimit(READS);
  #looking = false;
  #pauseMs = FIRST_PAUSE_MS;

  /** @param timeoutMs - the function's */
  constructor(
    store: ObjectStore,
    place: AnswerPlace,
    timeoutMs: number,
    signal: AbortSignal,
    {
      sleep,
      now = () => performance.now(),
    }: { sleep: (ms: number, signal?: AbortSignal) => Promise<void>; now?: () => number },
  ) {
    this.#store = store;
    this.#place = place;
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
    this.#sleep = sleep;
    this.#now = now;
  }

  /** Rejects with the signal's reason, or with what reading the place throws. */
  wait(key: string): Promise<Answer> {
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#waiting.set(key, { since: this.#now(), claimedAt: undefined, resolve, reject });
    });
    if (!this.#looking) {
      this.#looking = true;
      void this.#look();
    }
    return answer;
  }

  /** Whether there is an answer, or somebody is at work on it. */
  async isClaimed(key: string): Promise<boolean> {
    try {
      await this.#store.head({ bucket: this.#place.bucket, key: this.#place.prefix + key }, this.#signal);
      return true;
    } catch (error) {
      if (error instanceof ScarError && error.code === 'object-not-found') return false;
      throw error;
    }
  }

  async #look(): Promise<void> {
    try {
      while (this.#waiting.size > 0) {
        const found = await this.#pass();
        this.#pauseMs = found > 0 ? FIRST_PAUSE_MS : Math.min(this.#pauseMs * 1.5, LONGEST_PAUSE_MS);
        this.#giveUp();
        if (this.#waiting.size > 0) await this.#sleep(this.#pauseMs, this.#signal);
      }
    } catch (error) {
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    } finally {
      this.#looking = false;
    }
  }

  /** One look at all keys from the lowest that is waited for; how many answers there were. */
  async #pass(): Promise<number> {
    const { bucket, prefix } = this.#place;
    const reads: Promise<void>[] = [];
    const options = { prefix, startAfter: prefix + this.#lowestNumber(), signal: this.#signal };
    for await (const page of this.#store.list(bucket, options)) {
      for (const object of page) {
        const key = object.key.slice(prefix.length);
        const waiting = this.#waiting.get(key);
        if (!waiting) continue;
        if (object.bytes > 0) reads.push(this.#limit(() => this.#read(key, waiting)));
        else waiting.claimedAt ??= this.#now();
      }
    }
    await Promise.all(reads);
    return reads.length;
  }

  async #read(key: string, waiting: Waiting): Promise<void> {
    const { bucket, prefix } = this.#place;
    const text = await readText(this.#store, { bucket, key: prefix + key }, this.#signal);
    this.#waiting.delete(key);
    const response = parseResponse(Buffer.from(text));
    const lost = `s3://${bucket}/${prefix}${key} should be an answer of this package's functions; it begins ${JSON.stringify(text.slice(0, 80))}`;
    waiting.resolve(response ? { response } : { lost });
  }

  #giveUp(): void {
    const now = this.#now();
    for (const [key, { since, claimedAt, resolve }] of this.#waiting) {
      const begun = claimedAt !== undefined && now - claimedAt > this.#timeoutMs + REPETITIONS_MS;
      if (!begun && now - since <= EVENT_AGE_MS + this.#timeoutMs + REPETITIONS_MS) continue;
      this.#waiting.delete(key);
      const what = begun ? 'began and never answered' : 'never began: Lambda has dropped its event by now';
      resolve({ lost: `The invocation ${what}, and is not waited for any longer` });
    }
  }

  #lowestNumber(): string {
    let lowest = '~';
    for (const key of this.#waiting.keys()) if (key < lowest) lowest = key;
    return lowest.slice(0, lowest.indexOf('-'));
  }
}
