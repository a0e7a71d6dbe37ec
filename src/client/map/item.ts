import type { InvocationFailure, InvocationSuccess } from '../invocation-result.js';

/** What came of one object of a map: always exactly one, and a failure is a value. */
export type MapItem = (InvocationSuccess & MappedObject) | (InvocationFailure & MappedObject);

export interface MappedObject {
  bucket: string;
  key: string;
  /** Size of the object, in bytes. */
  size: number;
}
