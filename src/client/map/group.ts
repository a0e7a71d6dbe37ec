import { ValidationError } from '../../errors.js';
import * as check from '../validate.js';
import type { SelectedObject } from './selection.js';

/** How many objects one invocation works on, one after the other; at least one of the two is given. */
export interface BatchOptions {
  /** At most so many objects. Default: as many as an event can hold. */
  items?: number;
  /** At most so many bytes of objects in all; a larger object comes alone. Objects whose size is not known count as empty. */
  bytes?: number;
}

/** @throws ValidationError */
export function checkBatch(batch: unknown): void {
  if (batch === undefined) return;
  check.knownOptions(batch, ['items', 'bytes'], 'batch');
  const { items, bytes } = batch as BatchOptions;
  if (items === undefined && bytes === undefined) throw new ValidationError('batch', 'have items or bytes', batch);
  check.integer('batch.items', items, { min: 1, max: Number.MAX_SAFE_INTEGER });
  check.integer('batch.bytes', bytes, { min: 1, max: Number.MAX_SAFE_INTEGER });
}

/** What an input adds to its batch, and what a batch may have in all. */
export interface BatchSize {
  items: number;
  /** Bytes of objects. */
  bytes: number;
  /** Bytes of the event. */
  eventBytes: number;
  /** Bytes of the response, when all that can be cut from it has been. */
  responseBytes: number;
}

/** What one invocation works on, or an object that is read over. */
export type Step<Input> = { inputs: Input[] } | { skipped: SelectedObject };

/**
 * Gathers inputs into batches, in order; what is skipped is told at once. At most one input is read beyond a batch: the one that did not fit,
 * which begins the next. One that is too large for any batch comes alone. Closing it closes the source.
 */
export async function* group<Input>(
  steps: AsyncIterable<Step<Input>>,
  limits: BatchSize,
  sizeOf: (input: Input) => BatchSize,
): AsyncGenerator<Step<Input>, undefined> {
  let batch: Input[] = [];
  let left = limits;
  for await (const step of steps) {
    if ('skipped' in step) {
      yield step;
      continue;
    }
    for (const input of step.inputs) {
      const size = sizeOf(input);
      if (batch.length > 0 && !fits(size, left)) {
        yield { inputs: batch };
        batch = [];
        left = limits;
      }
      batch.push(input);
      left = without(left, size);
      // Nobody waits for an input more to know that a batch is full.
      if (left.items === 0) {
        yield { inputs: batch };
        batch = [];
        left = limits;
      }
    }
  }
  if (batch.length > 0) yield { inputs: batch };
}

function fits(size: BatchSize, left: BatchSize): boolean {
  return (
    size.items <= left.items &&
    size.bytes <= left.bytes &&
    size.eventBytes <= left.eventBytes &&
    size.responseBytes <= left.responseBytes
  );
}

function without(left: BatchSize, size: BatchSize): BatchSize {
  return {
    items: left.items - size.items,
    bytes: left.bytes - size.bytes,
    eventBytes: left.eventBytes - size.eventBytes,
    responseBytes: left.responseBytes - size.responseBytes,
  };
}
