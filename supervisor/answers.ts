import type { ContainerOutcome, InvocationOptions, InvocationResponse } from '../src/contract/index.js';
import { ScarError } from '../src/errors.js';
import type { Budget } from './budget.js';
import type { Dependencies } from './dependencies.js';
import type { EventRecord } from './event.js';
import { Failure } from './failure.js';
import { OutcomeRecorder } from './outcome.js';
import { type RememberedAnswer, RememberedAnswers } from './remembered-answers.js';
import { fitResponse } from './response-size.js';
import { CLAIM_TIMES, type ClaimTimes, StoredAnswer } from './stored-answer.js';

/** The invocation that a record came with. */
export interface Asking {
  options: InvocationOptions;
  budget: Budget;
  response: InvocationResponse;
}

/**
 * Sees to it that what has an idempotency key is served at most once: by what this environment remembers, and where the event
 * names a place for results, by claims and answers there, which all environments see (docs/decisions/idempotency.md).
 */
export class Answers {
  readonly #remembered = new RememberedAnswers();
  readonly #store: Dependencies['store'];
  readonly #log: Dependencies['log'];
  readonly #times: ClaimTimes;

  constructor({ store, log }: Pick<Dependencies, 'store' | 'log'>, times = CLAIM_TIMES) {
    this.#store = store;
    this.#log = log;
    this.#times = times;
  }

  /**
   * Serves a record, or gives the answer that there is for its key.
   *
   * @throws ScarError `invocation-failed` if a claim or an answer cannot be written, or an event that came twice finds its own claim without an
   *   answer: whoever waits for it reads no response, so Lambda has to count the invocation as failed, and to repeat it
   */
  async once(record: EventRecord, asking: Asking, serve: () => Promise<ContainerOutcome>): Promise<ContainerOutcome> {
    const { idempotencyKey: key } = record;
    if (key === undefined) return serve();
    const { results } = asking.options;
    const address = results && { bucket: results.bucket, key: results.prefix + key };
    const stored = address && new StoredAnswer(address, this.#store, asking.budget, this.#times);
    const id = stored?.url ?? key;
    const remembered = this.#remembered.get(id);
    if (remembered) {
      const answer = JSON.parse(remembered.json) as InvocationResponse;
      await keep(answer, remembered, stored);
      return this.#repeat(key, answer);
    }
    const earlier = stored && (await this.#earlier(key, record, stored, asking));
    if (earlier) return earlier;
    const outcome = await serve();
    const answer = answerOf(outcome, asking);
    await keep(answer, this.#remembered.add(id, JSON.stringify(answer)), stored);
    return outcome;
  }

  /** What came of the key before; undefined if it is this invocation's to serve. */
  async #earlier(
    key: string,
    record: EventRecord,
    stored: StoredAnswer,
    asking: Asking,
  ): Promise<ContainerOutcome | undefined> {
    for (;;) {
      const claim = await stored.claim(asking.response.requestId);
      if (claim.state === 'made') return undefined;
      if (claim.state === 'answered') return this.#repeat(key, claim.answer);
      if (claim.state === 'pending' && claim.isSameRequest) throw tooSoon(key, stored.url);
      const outcome = failed(record, claim.state === 'dead' ? lost(key) : stillPending(key));
      if (claim.state === 'pending') return outcome;
      // If the claim has become an answer by now, it is not lost.
      if (await stored.keep(answerOf(outcome, asking), claim.eTag)) return outcome;
    }
  }

  #repeat(key: string, { requestId, outcomes }: InvocationResponse): ContainerOutcome {
    this.#log.write(`scar: idempotency key ${key} was answered by request ${requestId}: nothing runs again\n`);
    return { ...(outcomes[0] as ContainerOutcome), repeated: true };
  }
}

/** Puts an answer where its reader looks for it, unless it is there; what cannot be put there stays remembered. */
async function keep(answer: InvocationResponse, remembered: RememberedAnswer, stored?: StoredAnswer): Promise<void> {
  if (!remembered.kept) await stored?.keep(answer);
  remembered.kept = true;
}

/** The response as if the record had come alone. */
function answerOf(outcome: ContainerOutcome, { response }: Asking): InvocationResponse {
  const answer = { ...response, outcomes: [outcome] };
  fitResponse(answer);
  return answer;
}

function failed(record: EventRecord, failure: Failure): ContainerOutcome {
  const recorder = new OutcomeRecorder(record.input);
  recorder.fail(failure);
  return recorder.finish();
}

function lost(key: string): Failure {
  return new Failure(
    'lost',
    `An earlier invocation with the idempotency key ${key} began and never answered: whether its container did its work is not ` +
      "known. It is not run again; the function's log tells how that invocation ended",
  );
}

function stillPending(key: string): Failure {
  return new Failure(
    'timeout',
    `The function's time ran out while another invocation was serving the same idempotency key ${key}. Its answer comes from that ` +
      'one; ask again later',
  );
}

/** Only Lambda's queue brings a request twice. This one may be the last to ask: its first attempt may have died with all that was to repeat it. */
function tooSoon(key: string, url: string): ScarError {
  return new ScarError(
    'invocation-failed',
    `The function's time ran out while an earlier attempt at this event had not answered ${url}, or was dead already: when Lambda repeats the event, ` +
      'that is known',
    { context: { idempotencyKey: key } },
  );
}
