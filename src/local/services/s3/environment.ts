import type { Store } from './store.js';

/** Who invokes the functions that a bucket's notifications name: the engine's Lambda. */
export interface NotificationTarget {
  /** Why a bucket cannot invoke that function: it does not exist, or its policy has no statement for it. Undefined if it can. */
  refusal(functionArn: string, source: { readonly bucketArn: string; readonly accountId: string }): string | undefined;
  /** Invokes the function asynchronously. Never throws: what becomes of the event is Lambda's to handle. */
  deliver(functionArn: string, event: object): void;
}

/** What the operations of S3 work with. */
export interface S3Environment {
  readonly store: Store;
  readonly region: string;
  readonly accountId: string;
  /** Without it, no destination of a notification can be validated. */
  readonly notifications?: NotificationTarget;
}
