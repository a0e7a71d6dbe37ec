import type { OutputTarget } from './function-spec.js';

/**
 * What a function of ours accepts: an S3 notification (from a trigger, or the same shape made by `mapOverBucket`), or a
 * direct invocation. `scar` is what the client adds; a plain S3 notification has none.
 */
export interface InvocationEvent {
  Records?: S3EventRecord[];
  scar?: InvocationOptions;
}

/**
 * What one invocation may override. Precedence: script, then args, then the function's script, then the function's
 * args, then the image's ENTRYPOINT and CMD.
 */
export interface InvocationOptions {
  version: 1;
  /** `run` (default) runs the container; `preheat` only brings the image in, then holds the environment. */
  action?: 'run' | 'preheat';
  /** Text of a script that replaces whatever the function would run. */
  script?: string;
  args?: string[];
  /** Variables for this container only; they win over the function's. */
  environment?: Record<string, string>;
  /** Replaces the function's output targets; empty: nothing is staged out. */
  output?: OutputTarget[];
  /** All records are the inputs of one container, side by side in its input folder, in their order. */
  gather?: boolean;
  /** For `preheat`: how long this environment stays busy after the image is in, so that the next event needs another one. */
  holdMs?: number;
  /**
   * One for each record, or one for a direct invocation, all different: what was answered under a key is not run again. 1 to 256
   * characters of `[A-Za-z0-9._=-]`.
   */
  idempotencyKeys?: string[];
  /** Where answers are kept for other environments and other readers; needs `idempotencyKeys`. */
  results?: ResultsLocation;
}

/** The answer for a key is the object `<prefix><key>`: an `InvocationResponse` with one outcome. Empty: a claim to serve it. */
export interface ResultsLocation {
  bucket: string;
  prefix: string;
}

/**
 * One record of an S3 event notification, as far as we read it.
 * `object.key` is URL-encoded with `+` for a space
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
 */
export interface S3EventRecord {
  eventSource: 'aws:s3';
  eventName: string;
  eventTime: string;
  awsRegion?: string;
  s3: {
    bucket: { name: string; arn?: string };
    object: { key: string; size?: number; eTag?: string; versionId?: string; sequencer?: string };
  };
  /** What the client adds to a record; those of S3 have none. */
  scar?: RecordOptions;
}

export interface RecordOptions {
  /** The part of the object to work on; absent: all of it. */
  chunk?: ObjectChunk;
}

/**
 * One of the parts that an object is split into: the lines that begin in its bytes `start` to `end`, the latter not included.
 * A line begins at the object's first byte, and wherever a delimiter ends, be it the end of several that overlap; it goes on to where the
 * next one begins. So whatever the delimiter and the bounds, the chunks of an object, one after the other, are the object.
 *
 * The record's `object` says `size`, and `eTag`, so that no two chunks are of different contents.
 */
export interface ObjectChunk {
  /** In bytes; below `end`, but in an empty object, whose only chunk has 0 for both. */
  start: number;
  end: number;
  /** From 0 to `count - 1`. */
  index: number;
  count: number;
  /** 1 to {@link MAX_DELIMITER_BYTES} bytes: text, sent in UTF-8's bytes, or any others in base64. It belongs to the line that it ends. */
  delimiter: string | { base64: string };
}

export const MAX_DELIMITER_BYTES = 64;

/** A key as notifications carry it: percent-encoded UTF-8, `+` for a space, `/` as it is. */
export function encodeEventKey(key: string): string {
  if (/^[\w./-]*$/.test(key)) return key;
  return encodeURIComponent(key)
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%20/g, '+')
    .replace(/%2F/g, '/');
}

/** The inverse of {@link encodeEventKey}. */
export function decodeEventKey(encoded: string): string {
  return decodeURIComponent(encoded.replace(/\+/g, ' '));
}
