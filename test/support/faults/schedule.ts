import { randomFrom } from '../simulation/random.js';

/** What Lambda does with an invocation that it does not serve as it should. */
export type Fault =
  /** Nothing runs. */
  | { kind: 'throttled' }
  | { kind: 'refused'; status: 500 | 502 | 503 }
  | { kind: 'reset' }
  /** All runs, and nobody hears of it. */
  | { kind: 'reply-lost' }
  | { kind: 'reply-failed' }
  /** The environment ends with what it serves. */
  | { kind: 'death'; cause: DeathCause; moment: DeathMoment; told: 'at-once' | 'reset' | 'too-late' }
  /** The container takes its time, or fails. */
  | { kind: 'slow'; ms: number }
  | { kind: 'exit' };

export type DeathCause = 'exit' | 'out-of-memory' | 'timeout';
/** Of the container's work: before it, after it, or after its answer is kept. */
export type DeathMoment = 'before' | 'after' | 'kept';

/** What a server does with a request for something small. */
export type SmallFault = 'error' | 'reset' | 'reply-lost' | 'cut';

/** From a request on, for a while. */
interface Storm {
  request: number;
  ms: number;
  /** Whether throttles say when to come again. */
  retryAfter: boolean;
}

/** How many of 1,000 requests. */
const OF_1000: readonly [parts: number, fault: (random: () => number) => Fault][] = [
  [15, () => ({ kind: 'throttled' })],
  [20, (random) => ({ kind: 'refused', status: oneOf([500, 502, 503], random) })],
  [15, () => ({ kind: 'reset' })],
  [20, () => ({ kind: 'reply-lost' })],
  [10, () => ({ kind: 'reply-failed' })],
  [25, (random) => death(oneOf(['exit', 'out-of-memory'], random), random)],
  [4, (random) => death('timeout', random)],
  [15, (random) => ({ kind: 'slow', ms: 100 + 900 * random() })],
  [15, () => ({ kind: 'exit' })],
];

const MOMENTS = ['before', 'after', 'kept'] as const;

function death(cause: DeathCause, random: () => number): Fault {
  const told = oneOf(['at-once', 'at-once', 'at-once', 'reset', 'reset', 'too-late'] as const, random);
  return { kind: 'death', cause, moment: oneOf(MOMENTS, random), told };
}

/**
 * All that goes wrong, by a seed. It hangs on which object or page is asked for and how often it was before, and not on time: however requests
 * interleave, the same ones fail in the same way. Storms of throttles begin at requests of given numbers.
 */
export class FaultSchedule {
  readonly #seed: number;
  readonly #asked = new Map<string, number>();
  readonly #storms: Generator<Storm, never>;
  #now: Storm | undefined;
  #next: Storm;
  #requests = 0;
  #calmAt = 0;

  /** @param objects - of the run: there are about eight storms */
  constructor(seed: number, objects: number) {
    this.#seed = seed;
    this.#storms = storms(randomFrom(seed), objects / 8);
    this.#next = this.#storms.next().value;
  }

  invocation(object: string): Fault | undefined {
    const random = this.#randomOf(`invoke ${object}`);
    let part = 1_000 * random();
    for (const [parts, fault] of OF_1000) {
      part -= parts;
      if (part < 0) return fault(random);
    }
    return undefined;
  }

  /** The storm in which Lambda refuses everything now. */
  storm(): Storm | undefined {
    const now = performance.now();
    if (this.#requests++ >= this.#next.request) {
      this.#now = this.#next;
      this.#calmAt = now + this.#now.ms;
      this.#next = this.#storms.next().value;
    }
    return now < this.#calmAt ? this.#now : undefined;
  }

  /** Of every three requests for the same, one is served: so many attempts the SDK makes. */
  small(what: string, part: number): SmallFault | undefined {
    const random = this.#randomOf(what);
    const spared = ((this.#asked.get(what) ?? 0) - 1) % 3 === 2;
    return !spared && random() < part ? oneOf(['error', 'reset', 'reply-lost', 'cut'] as const, random) : undefined;
  }

  /** Numbers for this time that something is asked for. */
  #randomOf(what: string): () => number {
    const times = this.#asked.get(what) ?? 0;
    this.#asked.set(what, times + 1);
    return randomFrom(this.#seed ^ hash(`${what} ${times}`));
  }
}

function* storms(random: () => number, every: number): Generator<Storm, never> {
  for (let request = 0; ; ) {
    request += Math.ceil(every * (0.5 + random()));
    yield { request, ms: 200 + 600 * random(), retryAfter: random() < 0.3 };
  }
}

export function oneOf<const T>(values: readonly T[], random: () => number): T {
  return values[Math.floor(values.length * random())] as T;
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value >>> 0;
}
