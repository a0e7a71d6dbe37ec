import { ValidationError } from '../../errors.js';
import { checkOverrides, type InvocationOverrides, OVERRIDE_NAMES } from '../invocation.js';
import * as check from '../validate.js';
import type { BackupOptions } from './backups.js';
import type { MapCompletion } from './completion.js';
import { checkFailureRetries, type FailureRetries } from './failure-retries.js';
import { checkInputs, INPUT_NAMES, type ObjectInputs } from './inputs.js';
import { checkJournal, type JournalPlace } from './journal/place.js';

/** Which objects, how many at once, and what to do about failures. */
export interface MapOptions extends ObjectInputs, InvocationOverrides, MapRunOptions {
  /**
   * `sync`: each invocation is waited for. `async`: events go into Lambda's queue, functions leave their answers at `results`, and once all
   * events are sent (`run.on('sent')`) this process may end: `attachMap` gives the same stream anywhere. Default `sync`.
   */
  mode?: 'sync' | 'async';
  /**
   * Where functions leave their answers: then whatever is sent again runs at most once, whichever environment gets it. Needed for `async`, whose
   * journal is there too. It costs two requests to S3 for each object, and the function's role must be allowed to read and write there. Default:
   * an environment knows its own last answers.
   */
  results?: ResultsPlace;
  /** For `async`: the most events that are sent and not answered. Lambda drops what waits for more than six hours. Default 10,000. */
  queueLimit?: number;
  /**
   * Keeps every result in a journal, from which `resumeMap(run.runId)` goes on after this process has ended, however that happened: a folder of
   * this machine, `true` for the one where such programs keep their state (`$XDG_STATE_HOME/scar-client/runs`, by default below `~/.local/state`), or a
   * place in a bucket, which is written to once a second.
   * It has the options in it, environment and script included. Default: none.
   */
  journal?: JournalPlace;
}

/** A place in a bucket for runs; each has a folder there by its ID. Not where a trigger of the function looks. */
export interface ResultsPlace {
  bucket: string;
  /** Default `scar-runs/`. */
  prefix?: string;
}

/** How a run goes, over whatever it is. */
export interface MapRunOptions extends MapSittingOptions {
  /**
   * Results in the order of the objects. At most twice `concurrency` of them are under way or wait for their turn, so that one slow
   * object holds the others up. Default false: as they come. In a resumed run those of earlier sittings come first.
   */
  ordered?: boolean;
  /** When to end before all objects have their results. Default: never; an object's failure is a value. */
  completion?: MapCompletion;
  retry?: MapRetryOptions;
  /**
   * Runs what takes longer than most once more, beside, when nothing else waits to be sent; the first answer wins. For objects that may be worked on twice: both
   * containers run to their end, and both are paid for. Not in mode `async`. Default: nothing runs twice for being slow.
   */
  backup?: BackupOptions;
}

/** What may be another in each sitting of a run. */
export interface MapSittingOptions {
  /** Invocations at once, capped by what Lambda allows. Default: the client's. See also {@link MapRun.setConcurrency}. */
  concurrency?: number;
  /**
   * How long what is under way may go on when the run is ended early (by `break`, `signal`, `cancel`), in ms: nothing new begins, and results that
   * come in time are in the journal. What takes longer is dropped, and may still run on Lambda. Default 0.
   */
  drainMs?: number;
  /** Ends the run: the loop throws its reason. */
  signal?: AbortSignal;
}

export interface MapRetryOptions {
  /** Sends in all for an object when connections break or AWS answers 5xx. Default 4. */
  attempts?: number;
  /** Waits in all for an object while Lambda answers 429, in seconds. Default 900. */
  throttleSeconds?: number;
  /**
   * How often to run an object again whose container or function failed: for whatever reason, or reason by reason, as in
   * `{ timeout: 1, 'out-of-memory': 1 }`. Default 0.
   */
  failures?: number | FailureRetries;
  /**
   * For objects whose container ran out of memory, and that `failures` lets run again: so much memory, in MiB, in a copy of the function that is made when the
   * first one does and removed when the run ends. Not in mode `async`. Default: the same function again.
   */
  memoryMiB?: number;
}

const SITTING_NAMES = ['concurrency', 'drainMs', 'signal'] as const satisfies readonly (keyof MapSittingOptions)[];
export const RUN_OPTION_NAMES = [
  'ordered',
  'completion',
  'retry',
  'backup',
  ...SITTING_NAMES,
] as const satisfies readonly (keyof MapRunOptions)[];

/** @throws ValidationError */
export function checkMapOptions(name: string, options: MapOptions): void {
  check.functionName(name);
  check.knownOptions(
    options,
    [...INPUT_NAMES, ...OVERRIDE_NAMES, ...RUN_OPTION_NAMES, 'journal', 'mode', 'results', 'queueLimit'],
    'mapOverBucket',
  );
  checkInputs(options);
  checkOverrides(options);
  checkJournal(options.journal);
  checkMode(options);
  checkRunOptions(options);
}

function checkMode({ mode, results, queueLimit, journal, backup, retry }: MapOptions): void {
  if (mode !== undefined && mode !== 'sync' && mode !== 'async') {
    throw new ValidationError('mode', 'be sync or async', mode);
  }
  checkResults('results', results);
  if (mode !== 'async') {
    if (queueLimit !== undefined) throw new ValidationError('queueLimit', 'come with mode async', queueLimit);
    return;
  }
  if (retry?.memoryMiB !== undefined)
    throw new ValidationError('retry.memoryMiB', 'not come with mode async', retry.memoryMiB);
  if (backup) throw new ValidationError('backup', 'not come with mode async', backup);
  check.integer('queueLimit', queueLimit, { min: 1, max: 1_000_000 });
  if (results === undefined) {
    throw new ValidationError('results', 'say where answers are kept, in mode async', results, 'E.g. { bucket }');
  }
  if (journal) throw new ValidationError('journal', 'not come with mode async', journal, 'It is kept at results');
}

/** @throws ValidationError */
export function checkResults(option: string, results: unknown): void {
  if (results === undefined) return;
  check.knownOptions(results, ['bucket', 'prefix'], option);
  const { bucket, prefix } = results as Partial<ResultsPlace>;
  check.bucketName(`${option}.bucket`, bucket);
  check.optionalString(`${option}.prefix`, prefix);
}

/** @throws ValidationError */
export function checkRunOptions(options: MapRunOptions): void {
  check.optionalBoolean('ordered', options.ordered);
  checkCompletion(options.completion);
  checkRetry(options.retry);
  checkBackup(options.backup);
  checkSitting(options);
}

function checkBackup(backup: BackupOptions | undefined): void {
  if (backup === undefined) return;
  check.knownOptions(backup, ['afterPercentile'], 'backup');
  const { afterPercentile } = backup;
  if (typeof afterPercentile === 'number' && afterPercentile >= 50 && afterPercentile <= 99.9) return;
  throw new ValidationError(
    'backup.afterPercentile',
    'be a number from 50 to 99.9',
    afterPercentile,
    '95 is a good one',
  );
}

/** @throws ValidationError */
export function checkSitting({ concurrency, drainMs, signal }: MapSittingOptions): void {
  check.integer('concurrency', concurrency, { min: 1, max: Number.MAX_SAFE_INTEGER });
  check.integer('drainMs', drainMs, { min: 0, max: 16 * 60_000 });
  check.abortSignal(signal);
}

function checkRetry(retry: MapRetryOptions | undefined): void {
  if (retry === undefined) return;
  check.knownOptions(retry, ['attempts', 'throttleSeconds', 'failures', 'memoryMiB'], 'retry');
  check.integer('retry.attempts', retry.attempts, { min: 1, max: 100 });
  check.integer('retry.throttleSeconds', retry.throttleSeconds, { min: 0, max: 86_400 });
  checkFailureRetries(retry.failures);
  check.integer('retry.memoryMiB', retry.memoryMiB, { min: 129, max: 10_240 });
  if (retry.memoryMiB === undefined || retriesOutOfMemory(retry.failures)) return;
  const rule = 'come with failures that run again what is out of memory';
  throw new ValidationError('retry.memoryMiB', rule, retry.failures, "E.g. failures: { 'out-of-memory': 1 }");
}

function retriesOutOfMemory(failures: MapRetryOptions['failures'] = 0): boolean {
  return (typeof failures === 'number' ? failures : (failures['out-of-memory'] ?? 0)) > 0;
}

function checkCompletion(completion: MapCompletion | undefined): void {
  if (completion === undefined) return;
  const names = ['minSuccessful', 'toleratedFailureCount', 'toleratedFailurePercentage'];
  check.knownOptions(completion, names, 'completion');
  const max = Number.MAX_SAFE_INTEGER;
  check.integer('completion.minSuccessful', completion.minSuccessful, { min: 1, max });
  check.integer('completion.toleratedFailureCount', completion.toleratedFailureCount, { min: 0, max });
  const percentage: unknown = completion.toleratedFailurePercentage;
  if (percentage !== undefined && !(typeof percentage === 'number' && percentage >= 0 && percentage <= 100)) {
    throw new ValidationError('completion.toleratedFailurePercentage', 'be a number from 0 to 100', percentage);
  }
}
