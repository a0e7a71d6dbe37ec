import type { RawInvocation } from '../aws/lambda.js';
import type {
  ContainerOutcome,
  FailureReason,
  InputObject,
  InvocationResponse,
  OutputObject,
  OutputTail,
  RunnerName,
  Timings,
} from '../contract/index.js';
import { FunctionError, type ScarError } from '../errors.js';
import { parseReport } from './report-line.js';

/** How one invocation ended: as data, whatever happened to the container. */
export type InvocationResult = InvocationSuccess | InvocationFailure;

export interface InvocationSuccess extends InvocationFacts {
  status: 'succeeded';
  reason?: undefined;
  error?: undefined;
}

export interface InvocationFailure extends InvocationFacts {
  status: 'failed';
  reason: InvocationFailureReason;
  /** The failure as an error, to throw or to log; its message says what to do. */
  error: ScarError;
}

/** Why there is no success: what the supervisor says of the container, or what the client found out by itself. */
export type InvocationFailureReason =
  | FailureReason
  /** The function ended with an error of its own: neither its time nor its memory. */
  | 'function-error'
  /** It answered with something that is not this package's. */
  | 'response'
  /** Lambda answered 429 beyond patience: it never ran. */
  | 'throttled'
  /** AWS or the network failed; whether it ran is not known. */
  | 'service';

export interface InvocationFacts {
  /** Lambda's request ID; empty if it never ran. */
  requestId: string;
  /** Names the execution environment (its log stream); empty if that is not known. */
  environmentId: string;
  /** Whether it was the environment's first. */
  coldStart: boolean;
  /** Whether the image had to be brought in. */
  pulled: boolean;
  /** What ran the container; absent if nothing did, or that is not known. */
  runner?: RunnerName;
  /** The container's exit code; null if it never started or a signal ended it. */
  exitCode: number | null;
  /** Name of the signal that ended it; null otherwise. */
  signal: string | null;
  /** The object that it worked on: once that is read, with its size and, in a bucket with versions, its version. */
  input?: InputObject;
  /** Objects that it wrote. */
  outputs: OutputObject[];
  /** How many more it wrote that are not listed, as the answer would be too large; absent if there are none. */
  outputsOmitted?: number;
  /** What it printed on its standard output, if that is one JSON text and no longer than the tail. */
  value?: unknown;
  /** The ends of what the container printed. */
  stdout: OutputTail;
  stderr: OutputTail;
  /** Where the time went, in ms. */
  timings: Timings;
  /** Whether an earlier invocation with the same idempotency key ran it: nothing ran again. */
  repeated: boolean;
  /**
   * What is paid for, in ms, as Lambda reports it to who waits for the invocation: absent in mode `async`, and where the answer got lost. The sum of `timings` is
   * less: it lacks the environment's start, and all before the record's turn and after its answer is kept.
   */
  billedMs?: number;
  /** The most memory in use; absent where `billedMs` is. */
  maxMemoryMiB?: number;
  /** The last 4 KB of the log. */
  logs: string;
  /** Invocations that were sent for this one result. */
  attempts: number;
}

/** Reads what came back from an invocation that ran one container. */
export function readInvocation(functionName: string, raw: RawInvocation, attempts: number): InvocationResult {
  return readInvocations(functionName, raw, attempts, 1)[0] as InvocationResult;
}

/**
 * Reads what came back from an invocation that ran a container for each of its records: always as many results. What was billed is
 * shared out evenly among them.
 */
export function readInvocations(
  functionName: string,
  raw: RawInvocation,
  attempts: number,
  records: number,
): InvocationResult[] {
  const report = parseReport(raw.logTail);
  const facts = (): InvocationFacts => {
    const facts = nothing();
    facts.requestId = raw.requestId;
    facts.coldStart = report?.initMs !== undefined;
    facts.logs = raw.logTail;
    facts.attempts = attempts;
    if (report) {
      facts.billedMs = report.billedMs / records;
      facts.maxMemoryMiB = report.maxMemoryMiB;
    }
    return facts;
  };
  const response = raw.functionError === undefined ? parseResponse(raw.payload) : undefined;
  const results: InvocationResult[] = [];
  for (let record = 0; record < records; record++) {
    const outcome = response?.outcomes[record];
    if (raw.functionError !== undefined) results.push(functionFailure(functionName, raw, facts(), report));
    else if (response && outcome) results.push(readOutcome(functionName, facts(), response, outcome));
    else results.push(noOutcome(functionName, raw, facts(), records));
  }
  return results;
}

function noOutcome(
  functionName: string,
  raw: RawInvocation,
  facts: InvocationFacts,
  records: number,
): InvocationFailure {
  const shown = Buffer.from(raw.payload.subarray(0, 200)).toString();
  const expected = records > 1 ? `, with ${records} outcomes` : '';
  const message = `Function ${functionName} should answer as this package's functions do${expected}; it answered ${JSON.stringify(shown)}`;
  return failed(facts, 'response', message, { functionName });
}

/** Reads the answer that a queued invocation has left; what Lambda reports of it is in the log alone. */
export function readAnswer(functionName: string, response: InvocationResponse): InvocationResult {
  const [outcome] = response.outcomes;
  const facts = nothing();
  facts.requestId = response.requestId;
  if (outcome) return readOutcome(functionName, facts, response, outcome);
  return failed(facts, 'response', `The answer of ${functionName} should have an outcome; it has none`, {
    functionName,
  });
}

/** The result of a queued invocation that has left no answer. */
export function lostAnswer(functionName: string, message: string): InvocationFailure {
  return failed(nothing(), 'lost', message, { functionName });
}

/** The result of an invocation that did not come back. */
export function unanswered(error: ScarError, attempts: number): InvocationFailure {
  const reason: InvocationFailureReason = error.code === 'throttled' ? 'throttled' : 'service';
  return Object.assign(nothing(), { attempts, status: 'failed' as const, reason, error });
}

/** The answer of one of this package's functions; undefined if it is none. */
export function parseResponse(payload: Uint8Array): InvocationResponse | undefined {
  try {
    const response = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString());
    return response?.scar === 1 && Array.isArray(response.outcomes) ? (response as InvocationResponse) : undefined;
  } catch {
    return undefined;
  }
}

const EMPTY_TAIL: OutputTail = Object.freeze({ text: '', bytes: 0 });
const NO_TIME: Timings = Object.freeze({ pullMs: 0, stageInMs: 0, containerMs: 0, stageOutMs: 0 });

/** To be filled in place: a copy by spread that then gets more properties costs V8 several times what parsing the answer does. */
const nothing = (): InvocationFacts => ({
  requestId: '',
  environmentId: '',
  coldStart: false,
  pulled: false,
  exitCode: null,
  signal: null,
  outputs: [],
  stdout: EMPTY_TAIL,
  stderr: EMPTY_TAIL,
  timings: NO_TIME,
  repeated: false,
  logs: '',
  attempts: 0,
});

function readOutcome(
  functionName: string,
  facts: InvocationFacts,
  response: InvocationResponse,
  outcome: ContainerOutcome,
): InvocationResult {
  const { exitCode, signal } = outcome;
  const { requestId } = response;
  facts.requestId = requestId;
  facts.environmentId = response.environmentId;
  facts.coldStart = response.coldStart;
  facts.pulled = response.image.pulled;
  if (response.runner) facts.runner = response.runner;
  facts.exitCode = exitCode;
  facts.signal = signal;
  if (outcome.input) facts.input = outcome.input;
  facts.outputs = outcome.outputs;
  if (outcome.outputsOmitted !== undefined) facts.outputsOmitted = outcome.outputsOmitted;
  const value = jsonValue(outcome.stdout);
  if (value !== undefined) facts.value = value;
  facts.stdout = outcome.stdout;
  facts.stderr = outcome.stderr;
  facts.timings = outcome.timings;
  facts.repeated = outcome.repeated === true;
  if (outcome.status === 'succeeded') {
    const result = facts as InvocationSuccess;
    result.status = 'succeeded';
    return result;
  }
  const { message, reason } = outcome;
  return failed(facts, reason, message, { functionName, reason, exitCode, signal, requestId });
}

/** How a JSON text begins: most output need not be parsed to see that it is none. */
const JSON_START = /^\s*[[{"\d\-tfn]/;

function jsonValue({ text, bytes }: OutputTail): unknown {
  if (!JSON_START.test(text) || Buffer.byteLength(text) < bytes) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Lambda itself ended it, or the supervisor threw: the payload describes the error. */
function functionFailure(
  functionName: string,
  raw: RawInvocation,
  facts: InvocationFacts,
  report: { memoryMiB: number; maxMemoryMiB: number } | undefined,
): InvocationFailure {
  const { errorType, errorMessage } = parseFunctionError(raw.payload);
  const context = { functionName, errorType, requestId: raw.requestId };
  const said = `${errorType}: ${errorMessage}`;
  if (errorType === 'Sandbox.Timedout' || /Task timed out after/.test(errorMessage)) {
    const advice = 'Raise timeoutSeconds, or give each invocation less to do';
    return failed(facts, 'timeout', `Function ${functionName} ran out of time (${said}). ${advice}`, context);
  }
  // Lambda kills the whole environment when its memory is used up.
  const killed = errorType === 'Runtime.OutOfMemory' || /signal: killed/.test(errorMessage);
  if (killed) {
    const size = report ? ` of ${report.memoryMiB} MiB, at most ${report.maxMemoryMiB} MiB in use` : '';
    const message = `Function ${functionName} ran out of memory (${said}${size}). Raise memoryMiB`;
    return failed(facts, 'out-of-memory', message, context);
  }
  return failed(facts, 'function-error', `Function ${functionName} failed (${said}). Its log tells more`, context);
}

function failed(
  facts: InvocationFacts,
  reason: InvocationFailureReason,
  message: string,
  context: Record<string, unknown>,
): InvocationFailure {
  const error = new FunctionError('invocation-failed', message, { context });
  return Object.assign(facts, { status: 'failed' as const, reason, error });
}

/** `{ errorType, errorMessage }` (https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html). */
function parseFunctionError(payload: Uint8Array): { errorType: string; errorMessage: string } {
  const text = Buffer.from(payload).toString();
  try {
    const { errorType, errorMessage } = JSON.parse(text) as Record<string, unknown>;
    return { errorType: String(errorType ?? 'Error'), errorMessage: String(errorMessage ?? '') };
  } catch {
    return { errorType: 'Error', errorMessage: text.slice(0, 500) };
  }
}
