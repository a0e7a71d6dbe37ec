import type { Readable } from 'node:stream';

/** Which object, and which version of it. */
export interface ObjectAddress {
  bucket: string;
  key: string;
  versionId?: string | undefined;
}

export interface ObjectHead {
  /** Size in bytes. */
  bytes: number;
  eTag: string | undefined;
  versionId: string | undefined;
  contentType: string | undefined;
  /** User metadata, names in lower case without `x-amz-meta-`. */
  metadata: Record<string, string>;
}

/** Of a HEAD request. */
export interface AgedObjectHead extends ObjectHead {
  /** Time since it was written, in ms, by S3's own clock; in whole seconds. Undefined if the answer did not say. */
  ageMs: number | undefined;
}

export interface ReadOptions {
  /** Bytes `start` to `end`, both included; without `end` to the last one. */
  range?: { start: number; end?: number };
  /** Refuses (`service`, 412) if the object is no longer the one with this ETag. */
  ifMatch?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface WriteOptions {
  contentType?: string | undefined;
  /** User metadata: names and values in printable ASCII. */
  metadata?: Record<string, string> | undefined;
  signal?: AbortSignal | undefined;
}

/** When a write may happen; without one, always. */
export interface WriteConditions {
  /** Only if there is no object with this key. */
  ifNoneMatch?: '*' | undefined;
  /** Only if the object is still the one with this ETag. */
  ifMatch?: string | undefined;
}

export interface ListOptions {
  /** Only keys that begin with it. Default: all. */
  prefix?: string;
  /** Only keys after this one, in S3's order (UTF-8 bytes). */
  startAfter?: string;
  /** Keys a page, 1 to 1,000. Default 1,000. */
  pageSize?: number;
  signal?: AbortSignal | undefined;
}

export interface ListedObject {
  key: string;
  bytes: number;
  eTag: string | undefined;
  lastModified: Date | undefined;
}

/**
 * S3 as this package needs it: streams, pages, and errors that are `ScarError`s: `bucket-not-found`, `object-not-found`,
 * `permission-denied` (naming the IAM action), or `service`. An abort throws the signal's reason.
 */
export interface ObjectStore {
  /** Files above this many bytes are sent in parts of this size. */
  readonly partBytes: number;
  head(object: ObjectAddress, signal?: AbortSignal): Promise<AgedObjectHead>;
  /**
   * The object's bytes as they come; destroy the stream, or read it to its end. A connection that breaks midway is taken up
   * again where it broke, up to three times, and only while the object stays the same; a short body is an error.
   */
  read(object: ObjectAddress, options?: ReadOptions): Promise<ObjectHead & { body: Readable }>;
  /** The object into a file, which is replaced. Errors of the file system are thrown as they are. */
  readFile(object: ObjectAddress, file: string, options?: { signal?: AbortSignal | undefined }): Promise<ObjectHead>;
  /**
   * A small object, sent in one request. False only if a condition did not hold; conflicts with writers of the same moment are
   * tried again. A request whose reply was lost is sent again by the SDK, and may then be refused for the object that it made itself:
   * who must know marks the object in its metadata.
   */
  write(object: ObjectAddress, bytes: Uint8Array | string, options?: WriteOptions & WriteConditions): Promise<boolean>;
  /**
   * A file of any size: in one request up to 8 MiB, else in parts of which `parallelParts` (default 3) are in
   * memory at a time; a failed or aborted upload leaves no parts behind. Returns the bytes sent.
   */
  writeFile(
    object: ObjectAddress,
    file: string | Buffer,
    options?: WriteOptions & { parallelParts?: number },
  ): Promise<{ bytes: number }>;
  /** A stream of any length, in parts. If the stream fails, nothing is stored. */
  writeStream(
    object: ObjectAddress,
    body: Readable,
    options?: WriteOptions & { parallelParts?: number },
  ): Promise<void>;
  /** The bucket's objects in key order, one page at a time, fetched when asked for. */
  list(bucket: string, options?: ListOptions): AsyncIterable<ListedObject[]>;
  /** Deletes one object; fine if there is none. */
  delete(object: ObjectAddress, signal?: AbortSignal): Promise<void>;
  /** Deletes many objects in batches of 1,000; fine where there are none. Throws the first refusal after trying all. */
  deleteAll(bucket: string, keys: Iterable<string>, signal?: AbortSignal): Promise<void>;
}

/** A small object as UTF-8. */
export async function readText(store: ObjectStore, object: ObjectAddress, signal?: AbortSignal): Promise<string> {
  const { body } = await store.read(object, { signal });
  return Buffer.concat(await body.toArray()).toString('utf8');
}
