import { hash } from 'node:crypto';
import type { InvocationOptions, S3EventRecord } from '../../contract/index.js';
import { objectRecord, type RecordOrigin } from '../invocation.js';
import type { InvocationResult } from '../invocation-result.js';
import { callRecords } from '../invoke.js';
import type { ObjectInput } from './inputs.js';
import type { MappedCall, MappedObject } from './item.js';

/** What is to have one result of a run. */
export interface Subject<Own> {
  /** The same in every sitting of a run, and its alone. */
  readonly id: string;
  /** Its executions so far, whose results count no more: those that come have other idempotency keys. */
  readonly executed: number;
  /** What it says in place of the run's options. */
  readonly scar?: InvocationOptions;
  /** In an asynchronous run: where it is in the queue, and whether an event of it was, or may have been, sent before. */
  readonly queued?: QueuedSubject;
  /** Its object, or objects, for the function. */
  records(origin: RecordOrigin): S3EventRecord[];
  /** What its item has beside the result. */
  own(result: InvocationResult): Own;
}

export interface QueuedSubject {
  number: number;
  sent: 'no' | 'maybe' | 'yes';
  /** Whether it is to run again if its last execution has failed. */
  again?: boolean;
}

/** An object of the run's bucket, or a chunk of one. */
export class ObjectSubject implements Subject<MappedObject> {
  readonly id: string;
  executed = 0;
  readonly queued?: QueuedSubject;
  readonly bucket: string;
  readonly object: ObjectInput;

  constructor(id: string, bucket: string, object: ObjectInput, queued?: QueuedSubject) {
    this.id = id;
    this.bucket = bucket;
    this.object = object;
    if (queued) this.queued = queued;
  }

  records(origin: RecordOrigin): S3EventRecord[] {
    return [objectRecord({ bucket: this.bucket, ...this.object }, origin)];
  }

  own({ input }: InvocationResult): MappedObject {
    const { key, bytes, versionId } = this.object;
    const own = { bucket: this.bucket, key, size: bytes ?? input?.bytes };
    return versionId === undefined ? own : { ...own, versionId };
  }
}

/** Names an object of a run, or a chunk of one in the state that it was split in: the chunk of another state has another answer. */
export function objectId({ key, versionId, chunk, eTag = '', position }: ObjectInput): string {
  const version = versionId === undefined ? '' : `\n${versionId}`;
  const part = chunk === undefined ? '' : `\n@${chunk.index} ${eTag}`;
  const place = position === undefined ? '' : `\n#${position}`;
  return key + version + part + place;
}

/** The object of a result by its ID, and if it was split, as it was then. */
export function objectOfId(id: string, { key, versionId, size }: Omit<MappedObject, 'bucket'>): ObjectInput {
  const object = versionId === undefined ? { key } : { key, versionId };
  const rest = id.slice(objectId(object).length);
  const [, part, eTag, position] = /^(\n@\d+ (\S*))?(?:\n#(\d+))?$/.exec(rest) ?? [];
  return {
    ...object,
    ...(part !== undefined && { bytes: size, eTag }),
    ...(position !== undefined && { position: Number(position) }),
  };
}

/** One input of `map`. */
export class CallSubject implements Subject<MappedCall> {
  readonly id: string;
  readonly executed = 0;
  readonly scar: InvocationOptions;
  readonly #own: MappedCall;

  constructor(own: MappedCall, scar: InvocationOptions) {
    this.id = `${own.index}`;
    this.scar = scar;
    this.#own = own;
  }

  records(origin: RecordOrigin): S3EventRecord[] {
    return callRecords(this.#own.call, origin);
  }

  own(): MappedCall {
    return this.#own;
  }
}

/**
 * Names one execution: whoever sends it again, from whatever process, sends the same. A failure that is run again is another
 * execution.
 *
 * @param execution - from 1
 */
export function idempotencyKey(runId: string, subjectId: string, execution: number | string): string {
  return hash('sha256', `${runId}\n${subjectId}\n${execution}`, 'base64url');
}

/**
 * The same in an asynchronous run, whose answers are looked for in the order of their keys.
 *
 * @param number - of the subject, ten digits at most
 */
export function queuedKey(number: number, execution: number): string {
  return `${String(number).padStart(10, '0')}-${execution}`;
}
