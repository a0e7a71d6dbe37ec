import type { InvocationFailure, InvocationSuccess } from '../invocation-result.js';
import type { InvokeOptions } from '../invoke.js';

/** What came of one subject of a map: always exactly one, and a failure is a value. */
export type Mapped<Subject> = (InvocationSuccess & Subject) | (InvocationFailure & Subject);

/** What came of one object of a bucket. */
export type MapItem = Mapped<MappedObject>;

export interface MappedObject {
  bucket: string;
  key: string;
  /** The version that was asked for; absent if it was the current one. */
  versionId?: string;
  /** Size of the object, in bytes: as listed, or as the function found it. Undefined if the object was not listed and not read. */
  size: number | undefined;
}

/** What came of one call of `map`. */
export type CallItem = Mapped<MappedCall>;

export interface MappedCall {
  /** Its place among the inputs, from 0. */
  index: number;
  /** The input itself. */
  call: MapCall;
}

/** One input of `map`: what `invoke` would get. */
export type MapCall = Omit<InvokeOptions, 'signal'>;
