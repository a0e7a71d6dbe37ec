import type { Readable } from 'node:stream';
import type {
  DeleteObjectCommandInput,
  DeleteObjectsCommandInput,
  GetObjectAttributesCommandInput,
  GetObjectCommandInput,
  HeadObjectCommandInput,
  PutObjectCommandInput,
} from '@aws-sdk/client-s3';
import { type Operation, type OperationContext, ServiceError } from '../../protocol/service.js';
import type { ByteRange } from './blob-store.js';
import type { Bucket } from './bucket.js';
import { checkReadConditions, matches, writePrecondition } from './conditions.js';
import { parseDescription } from './description.js';
import { storeBody } from './digest.js';
import type { S3Environment } from './environment.js';
import { invalidArgument, invalidRequest, noSuchKey, preconditionFailed } from './errors.js';
import { checkKey } from './names.js';
import { notify } from './notifications.js';
import { checksumMembers, contentRange, describeObject, quoted } from './object-headers.js';
import { parseRange } from './range.js';
import type { ObjectRecord } from './record.js';
import { refuseUnsupported } from './unsupported.js';

const MAX_PUT_BYTES = 5 * 1024 ** 3;
const MAX_DELETED_KEYS = 1000;

export function objectOperations(environment: S3Environment): Record<string, Operation> {
  const { store, accountId } = environment;
  return {
    async PutObject(input: PutObjectCommandInput & { Body: Readable }, context: OperationContext) {
      const key = input.Key ?? '';
      checkKey(key);
      refuseUnsupported(input, accountId);
      const bucket = await store.bucket(input.Bucket ?? '');
      const precondition = writePrecondition(key, input);
      const description = parseDescription(context.request.headers, input);
      checkLength(input.ContentLength, MAX_PUT_BYTES);
      // Refused before the data comes, where that is known already; what counts is the check below.
      precondition(bucket.get(key));
      const { checksum, ...stored } = await storeBody(bucket.blobs, input.Body, context);
      const record: ObjectRecord = {
        ...description,
        ...stored,
        modified: Date.now(),
        checksum: { ...checksum, type: 'FULL_OBJECT' },
      };
      keepOrRemove(bucket, record, () => bucket.put(key, record, precondition));
      notify(environment, bucket, 'ObjectCreated:Put', key, record, context);
      return { ETag: quoted(record.etag), ...checksumMembers(record.checksum) };
    },

    async GetObject(input: GetObjectCommandInput, context: OperationContext) {
      const { bucket, record, range, output } = await readObject(environment, input, context);
      const wanted = range ?? { first: 0, last: record.bytes - 1 };
      const Body = record.bytes === 0 ? Buffer.alloc(0) : bucket.blobs.read(record.blobs, wanted);
      return { ...output, Body };
    },

    async HeadObject(input: HeadObjectCommandInput, context: OperationContext) {
      const { output } = await readObject(environment, input, context);
      return output;
    },

    async DeleteObject(input: DeleteObjectCommandInput, context: OperationContext) {
      refuseUnsupported(input, accountId);
      const bucket = await store.bucket(input.Bucket ?? '');
      const key = input.Key ?? '';
      const current = bucket.get(key);
      // A condition on what is not there is not met: else a deletion could not be told from a lost race.
      if (input.IfMatch !== undefined && !(current && matches(input.IfMatch, current.etag))) {
        throw preconditionFailed('If-Match');
      }
      for (const removed of bucket.delete([key]).keys()) {
        notify(environment, bucket, 'ObjectRemoved:Delete', removed, undefined, context);
      }
      return {};
    },

    async DeleteObjects(input: DeleteObjectsCommandInput, context: OperationContext) {
      refuseUnsupported(input, accountId);
      const bucket = await store.bucket(input.Bucket ?? '');
      return deleteMany(environment, bucket, input, context);
    },

    async GetObjectAttributes(input: GetObjectAttributesCommandInput) {
      refuseUnsupported(input, accountId);
      const bucket = await store.bucket(input.Bucket ?? '');
      const record = bucket.get(input.Key ?? '');
      if (!record) throw noSuchKey(input.Key ?? '');
      const wanted = new Set<string>(input.ObjectAttributes ?? []);
      return {
        LastModified: new Date(record.modified),
        ETag: wanted.has('ETag') ? record.etag : undefined,
        Checksum: wanted.has('Checksum') ? checksumMembers(record.checksum) : undefined,
        ObjectParts: wanted.has('ObjectParts') && record.parts ? describeParts(record, input) : undefined,
        StorageClass: wanted.has('StorageClass') ? 'STANDARD' : undefined,
        ObjectSize: wanted.has('ObjectSize') ? record.bytes : undefined,
      };
    },
  };
}

/** Makes a change that takes over a record's blobs; if it is refused, they go. */
export function keepOrRemove(bucket: Bucket, record: Pick<ObjectRecord, 'blobs'>, change: () => void): void {
  try {
    change();
  } catch (error) {
    bucket.blobs.remove(record.blobs);
    throw error;
  }
}

/** @param declared - Content-Length; that of a framed body is a little more than its data */
export function checkLength(declared: number | undefined, maxBytes: number): void {
  if (declared === undefined || declared <= maxBytes * 1.01) return;
  throw new ServiceError('EntityTooLarge', 400, 'Your proposed upload exceeds the maximum allowed size', {
    fields: { ProposedSize: declared, MaxSizeAllowed: maxBytes },
  });
}

/** What GET and HEAD share: everything but the data. */
async function readObject(
  { store, accountId }: S3Environment,
  input: GetObjectCommandInput | HeadObjectCommandInput,
  context: OperationContext,
) {
  refuseUnsupported(input, accountId);
  const bucket = await store.bucket(input.Bucket ?? '');
  const record = bucket.get(input.Key ?? '');
  if (!record) throw noSuchKey(input.Key ?? '');
  checkReadConditions(record, input);
  const range = input.PartNumber === undefined ? parseRange(input.Range, record.bytes) : partRange(record, input);
  const output: Record<string, unknown> = {
    ...describeObject(record),
    ...overrides(input),
    // The checksum is that of the whole.
    ...(input.ChecksumMode === 'ENABLED' && !range && checksumMembers(record.checksum)),
  };
  if (range || input.PartNumber !== undefined) {
    context.status = 206;
    output.ContentLength = range ? range.last - range.first + 1 : 0;
    output.ContentRange = range && contentRange(range, record.bytes);
    output.PartsCount = input.PartNumber === undefined ? undefined : record.parts?.length;
  }
  return { bucket, record, range, output };
}

/** The bytes of one part; an object that was not uploaded in parts is its own part 1. */
function partRange(record: ObjectRecord, input: { PartNumber?: number; Range?: string }): ByteRange | undefined {
  if (input.Range !== undefined)
    throw invalidRequest('Cannot specify both Range header and partNumber query parameter');
  const parts = record.parts ?? [{ number: 1, bytes: record.bytes }];
  const index = (input.PartNumber ?? 1) - 1;
  const part = parts[index];
  if (!part) throw new ServiceError('InvalidPartNumber', 416, 'The requested partnumber is not satisfiable');
  const first = parts.slice(0, index).reduce((sum, { bytes }) => sum + bytes, 0);
  return part.bytes === 0 ? undefined : { first, last: first + part.bytes - 1 };
}

/** Headers of the reply that the reader asks for. */
function overrides(input: GetObjectCommandInput | HeadObjectCommandInput): Record<string, unknown> {
  const wanted = {
    ContentType: input.ResponseContentType,
    CacheControl: input.ResponseCacheControl,
    ContentDisposition: input.ResponseContentDisposition,
    ContentEncoding: input.ResponseContentEncoding,
    ContentLanguage: input.ResponseContentLanguage,
    Expires: input.ResponseExpires,
  };
  const given = Object.entries(wanted).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    // A line break would end the header.
    if (/\p{Cc}/u.test(String(value))) throw invalidArgument(`Response${name}`, value, `Response${name} is not valid`);
  }
  return Object.fromEntries(given);
}

function deleteMany(
  environment: S3Environment,
  bucket: Bucket,
  { Delete }: DeleteObjectsCommandInput,
  context: OperationContext,
) {
  const wanted = Delete?.Objects ?? [];
  if (wanted.length === 0 || wanted.length > MAX_DELETED_KEYS) {
    const message = 'The XML you provided was not well-formed or did not validate against our published schema';
    throw new ServiceError('MalformedXML', 400, `${message}: 1 to ${MAX_DELETED_KEYS} objects can be deleted at once`);
  }
  const Errors: object[] = [];
  const keys: string[] = [];
  for (const { Key = '', ETag, VersionId } of wanted) {
    const current = bucket.get(Key);
    if (VersionId !== undefined && VersionId !== 'null') {
      Errors.push({ Key, VersionId, Code: 'NoSuchVersion', Message: 'The specified version does not exist.' });
    } else if (ETag !== undefined && !(current && matches(ETag, current.etag))) {
      const { name: Code, message: Message } = preconditionFailed('If-Match');
      Errors.push({ Key, Code, Message });
    } else keys.push(Key);
  }
  for (const key of bucket.delete(keys).keys()) {
    notify(environment, bucket, 'ObjectRemoved:Delete', key, undefined, context);
  }
  // What was not there counts as deleted.
  return { Deleted: Delete?.Quiet ? undefined : keys.map((Key) => ({ Key })), Errors };
}

function describeParts(record: ObjectRecord, { MaxParts = 1000, PartNumberMarker }: GetObjectAttributesCommandInput) {
  const all = record.parts ?? [];
  const after = all.filter(({ number }) => number > Number(PartNumberMarker ?? 0));
  const page = after.slice(0, MaxParts);
  const algorithm = record.checksum?.algorithm;
  return {
    TotalPartsCount: all.length,
    PartNumberMarker: PartNumberMarker ?? '0',
    NextPartNumberMarker: String(page.at(-1)?.number ?? 0),
    MaxParts,
    IsTruncated: after.length > page.length,
    Parts: page.map(({ number, bytes, checksum }) => ({
      PartNumber: number,
      Size: bytes,
      ...(checksum !== undefined && algorithm && { [`Checksum${algorithm}`]: checksum }),
    })),
  };
}
