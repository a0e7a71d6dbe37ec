import type { ObjectStore } from '../../aws/object-store.js';
import { MAX_RESPONSE_BYTES, MIN_OUTCOME_BYTES, type ObjectChunk } from '../../contract/index.js';
import { ScarError } from '../../errors.js';
import { type ChunkOptions, checkChunk, splitObject } from './chunk.js';
import { type BatchOptions, type BatchSize, checkBatch, group, type Step } from './group.js';
import {
  checkSelection,
  type ObjectSelection,
  type RunPlaces,
  SELECTION_NAMES,
  type SelectedObject,
  selectObjects,
} from './selection.js';
import { objectId } from './subject.js';

/** Which objects, and how they are divided among invocations. */
export interface ObjectInputs extends ObjectSelection {
  /** Several objects for one invocation, which works on one after the other. Default: one. */
  batch?: BatchOptions;
  /** Splits objects at the ends of lines, so that several invocations work on one. Each chunk has a result of its own. Default: whole objects. */
  chunk?: ChunkOptions;
}

export const INPUT_NAMES = [...SELECTION_NAMES, 'batch', 'chunk'] as const;

/** An object, or a part of it, that has one result. */
export interface ObjectInput extends SelectedObject {
  /** In the list that it is from, among those that pass, from 0. A listing has each key once; a list may have it twice, and then it has two results. */
  position?: number;
  chunk?: ObjectChunk;
}

/** Objects that the run's journal tells of, whole, by their IDs. */
export type KnownObjects = ReadonlyMap<string, ObjectInput>;

/** Whether {@link readInputs} asks for them: there may be very many. */
export function needsKnown({ limit, chunk }: { limit?: unknown; chunk?: unknown }): boolean {
  return limit !== undefined || chunk !== undefined;
}

/** What an event can hold, in bytes. */
export interface EventRoom {
  /** Of all that inputs add: see `roomForRecords`. */
  bytes: number;
  /** What one adds: its record and what else goes with it, in JSON, with the comma behind each. */
  bytesOf(input: ObjectInput): number;
}

/** @throws ValidationError */
export function checkInputs(options: ObjectInputs): void {
  checkSelection(options);
  checkBatch(options.batch);
  checkChunk(options.chunk);
}

/**
 * Reads what a map runs over as it is asked for, invocation by invocation: selects up to `limit` objects, splits them, and gathers
 * the parts. Closing it closes what it reads from.
 *
 * @param known - those of earlier sittings: `limit` counts them whether they are still there or not, and they are split as they were
 * @throws as `selectObjects`; ScarError of a HEAD request for an object to split whose size nobody told
 */
export function readInputs(
  store: ObjectStore,
  options: ObjectInputs & RunPlaces,
  room: EventRoom,
  signal: AbortSignal,
  known: KnownObjects = new Map(),
): AsyncGenerator<Step<ObjectInput>, undefined> {
  const { batch, chunk, bucket } = options;
  const passing = passingObjects(store, options, known, signal);
  const steps = chunk ? chunksOf(describedObjects(store, bucket, passing, known, signal), chunk, signal) : passing;
  if (!batch) return steps;
  const limits: BatchSize = {
    items: batch.items ?? Number.POSITIVE_INFINITY,
    bytes: batch.bytes ?? Number.POSITIVE_INFINITY,
    eventBytes: room.bytes,
    responseBytes: MAX_RESPONSE_BYTES,
  };
  return group(steps, limits, (input) => sizeOf(input, bucket, room));
}

/** Chunks between two turns of the event loop. */
const TURN = 1_000;

function sizeOf(input: ObjectInput, bucket: string, { bytesOf }: EventRoom): BatchSize {
  const { key, versionId, chunk, bytes = 0 } = input;
  return {
    items: 1,
    bytes: chunk ? chunk.end - chunk.start : bytes,
    eventBytes: bytesOf(input),
    responseBytes: MIN_OUTCOME_BYTES + Buffer.byteLength(JSON.stringify({ bucket, key, versionId })),
  };
}

async function* passingObjects(
  store: ObjectStore,
  options: ObjectSelection & RunPlaces,
  known: KnownObjects,
  signal: AbortSignal,
): AsyncGenerator<Step<ObjectInput>, undefined> {
  const { limit = Number.POSITIVE_INFINITY, keys, manifest } = options;
  let unknownLeft = limit - known.size;
  let position = 0;
  let passed = 0;
  for await (const { object, passes } of selectObjects(store, options, signal)) {
    if (!passes) {
      yield { skipped: object };
      continue;
    }
    const input: ObjectInput = keys || manifest ? { ...object, position: position++ } : object;
    if (!known.has(objectId(input)) && unknownLeft-- <= 0) continue;
    yield { inputs: [input] };
    if (++passed === limit) return;
  }
}

/**
 * What is to be split: first what is known, as it was. Its chunks that are left may be of nothing else, nor missing: of an object that was
 * replaced since, or is gone, they fail.
 */
async function* describedObjects(
  store: ObjectStore,
  bucket: string,
  steps: AsyncIterable<Step<ObjectInput>>,
  known: KnownObjects,
  signal: AbortSignal,
): AsyncGenerator<Step<ObjectInput>, undefined> {
  for (const object of known.values()) yield { inputs: [object] };
  for await (const step of steps) {
    if ('skipped' in step) {
      yield step;
      continue;
    }
    for (const input of step.inputs) {
      if (!known.has(objectId(input))) yield { inputs: [await described(store, bucket, input, signal)] };
    }
  }
}

async function* chunksOf(
  steps: AsyncIterable<Step<ObjectInput>>,
  options: ChunkOptions,
  signal: AbortSignal,
): AsyncGenerator<Step<ObjectInput>, undefined> {
  let made = 0;
  for await (const step of steps) {
    if ('skipped' in step) {
      yield step;
      continue;
    }
    for (const object of step.inputs) {
      const { bytes } = object;
      if (bytes === undefined) {
        yield { inputs: [object] };
        continue;
      }
      for (const chunk of splitObject({ bytes }, options)) {
        yield { inputs: [{ ...object, chunk }] };
        // One object may have millions, which nothing is waited for: others get a turn, and the signal.
        if (++made % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
      }
    }
  }
}

/** The object with its size and ETag. One that does not exist comes as it is: that is for its result to say, not for the run. */
async function described(
  store: ObjectStore,
  bucket: string,
  object: ObjectInput,
  signal: AbortSignal,
): Promise<ObjectInput> {
  if (object.bytes !== undefined && object.eTag !== undefined) return object;
  const { key, versionId } = object;
  try {
    const { bytes, eTag } = await store.head({ bucket, key, versionId }, signal);
    return { ...object, bytes, eTag };
  } catch (error) {
    if (error instanceof ScarError && error.code === 'object-not-found')
      return { ...object, bytes: undefined, eTag: undefined };
    throw error;
  }
}
