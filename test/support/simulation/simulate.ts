import type { RawInvocation } from '../../../src/aws/lambda.js';
import type { ClientContext } from '../../../src/client/context.js';
import { DEFAULT_RETRY_LIMITS, sendInvocation } from '../../../src/client/invocation.js';
import { Admission } from '../../../src/client/map/admission.js';
import { Flow } from '../../../src/client/map/flow.js';
import { ScarError } from '../../../src/errors.js';
import { type LambdaFacts, LambdaModel } from './lambda-model.js';
import { randomFrom } from './random.js';
import { VirtualClock } from './virtual-clock.js';

export interface Simulated {
  ms: number;
  throttles: number;
  coldStarts: number;
  failed: number;
  /** Executions at once, second by second. */
  busy: number[];
}

/** The way from client to Lambda, and as much back. */
const LATENCY_MS = { least: 5, most: 15 };

/** A map over the items, by the flow, the admission and the sending that a real one has, in virtual time over a model of Lambda. */
export async function simulate(facts: LambdaFacts, concurrency: number, seed: number): Promise<Simulated> {
  const clock = new VirtualClock();
  const random = randomFrom(seed);
  const model = new LambdaModel(facts, clock);
  const latency = () => LATENCY_MS.least + random() * (LATENCY_MS.most - LATENCY_MS.least);
  const invoke = (_name: string, payload: string) =>
    new Promise<RawInvocation>((resolve, reject) => {
      const answer = (settle: () => void) => clock.at(clock.now() + latency(), settle, true);
      clock.at(clock.now() + latency(), () => {
        const started = model.start(Number(payload), () => answer(() => resolve(ANSWER)));
        if (!started) answer(() => reject(new ScarError('throttled', 'Rate Exceeded.', { retryable: true })));
      });
    });
  // All that sending and admission ask of it.
  const { now, sleep } = clock;
  const context = { now, sleep, random, functions: { invoke }, notify: { retry() {} } } as unknown as ClientContext;
  const { signal } = new AbortController();
  const result: Simulated = { ms: 0, throttles: 0, coldStarts: 0, failed: 0, busy: [] };
  const { throttleMs } = DEFAULT_RETRY_LIMITS;
  const onThrottle = () => result.throttles++;
  const admission = new Admission(context, concurrency, { throttleMs, signal, onThrottle });
  const sample = () => {
    result.busy.push(model.busy);
    clock.at(clock.now() + 1_000, sample);
  };
  sample();
  const flow = new Flow<boolean>();
  flow.atOnce = concurrency;
  const send = async (item: number) => {
    const sent = await sendInvocation(context, 'simulated', String(item), signal, DEFAULT_RETRY_LIMITS, admission);
    return 'raw' in sent;
  };
  const produce = async () => {
    for (let item = 0; item < facts.durations.length; ) {
      const full = flow.room();
      if (full) await full;
      else flow.add(send(item++));
    }
    flow.end();
  };
  const consume = async () => {
    for (let next = await flow.take(); !next.done; next = await flow.take()) if (!next.value) result.failed++;
  };
  await clock.run(Promise.all([produce(), consume()]));
  return { ...result, ms: now(), coldStarts: model.coldStarts };
}

const ANSWER: RawInvocation = { requestId: '', payload: new Uint8Array(), functionError: undefined, logTail: '' };
