/**
 * Every kind of failure that this package throws, as a closed list: a program may switch over it.
 *
 * | code | meaning |
 * |---|---|
 * | `invalid-option` | an argument breaks a rule; the message gives name, rule and value |
 * | `function-exists`, `function-not-found` | the name is taken, or nobody has it |
 * | `function-not-ready` | Lambda never reported the function as `Active`, or its update failed |
 * | `role-not-assumable` | the execution role is missing, wrong, or still unknown to Lambda |
 * | `permission-denied` | the credentials lack a permission; the message names it |
 * | `bucket-not-found`, `object-not-found` | no such bucket or key |
 * | `image-reference` | the reference cannot be parsed |
 * | `image-not-found` | the registry, layout or archive has no such image |
 * | `image-unsupported` | the image has no suitable platform, or needs something that a function cannot do |
 * | `image-corrupt` | bytes that do not match their digest or size, or that are not what they claim |
 * | `image-unsafe` | an entry of a layer tries to leave the root file system |
 * | `registry-denied`, `registry-rate-limited`, `registry-unavailable` | what the registry answered, or that it did not |
 * | `no-space` | `/tmp` or the disk is full, or would be |
 * | `package-too-large` | the zip is above Lambda's limit |
 * | `throttled` | Lambda answered 429 beyond patience |
 * | `map-failed` | more objects of a map failed than its `completion` tolerates, or fewer succeeded; or `mapReduce` lacks outputs, as of two with the same key; `context.summary` has the numbers |
 * | `map-incomplete` | a map ended with an object that has no result: a defect of this package |
 * | `run-not-found` | there is no journal of a map's run, or it is none |
 * | `run-in-use` | another process goes on with the same run |
 * | `journal` | a map's journal cannot be written to, or is damaged |
 * | `invocation-failed` | the function itself (not the container) ended with an error |
 * | `log-cut` | a log ended before it was complete: its group was deleted, or an invocation that is over was never reported |
 * | `timeout` | a wait ended before what it waited for |
 * | `aborted` | the caller's signal, or a `close()`, ended it |
 * | `engine` | the embedded engine could not start or stop |
 * | `service` | any other answer of AWS, kept as `cause` |
 */
export type ScarErrorCode =
  | 'invalid-option'
  | 'function-exists'
  | 'function-not-found'
  | 'function-not-ready'
  | 'role-not-assumable'
  | 'permission-denied'
  | 'bucket-not-found'
  | 'object-not-found'
  | 'image-reference'
  | 'image-not-found'
  | 'image-unsupported'
  | 'image-corrupt'
  | 'image-unsafe'
  | 'registry-denied'
  | 'registry-rate-limited'
  | 'registry-unavailable'
  | 'no-space'
  | 'package-too-large'
  | 'throttled'
  | 'map-failed'
  | 'map-incomplete'
  | 'run-not-found'
  | 'run-in-use'
  | 'journal'
  | 'invocation-failed'
  | 'log-cut'
  | 'timeout'
  | 'aborted'
  | 'engine'
  | 'service';

/** What an error carries beside its message. */
export interface ScarErrorOptions {
  /** Facts a program can use: names, limits, received values. Never a credential. */
  context?: Readonly<Record<string, unknown>>;
  /** Whether the same call may succeed later without any change. Default false. */
  retryable?: boolean;
  /** What was thrown underneath. */
  cause?: unknown;
}

/**
 * The base of everything that this package throws to a user.
 *
 * Its message says what was expected, what came, and what to do about it.
 */
export class ScarError extends Error {
  override readonly name: string = 'ScarError';
  readonly code: ScarErrorCode;
  readonly context: Readonly<Record<string, unknown>>;
  readonly retryable: boolean;

  constructor(code: ScarErrorCode, message: string, options: ScarErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.context = Object.freeze({ ...options.context });
    this.retryable = options.retryable ?? false;
  }

  /** Plain data for logs: `cause` is reduced to its message. */
  toJSON(): Record<string, unknown> {
    const cause = this.cause instanceof Error ? this.cause.message : this.cause;
    return {
      name: this.name,
      code: this.code,
      message: this.message,
      context: this.context,
      retryable: this.retryable,
      cause,
    };
  }
}

/**
 * An argument breaks a rule: thrown before anything is sent anywhere; for what is read as it is needed (a map's keys or
 * manifest), when it is read.
 */
export class ValidationError extends ScarError {
  override readonly name = 'ValidationError';

  /**
   * @param option - the option's path, e.g. `memoryMiB` or `output[0].bucket`
   * @param rule - what is allowed, as a phrase that follows "must": `be an integer from 128 to 10240`
   * @param received - the value that came
   */
  constructor(option: string, rule: string, received: unknown, hint?: string) {
    super('invalid-option', `${option} must ${rule}; received ${describe(received)}${hint ? `. ${hint}` : ''}`, {
      context: { option, rule, received, ...(hint !== undefined && { hint }) },
    });
  }
}

/** The image cannot be had, cannot be trusted, or cannot run. */
export class ImageError extends ScarError {
  override readonly name: string = 'ImageError';
}

/** No runner can run this image here; the message says why and names the way out. */
export class UnsupportedImageError extends ImageError {
  override readonly name = 'UnsupportedImageError';

  constructor(message: string, options?: ScarErrorOptions) {
    super('image-unsupported', message, options);
  }
}

/** A registry refused, limited or failed a request. */
export class RegistryError extends ScarError {
  override readonly name = 'RegistryError';
}

/** A function is missing, taken, not ready, or ended with an error of its own. */
export class FunctionError extends ScarError {
  override readonly name = 'FunctionError';
}

/** One line for any value in a message: strings quoted, long values cut. */
function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'function') return 'a function';
  // JSON has neither NaN nor what is no date.
  if (typeof value === 'number' || (value instanceof Date && Number.isNaN(value.getTime()))) return String(value);
  const text = typeof value === 'bigint' ? `${value}n` : (json(value) ?? String(value));
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

/** Undefined for what has no JSON, as it leads back to itself or has a bigint in it. */
function json(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
