import { ValidationError } from '../errors.js';

/** Refuses option names that nobody reads: a misspelt option must not be silently without effect. */
export function knownOptions(options: unknown, names: readonly string[], of: string): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new ValidationError(of, 'be an object of options', options);
  }
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) throw new ValidationError(of, `have only the options ${names.join(', ')}`, name);
  }
}

export interface Range {
  min: number;
  max: number;
}

/** A whole number in a range; undefined passes. */
export function integer(option: string, value: number | undefined, { min, max }: Range, hint?: string): void {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return;
  const rule =
    max >= Number.MAX_SAFE_INTEGER ? `be an integer of at least ${min}` : `be an integer from ${min} to ${max}`;
  throw new ValidationError(option, rule, value, hint);
}

/** What to throw for options that exclude each other. */
export function together(option: string, other: string, hint?: string): ValidationError {
  return new ValidationError(option, `not be given together with ${other}`, 'both', hint);
}

/** A string that is not empty. */
export function text(option: string, value: unknown, hint?: string): asserts value is string {
  if (typeof value !== 'string' || value === '')
    throw new ValidationError(option, 'be a string that is not empty', value, hint);
}

/** A string, possibly empty; undefined passes. */
export function optionalString(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'string') throw new ValidationError(option, 'be a string', value);
}

/** A list of strings; undefined passes. */
export function strings(option: string, value: unknown): void {
  if (value === undefined) return;
  if (!Array.isArray(value)) throw new ValidationError(option, 'be an array of strings', value);
  value.forEach((entry, index) => {
    if (typeof entry !== 'string') throw new ValidationError(`${option}[${index}]`, 'be a string', entry);
    if (entry.includes('\0')) throw new ValidationError(`${option}[${index}]`, 'not contain a NUL character', entry);
  });
}

export function abortSignal(value: unknown): void {
  if (value !== undefined && !(value instanceof AbortSignal)) {
    throw new ValidationError('signal', 'be an AbortSignal', value);
  }
}

/** https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html: FunctionName, without ARNs. */
export function functionName(value: unknown, option = 'name'): asserts value is string {
  if (typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value)) return;
  throw new ValidationError(option, 'be 1 to 64 letters, digits, hyphens or underscores', value);
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
export function bucketName(option: string, value: unknown): asserts value is string {
  if (typeof value === 'string' && /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(value) && !value.includes('..')) return;
  throw new ValidationError(
    option,
    'be the name of a bucket: 3 to 63 lower-case letters, digits, dots or hyphens',
    value,
    typeof value === 'string' && value.startsWith('s3://') ? 'Give bucket and prefix separately' : undefined,
  );
}

/** Names of the container's variables: what Lambda allows behind the package's own prefix. */
const VARIABLE_NAME = /^[A-Za-z0-9_]+$/;

/** Variables for the container; undefined passes. */
export function environment(option: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ValidationError(option, 'be an object of names and strings', value);
  }
  for (const [name, content] of Object.entries(value)) {
    if (!VARIABLE_NAME.test(name)) {
      throw new ValidationError(`${option}.${name}`, 'have a name of letters, digits and underscores', name);
    }
    // Values may be secrets: the message shows none.
    if (typeof content !== 'string') {
      throw new ValidationError(`${option}.${name}`, 'be a string', `a ${typeof content}`, 'Numbers need String(...)');
    }
    if (content.includes('\0')) throw new ValidationError(`${option}.${name}`, 'not contain NUL', 'one that does');
  }
}

/** True or false; undefined passes. */
export function optionalBoolean(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw new ValidationError(option, 'be true or false', value);
}
