import type { InvocationResponse } from '../contract/index.js';
import { FunctionError, type ScarError } from '../errors.js';
import { allowedConcurrency } from './concurrency.js';
import { type ClientContext, underClient } from './context.js';
import { encodeEvent, sendInvocation } from './invocation.js';
import { parseResponse, readInvocation } from './invocation-result.js';
import { parseReport } from './report-line.js';
import * as check from './validate.js';

export interface PreheatOptions {
  /** How many execution environments to make ready. Default 1. */
  environments?: number;
  signal?: AbortSignal;
}

/** What a preheat reached. */
export interface PreheatResult {
  /** Environments that were asked for, after Lambda's limits. */
  requested: number;
  /** Distinct environments that now have the image unpacked. */
  environments: number;
  /** How many of them were started for it. */
  coldStarts: number;
  /** How many had to bring the image in. */
  pulled: number;
  /** Errors of invocations that failed; the others' environments are ready all the same. */
  errors: ScarError[];
  /** What is paid for, in ms. */
  billedMs: number;
}

/** A preheat that met environments twice sends again, and holds them for longer. */
const ROUNDS = 4;

/**
 * How long an environment stays busy, so that the next event of the same burst needs another one: what it takes to send
 * the burst (the SDK needs about 0.5 ms of CPU for a call) with room for a slow machine.
 */
const HOLD_MS = 500;
const HOLD_PER_EVENT_MS = 2;
const MAX_HOLD_MS = 30_000;

/** `ScarClient.preheat`. */
export function preheat(context: ClientContext, name: string, options: PreheatOptions = {}): Promise<PreheatResult> {
  check.functionName(name);
  check.knownOptions(options, ['environments', 'signal'], 'preheat');
  check.integer('environments', options.environments, { min: 1, max: Number.MAX_SAFE_INTEGER });
  check.abortSignal(options.signal);
  return underClient(context, options.signal, async (signal) => {
    const warn = context.notify.warning;
    const requested = await allowedConcurrency(context, name, options.environments ?? 1, warn, signal);
    const tally = new PreheatTally();
    for (let round = 0; round < ROUNDS && tally.environments.size < requested; round++) {
      const holdMs = Math.min(MAX_HOLD_MS, (HOLD_MS + requested * HOLD_PER_EVENT_MS) * 2 ** round);
      // All of them again: those that are ready must be busy too, or they would take the events of the missing ones.
      await sendBurst(context, name, requested, holdMs, tally, signal);
      if (tally.environments.size === 0 && tally.errors[0]) throw tally.errors[0];
    }
    const { environments, coldStarts, pulled, errors, billedMs } = tally;
    if (environments.size < requested) {
      warn({
        code: 'preheat-incomplete',
        message: `${environments.size} of ${requested} environments of ${name} are ready: Lambda gave no more`,
        context: { functionName: name, requested, environments: environments.size },
      });
    }
    return { requested, environments: environments.size, coldStarts, pulled, errors, billedMs };
  });
}

class PreheatTally {
  readonly environments = new Set<string>();
  readonly errors: ScarError[] = [];
  coldStarts = 0;
  pulled = 0;
  billedMs = 0;

  record(response: InvocationResponse): void {
    this.environments.add(response.environmentId);
    if (response.coldStart) this.coldStarts++;
    if (response.image.pulled) this.pulled++;
  }
}

async function sendBurst(
  context: ClientContext,
  name: string,
  events: number,
  holdMs: number,
  tally: PreheatTally,
  signal: AbortSignal,
): Promise<void> {
  const payload = encodeEvent({ scar: { version: 1, action: 'preheat', holdMs } });
  const send = async () => {
    const sent = await sendInvocation(context, name, payload, signal);
    if ('error' in sent) throw sent.error;
    tally.billedMs += parseReport(sent.raw.logTail)?.billedMs ?? 0;
    const response = sent.raw.functionError === undefined ? parseResponse(sent.raw.payload) : undefined;
    const outcome = response?.outcomes[0];
    if (!response || outcome?.status === 'failed') {
      const result = readInvocation(name, sent.raw, sent.attempts);
      tally.errors.push(result.error ?? new FunctionError('invocation-failed', `Function ${name} gave no answer`));
      return;
    }
    tally.record(response);
    const done = tally.environments.size;
    context.notify.progress({
      operation: 'preheat',
      functionName: name,
      step: 'preheat',
      message: `${done} of ${events} environments are ready`,
      done,
      total: events,
    });
  };
  const sent = await Promise.allSettled(Array.from({ length: events }, send));
  signal.throwIfAborted();
  for (const result of sent) if (result.status === 'rejected') throw result.reason;
}
