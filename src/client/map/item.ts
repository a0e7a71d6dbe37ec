import type { InvocationFailure, InvocationSuccess } from '../invocation-result.js';

/** What came of one object of a map: always exactly one, and a failure is a value. */
export type MapItem = (InvocationSuccess & MappedObject) | (InvocationFailure & MappedObject);

export interface MappedObject {
  bucket: string;
  key: string;
  /** The version that was asked for; absent if it was the current one. */
  versionId?: string;
  /** Size of the object, in bytes: as listed, or as the function found it. Undefined if the object was not listed and not read. */
  size: number | undefined;
}
