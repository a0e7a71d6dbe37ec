import { createReadStream, readFileSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { addAbortSignal, Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { ScarError } from '../errors.js';
import { chunksToFile } from '../util/chunks-to-file.js';
import { sleep } from '../util/sleep.js';
import { dateOfAnswer } from './date-of-answer.js';
import { type AttemptedCall, awsErrorName, awsStatus, fromAwsError } from './errors.js';
import type {
  AgedObjectHead,
  ListedObject,
  ListOptions,
  ObjectAddress,
  ObjectHead,
  ObjectStore,
  ReadOptions,
  WriteConditions,
  WriteOptions,
} from './object-store.js';

/** Files above this many bytes go up in parts of this size, each of which the SDK can send again by itself. */
export const PART_BYTES = 8 * 1024 * 1024;

/** S3's limit (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html). */
const MAX_PARTS = 10_000;

/** Keys in one DeleteObjects request: S3's limit. */
const DELETE_BATCH = 1_000;

/** How often a download goes on after a broken connection; the SDK itself retries only until the body begins. */
const RESUMES = 3;

/** How often a conditional write is sent again that met another writer (409, which is not among what the SDK sends again). */
const CONFLICTS = 6;
const FIRST_CONFLICT_PAUSE_MS = 50;

/** The {@link ObjectStore} behind an S3 client; who made the client closes it. */
export function objectStore(client: S3Client): ObjectStore {
  return new S3ObjectStore(client);
}

class S3ObjectStore implements ObjectStore {
  readonly partBytes = PART_BYTES;
  readonly #client: S3Client;

  constructor(client: S3Client) {
    this.#client = client;
  }

  async head(object: ObjectAddress, signal?: AbortSignal): Promise<AgedObjectHead> {
    const { bucket, key, versionId } = object;
    const command = new HeadObjectCommand({ Bucket: bucket, Key: key, VersionId: versionId });
    const answered = dateOfAnswer(command);
    try {
      const answer = await this.#client.send(command, sending(signal));
      const ageMs = Number(answered.date) - Number(answer.LastModified);
      return { ...describeObject(answer), ageMs: Number.isNaN(ageMs) ? undefined : ageMs };
    } catch (error) {
      throw await this.#objectError(error, object, reading(object, signal));
    }
  }

  async read(object: ObjectAddress, options: ReadOptions = {}): Promise<ObjectHead & { body: Readable }> {
    const first = await this.#get(object, options);
    const body = Readable.from(this.#resumed(object, options, first), { objectMode: false });
    // Nobody may ever read it, and then the generator never begins.
    body.once('close', () => first.body.destroy());
    return { ...first, body };
  }

  async #get(object: ObjectAddress, options: ReadOptions): Promise<ObjectHead & { body: Readable }> {
    const { bucket, key, versionId } = object;
    const { range, ifMatch, signal } = options;
    try {
      const command = new GetObjectCommand({
        Bucket: bucket,
        Key: key,
        VersionId: versionId,
        Range: range && `bytes=${range.start}-${range.end ?? ''}`,
        IfMatch: ifMatch,
      });
      const answer = await this.#client.send(command, sending(signal));
      if (!answer.Body) throw new Error('the answer has no body');
      const body = answer.Body as Readable;
      // A stream that breaks before somebody reads it must fail its reader, not the process.
      body.on('error', () => {});
      if (signal) addAbortSignal(signal, body);
      return { ...describeObject(answer), body };
    } catch (error) {
      throw await this.#objectError(error, object, reading(object, signal));
    }
  }

  /** The bytes of an answer, and of further ones from where its connection broke, while the object stays the same. */
  async *#resumed(
    object: ObjectAddress,
    options: ReadOptions,
    first: ObjectHead & { body: Readable },
  ): AsyncGenerator<Uint8Array> {
    const { signal, range = { start: 0 } } = options;
    let { body } = first;
    let received = 0;
    for (let resumes = 0; ; resumes++) {
      let broken: unknown;
      try {
        for await (const chunk of body as AsyncIterable<Uint8Array>) {
          received += chunk.length;
          yield chunk;
        }
      } catch (error) {
        broken = error;
      }
      if (received === first.bytes && broken === undefined) return;
      if (signal?.aborted || resumes === RESUMES || received >= first.bytes) {
        const cause = broken ?? new Error(`${received} of ${first.bytes} bytes came`);
        throw fromAwsError(cause, reading(object, signal));
      }
      const rest = { ...range, start: range.start + received };
      ({ body } = await this.#get(object, { ...options, range: rest, ifMatch: first.eTag ?? options.ifMatch }));
    }
  }

  async readFile(
    object: ObjectAddress,
    file: string,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<ObjectHead> {
    const first = await this.#get(object, { signal });
    const { body, ...head } = first;
    try {
      await chunksToFile(this.#resumed(object, { signal }, first), file, head.bytes);
    } finally {
      // Nobody may have begun to read it.
      body.destroy();
    }
    return head;
  }

  async write(
    object: ObjectAddress,
    bytes: Uint8Array | string,
    options: WriteOptions & WriteConditions = {},
  ): Promise<boolean> {
    const { ifMatch, ifNoneMatch, signal } = options;
    // An empty string has no Content-Length for the SDK, which then warns of a stream.
    const body = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
    const input = { ...putInput(object, options), Body: body, IfMatch: ifMatch, IfNoneMatch: ifNoneMatch };
    for (let conflicts = 0; ; conflicts++) {
      try {
        await this.#client.send(new PutObjectCommand(input), sending(signal));
        return true;
      } catch (error) {
        const name = awsErrorName(error);
        if (name === 'PreconditionFailed' || (ifMatch !== undefined && name === 'NoSuchKey')) return false;
        if (name !== 'ConditionalRequestConflict' || conflicts === CONFLICTS) {
          throw await this.#objectError(error, object, writing(object, signal));
        }
      }
      await sleep(FIRST_CONFLICT_PAUSE_MS * 2 ** conflicts, signal);
    }
  }

  async writeFile(
    object: ObjectAddress,
    file: string | Buffer,
    options: WriteOptions & { parallelParts?: number } = {},
  ): Promise<{ bytes: number }> {
    const { size } = statSync(file);
    if (size <= PART_BYTES) {
      const bytes = readFileSync(file);
      await this.write(object, bytes, options);
      return { bytes: bytes.length };
    }
    const handle = await open(file, 'r');
    try {
      await this.#upload(object, createReadStream(file, { fd: handle, autoClose: false }), size, options);
      return { bytes: size };
    } finally {
      await handle.close();
    }
  }

  async writeStream(
    object: ObjectAddress,
    body: Readable,
    options: WriteOptions & { parallelParts?: number } = {},
  ): Promise<void> {
    await this.#upload(object, body, 0, options);
  }

  /** @param size - 0 if it is not known: then at most {@link MAX_PARTS} parts of {@link PART_BYTES} */
  async #upload(
    object: ObjectAddress,
    body: Readable,
    size: number,
    options: WriteOptions & { parallelParts?: number },
  ): Promise<void> {
    // Only large files need it, and loading it costs the supervisor's cold start.
    const { Upload } = await import('@aws-sdk/lib-storage');
    const { signal, parallelParts = 3 } = options;
    const upload = new Upload({
      client: this.#client,
      params: { ...putInput(object, options), Body: body },
      partSize: Math.max(PART_BYTES, Math.ceil(size / MAX_PARTS)),
      queueSize: parallelParts,
      leavePartsOnError: false,
    });
    const abort = () => void upload.abort();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      signal?.throwIfAborted();
      await upload.done();
    } catch (error) {
      throw await this.#objectError(error, object, writing(object, signal));
    } finally {
      signal?.removeEventListener('abort', abort);
      body.destroy();
    }
  }

  async *list(bucket: string, options: ListOptions = {}): AsyncGenerator<ListedObject[]> {
    const { prefix, startAfter, pageSize, signal } = options;
    let continuation: string | undefined;
    do {
      const command = new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        StartAfter: startAfter,
        MaxKeys: pageSize,
        ContinuationToken: continuation,
        // XML 1.0 has no form for most control characters, which keys may contain.
        EncodingType: 'url',
      });
      const call = { doing: `list s3://${bucket}/${prefix ?? ''}`, permission: 's3:ListBucket', signal };
      const page = await this.#inBucket(call, bucket, () => this.#client.send(command, sending(signal)));
      const decode = page.EncodingType === 'url' ? decodeListedKey : (key: string) => key;
      yield (page.Contents ?? []).map((entry) => ({
        key: decode(entry.Key ?? ''),
        bytes: entry.Size ?? 0,
        eTag: entry.ETag,
        lastModified: entry.LastModified,
      }));
      continuation = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (continuation !== undefined);
  }

  async delete(object: ObjectAddress, signal?: AbortSignal): Promise<void> {
    const { bucket, key, versionId } = object;
    try {
      const command = new DeleteObjectCommand({ Bucket: bucket, Key: key, VersionId: versionId });
      await this.#client.send(command, sending(signal));
    } catch (error) {
      throw bucketError(error, bucket, deleting(object, signal));
    }
  }

  async deleteAll(bucket: string, keys: Iterable<string>, signal?: AbortSignal): Promise<void> {
    let refused: { key: string; name: string; message: string } | undefined;
    for (const batch of batches(keys, DELETE_BATCH)) {
      const command = new DeleteObjectsCommand({
        Bucket: bucket,
        Delete: { Objects: batch.map((Key) => ({ Key })), Quiet: true },
      });
      const call = deleting({ bucket, key: batch[0] ?? '' }, signal);
      const answer = await this.#inBucket(call, bucket, () => this.#client.send(command, sending(signal)));
      const error = answer.Errors?.[0];
      if (error) refused ??= { key: error.Key ?? '', name: error.Code ?? 'Error', message: error.Message ?? '' };
    }
    if (refused) {
      const cause = Object.assign(new Error(refused.message), { name: refused.name });
      throw fromAwsError(cause, deleting({ bucket, key: refused.key }, signal));
    }
  }

  async #inBucket<Output>(call: AttemptedCall, bucket: string, send: () => Promise<Output>): Promise<Output> {
    try {
      return await send();
    } catch (error) {
      throw bucketError(error, bucket, call);
    }
  }

  /** Tells a missing bucket from a missing key, which a HEAD request's bare 404 does not. */
  async #objectError(error: unknown, object: ObjectAddress, call: AttemptedCall): Promise<unknown> {
    const { bucket, key } = object;
    const name = awsErrorName(error);
    if (name === 'NoSuchBucket') return bucketNotFound(bucket, call, error);
    const missing = name === 'NoSuchKey' || name === 'NoSuchVersion' || awsStatus(error) === 404;
    if (!missing) return fromAwsError(error, call);
    if (name !== 'NoSuchKey' && name !== 'NoSuchVersion' && !(await this.#bucketExists(bucket, call.signal))) {
      return bucketNotFound(bucket, call, error);
    }
    const version = object.versionId === undefined ? '' : ` in version ${object.versionId}`;
    return new ScarError(
      'object-not-found',
      `Could not ${call.doing}: the bucket has no object ${JSON.stringify(key)}${version}. ` +
        'Keys are case-sensitive and have no leading slash',
      { context: { bucket, key, versionId: object.versionId }, cause: error },
    );
  }

  /** False only if S3 says so: without permission to look, the bucket is taken to exist. */
  async #bucketExists(bucket: string, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await this.#client.send(new HeadBucketCommand({ Bucket: bucket }), sending(signal));
      return true;
    } catch (error) {
      return awsStatus(error) !== 404;
    }
  }
}

function sending(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {};
}

function putInput({ bucket, key }: ObjectAddress, { contentType, metadata }: WriteOptions) {
  return { Bucket: bucket, Key: key, ContentType: contentType, Metadata: metadata };
}

function reading({ bucket, key, versionId }: ObjectAddress, signal?: AbortSignal): AttemptedCall {
  return {
    doing: `read s3://${bucket}/${key}`,
    // Without s3:ListBucket, S3 answers 403 for a key that does not exist too
    // (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
    permission: `${versionId === undefined ? 's3:GetObject' : 's3:GetObjectVersion'} (or s3:ListBucket, if the key may not exist)`,
    signal,
  };
}

function writing({ bucket, key }: ObjectAddress, signal?: AbortSignal): AttemptedCall {
  return { doing: `write s3://${bucket}/${key}`, permission: 's3:PutObject', signal };
}

function deleting({ bucket, key }: ObjectAddress, signal?: AbortSignal): AttemptedCall {
  return { doing: `delete s3://${bucket}/${key}`, permission: 's3:DeleteObject', signal };
}

function bucketError(error: unknown, bucket: string, call: AttemptedCall): unknown {
  return awsErrorName(error) === 'NoSuchBucket' ? bucketNotFound(bucket, call, error) : fromAwsError(error, call);
}

function bucketNotFound(bucket: string, call: AttemptedCall, cause: unknown): ScarError {
  return new ScarError(
    'bucket-not-found',
    `Could not ${call.doing}: there is no bucket ${JSON.stringify(bucket)}. Create it, or correct its name`,
    { context: { bucket }, cause },
  );
}

function describeObject(answer: {
  ContentLength?: number | undefined;
  ETag?: string | undefined;
  VersionId?: string | undefined;
  ContentType?: string | undefined;
  Metadata?: Record<string, string> | undefined;
}): ObjectHead {
  return {
    bytes: answer.ContentLength ?? 0,
    eTag: answer.ETag,
    versionId: answer.VersionId,
    contentType: answer.ContentType,
    metadata: answer.Metadata ?? {},
  };
}

/** Listed keys are encoded like a form's: `+` is a space, a plus sign is `%2B`. */
function decodeListedKey(encoded: string): string {
  return decodeURIComponent(encoded.replace(/\+/g, ' '));
}

function* batches<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let batch: T[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length === size) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}
