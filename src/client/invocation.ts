import type { RawInvocation } from '../aws/lambda.js';
import {
  encodeEventKey,
  type InvocationEvent,
  type InvocationOptions,
  type ObjectChunk,
  type OutputTarget,
  type S3EventRecord,
} from '../contract/index.js';
import { ScarError, ValidationError } from '../errors.js';
import type { ClientContext } from './context.js';
import {
  checkOutput,
  checkScript,
  type OutputOptions,
  outputTargets,
  readScript,
  type ScriptSource,
} from './function-options.js';
import * as check from './validate.js';

/** What one invocation may say in place of what its function says. */
export interface InvocationOverrides {
  /** Runs in place of whatever the function would run. */
  script?: ScriptSource;
  /** For the image's ENTRYPOINT. A script wins over them. */
  args?: string[];
  /** Variables of the container; they win over the function's. */
  environment?: Record<string, string>;
  /** Replaces the function's output targets. An empty list: no outputs are kept. */
  output?: OutputOptions[];
}

export const OVERRIDE_NAMES = ['script', 'args', 'environment', 'output'] as const;

export function checkOverrides(options: InvocationOverrides): void {
  checkScript(options.script);
  check.strings('args', options.args);
  check.environment('environment', options.environment);
  checkOutput(options.output);
}

/** The overrides as the supervisor reads them. */
export async function invocationOptions(options: InvocationOverrides): Promise<InvocationOptions> {
  const script = options.script === undefined ? undefined : (await readScript(options.script)).toString();
  const output: OutputTarget[] | undefined = options.output && outputTargets(options.output);
  return {
    version: 1,
    ...(script !== undefined && { script }),
    ...(options.args && { args: options.args }),
    ...(options.environment && { environment: options.environment }),
    ...(output && { output }),
  };
}

/** Lambda's limits on a request that is waited for, and on one that is queued (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). */
const MAX_PAYLOAD_BYTES = 6 * 1024 * 1024;
const MAX_QUEUED_BYTES = 1024 * 1024;

/**
 * The event as it is sent.
 *
 * @throws ValidationError for an event that is too large, which names what takes most of it
 */
export function encodeEvent(event: InvocationEvent, { queued = false } = {}): string {
  const payload = JSON.stringify(event);
  const limit = queued ? MAX_QUEUED_BYTES : MAX_PAYLOAD_BYTES;
  // A UTF-16 unit is at most three bytes: most payloads need no counting.
  if (payload.length * 3 > limit && Buffer.byteLength(payload) > limit) {
    throw tooLarge(event, limit, Buffer.byteLength(payload));
  }
  return payload;
}

/** What may take the room of an event, and what to do about it. */
const LARGE_PARTS = {
  script: 'Put a large script into the function or a bucket',
  args: 'Put what is large into an object of a bucket, and give that as the input',
  environment: 'Put what is large into an object of a bucket, and give that as the input',
  output: 'Name fewer targets',
  inputs: 'Give fewer objects to one invocation',
};

function tooLarge({ Records, scar }: InvocationEvent, limit: number, received: number): ValidationError {
  const parts = Object.entries({ ...scar, inputs: Records ?? [] })
    .filter(([name]) => name in LARGE_PARTS)
    .map(([name, part]) => ({
      name: name as keyof typeof LARGE_PARTS,
      bytes: Buffer.byteLength(JSON.stringify(part)),
    }));
  const { name, bytes } = parts.reduce((largest, part) => (part.bytes > largest.bytes ? part : largest));
  const hint = `${bytes} of them are of ${name}. ${LARGE_PARTS[name]}`;
  return new ValidationError(name, `leave the event within ${limit} bytes`, `${received} bytes`, hint);
}

/** What an event has left for its records, and for what else goes with each, in bytes. */
export function roomForRecords(scar: InvocationOptions, { queued = false } = {}): number {
  return (queued ? MAX_QUEUED_BYTES : MAX_PAYLOAD_BYTES) - Buffer.byteLength(JSON.stringify({ Records: [], scar }));
}

/** What records say that have come up together. */
export type RecordOrigin = Pick<S3EventRecord, 'awsRegion' | 'eventTime'>;

export function recordOrigin(region: string): RecordOrigin {
  return { awsRegion: region, eventTime: new Date().toISOString() };
}

/** An object, or a chunk of it, as a notification of S3 tells it. */
export function objectRecord(
  object: {
    bucket: string;
    key: string;
    bytes?: number | undefined;
    eTag?: string | undefined;
    versionId?: string | undefined;
    chunk?: ObjectChunk | undefined;
  },
  { awsRegion, eventTime }: RecordOrigin,
): S3EventRecord {
  const { bucket, key, bytes, eTag, versionId, chunk } = object;
  return {
    eventSource: 'aws:s3',
    eventName: 'ObjectCreated:Put',
    eventTime,
    awsRegion,
    s3: {
      bucket: { name: bucket },
      object: {
        key: encodeEventKey(key),
        ...(bytes !== undefined && { size: bytes }),
        // Notifications have it without the quotes of the HTTP header.
        ...(eTag !== undefined && { eTag: eTag.replace(/^"|"$/g, '') }),
        ...(versionId !== undefined && { versionId }),
      },
    },
    ...(chunk && { scar: { chunk } }),
  };
}

/** Above Lambda's longest timeout: only an answer that got lost takes longer. */
const ANSWER_TIMEOUT_MS = (15 * 60 + 60) * 1000;

/** Full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). */
const BASE_DELAY_MS = 200;
const MAX_DELAY_MS = 20_000;

/** How often and for how long an invocation that did not run, or may not have, is sent again. */
export interface RetryLimits {
  /** Sends in all after broken connections and 5xx. */
  attempts: number;
  /** Waits in all after 429, in ms. */
  throttleMs: number;
  /** Whether the event is only to be queued: what comes back then says that it is. Default false. */
  queued?: boolean;
}

export const DEFAULT_RETRY_LIMITS: RetryLimits = { attempts: 4, throttleMs: 15 * 60_000 };

/** Decides when a request may be on its way, and so how long a throttled one waits: see `map/admission.ts`. */
export interface Gate {
  /**
   * A wait for the request's turn; undefined if it may go. Rejects with the signal's reason, or with a throttle on which to give up.
   *
   * @param again - whether Lambda has refused it before
   */
  enter(again: boolean): Promise<void> | undefined;
  /** A request is no longer on its way: it ran, or may have; `tookMs` from sending to the answer, if there was one. */
  leave(tookMs?: number): void;
  /** One that Lambda refused is no longer on its way; `tookMs` from sending to refusal. */
  refuse(error: ScarError, tookMs: number): void;
}

/** What came of sending: an answer, or the error that was given up on. */
export type Sent = ({ raw: RawInvocation } | { error: ScarError }) & {
  attempts: number;
  /** Those of the attempts that Lambda did not let run. */
  throttles: number;
};

/**
 * Sends one invocation until it is answered. The only place that repeats an invocation: throttles (nothing ran) up to a sum
 * of waits; broken connections and 5xx (it may have run: at least once, not exactly once) up to a number of attempts.
 * Anything else is given up at once. Throws only the signal's reason.
 *
 * @param gate - which many requests share; one that goes alone backs off by itself
 */
export async function sendInvocation(
  context: ClientContext,
  functionName: string,
  payload: string,
  signal: AbortSignal,
  limits: RetryLimits = DEFAULT_RETRY_LIMITS,
  gate?: Gate,
): Promise<Sent> {
  let breaks = 0;
  let throttles = 0;
  let throttledMs = 0;
  let throttled = false;
  for (let attempts = 1; ; attempts++) {
    const turn = gate?.enter(throttled);
    if (turn) {
      const since = context.now();
      try {
        await turn;
      } catch (thrown) {
        if (!isThrottle(thrown)) throw thrown;
        return { error: thrown, attempts: attempts - 1, throttles };
      }
      if (throttled) throttledMs += context.now() - since;
    }
    const sentAt = context.now();
    let error: ScarError;
    try {
      const raw = limits.queued
        ? await context.functions.enqueue(functionName, payload, signal)
        : await context.functions.invoke(functionName, payload, ANSWER_TIMEOUT_MS, signal);
      gate?.leave(context.now() - sentAt);
      return { raw, attempts, throttles };
    } catch (thrown) {
      throttled = isThrottle(thrown);
      if (isThrottle(thrown)) gate?.refuse(thrown, context.now() - sentAt);
      else gate?.leave();
      signal.throwIfAborted();
      if (!(thrown instanceof ScarError)) throw thrown;
      error = thrown;
    }
    let delayMs: number;
    if (throttled) {
      throttles++;
      delayMs = Math.max(gate ? 0 : jittered(context, throttles), retryAfterMs(error));
      throttledMs += delayMs;
      if (throttledMs >= limits.throttleMs) return { error, attempts, throttles };
    } else {
      if (!error.retryable || ++breaks >= limits.attempts) return { error, attempts, throttles };
      delayMs = jittered(context, breaks);
    }
    context.notify.retry({ doing: `invoke ${functionName}`, attempt: attempts + 1, delayMs, error });
    if (delayMs > 0) await context.sleep(delayMs, signal);
  }
}

function isThrottle(error: unknown): error is ScarError {
  return error instanceof ScarError && error.code === 'throttled';
}

function jittered({ random }: ClientContext, exponent: number): number {
  return random() * Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** exponent);
}

function retryAfterMs(error: ScarError): number {
  const { retryAfterMs: ms } = error.context;
  return typeof ms === 'number' ? ms : 0;
}
