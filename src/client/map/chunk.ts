import { MAX_DELIMITER_BYTES, type ObjectChunk } from '../../contract/index.js';
import { ValidationError } from '../../errors.js';
import * as check from '../validate.js';

/** How objects are split, so that several invocations work on one. */
export interface ChunkOptions {
  /** An invocation gets the lines that begin in so many bytes of an object, and so at most a line more, in bytes. At least 1. */
  bytes: number;
  /** What ends a line: text, or bytes, 1 to 64 of them. Default: a line feed. */
  delimiter?: string | Uint8Array;
}

/**
 * The chunks of an object, made as they are asked for: at least one, of an empty object too. Nothing is read: what is between two bounds
 * is for the supervisor to see.
 */
export function* splitObject(
  object: { bytes: number },
  { bytes, delimiter = '\n' }: ChunkOptions,
): Generator<ObjectChunk, undefined> {
  const count = Math.max(1, Math.ceil(object.bytes / bytes));
  const sent = typeof delimiter === 'string' ? delimiter : { base64: Buffer.from(delimiter).toString('base64') };
  for (let index = 0; index < count; index++) {
    const start = index * bytes;
    yield { start, end: Math.min(start + bytes, object.bytes), index, count, delimiter: sent };
  }
}

/** @throws ValidationError */
export function checkChunk(chunk: unknown): void {
  if (chunk === undefined) return;
  check.knownOptions(chunk, ['bytes', 'delimiter'], 'chunk');
  const { bytes, delimiter } = chunk as Partial<ChunkOptions>;
  const hint = 'It is how many bytes of an object an invocation gets';
  if (bytes === undefined) throw new ValidationError('chunk.bytes', 'be given', bytes, hint);
  check.integer('chunk.bytes', bytes, { min: 1, max: Number.MAX_SAFE_INTEGER }, hint);
  if (delimiter === undefined) return;
  const isBytes = typeof delimiter === 'string' || delimiter instanceof Uint8Array;
  const length = isBytes ? Buffer.byteLength(delimiter) : 0;
  if (length >= 1 && length <= MAX_DELIMITER_BYTES) return;
  throw new ValidationError('chunk.delimiter', `be text or bytes, 1 to ${MAX_DELIMITER_BYTES} of them`, delimiter);
}
