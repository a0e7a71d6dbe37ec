import type { AsyncQueue } from './async-queue.js';
import type { CodeStore } from './code-store.js';
import type { ConcurrencyLedger } from './concurrency.js';
import type { Downloads } from './downloads.js';
import type { Functions } from './functions.js';
import type { Invoker } from './invoker.js';

/** Reads an object of the engine's S3 for a function's code. Throws S3's own error, whose name is its code. */
export type ReadObject = (bucket: string, key: string, versionId?: string) => Promise<Buffer>;

/** What the operations of the Lambda service work with. */
export interface LambdaContext {
  readonly functions: Functions;
  readonly code: CodeStore;
  readonly downloads: Downloads;
  readonly concurrency: ConcurrencyLedger;
  readonly invoker: Invoker;
  readonly queue: AsyncQueue;
  readonly readObject: ReadObject;
}
