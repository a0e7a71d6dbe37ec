import type { CopyObjectCommandInput, UploadPartCopyCommandInput } from '@aws-sdk/client-s3';
import { CHECKSUM_ALGORITHMS, type ChecksumAlgorithm } from '../../protocol/checksum.js';
import { type Operation, type OperationContext, ServiceError } from '../../protocol/service.js';
import type { Bucket } from './bucket.js';
import { checkReadConditions, writePrecondition } from './conditions.js';
import { parseDescription } from './description.js';
import { DEFAULT_CHECKSUM, digestBlobs } from './digest.js';
import type { S3Environment } from './environment.js';
import { invalidArgument, invalidRequest, noSuchKey, notImplemented } from './errors.js';
import { checkKey } from './names.js';
import { notify } from './notifications.js';
import { checksumMembers, quoted } from './object-headers.js';
import { keepOrRemove } from './objects.js';
import type { ObjectRecord, StoredChecksum } from './record.js';
import { refuseUnsupported } from './unsupported.js';

const MAX_COPY_BYTES = 5 * 1024 ** 3;

export function copyOperations(environment: S3Environment): Record<string, Operation> {
  const { store, accountId } = environment;
  return {
    async CopyObject(input: CopyObjectCommandInput, context: OperationContext) {
      refuseUnsupported(input, accountId);
      const key = input.Key ?? '';
      checkKey(key);
      const bucket = await store.bucket(input.Bucket ?? '');
      const precondition = writePrecondition(key, input);
      const source = await findSource(environment, input);
      const replaces = input.MetadataDirective === 'REPLACE' || input.TaggingDirective === 'REPLACE';
      if (source.bucket === bucket && source.key === key && !replaces && input.ChecksumAlgorithm === undefined) {
        throw invalidRequest(
          "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
        );
      }
      const digest = await digestOfCopy(source, parseAlgorithm(input.ChecksumAlgorithm));
      const blobs = await bucket.blobs.link(source.record.blobs, source.bucket.blobs);
      const record: ObjectRecord = {
        ...describeCopy(source.record, input, context),
        ...digest,
        bytes: source.record.bytes,
        blobs,
        modified: Date.now(),
      };
      keepOrRemove(bucket, record, () => bucket.put(key, record, precondition));
      notify(environment, bucket, 'ObjectCreated:Copy', key, record, context);
      const { checksum } = record;
      return {
        CopyObjectResult: {
          ETag: quoted(record.etag),
          LastModified: new Date(record.modified),
          ...checksumMembers(checksum),
        },
      };
    },
  };
}

/** An object that is about to be copied. */
export interface CopySource {
  readonly bucket: Bucket;
  readonly key: string;
  readonly record: ObjectRecord;
}

/** @throws ServiceError when the source is not there or does not meet the conditions on it */
export async function findSource(
  { store }: S3Environment,
  input: CopyObjectCommandInput | UploadPartCopyCommandInput,
): Promise<CopySource> {
  const { bucket: name, key } = parseSource(input.CopySource ?? '');
  const bucket = await store.bucket(name);
  const record = bucket.get(key);
  if (!record) throw noSuchKey(key);
  const conditions = {
    IfMatch: input.CopySourceIfMatch,
    IfNoneMatch: input.CopySourceIfNoneMatch,
    IfModifiedSince: input.CopySourceIfModifiedSince,
    IfUnmodifiedSince: input.CopySourceIfUnmodifiedSince,
  };
  checkReadConditions(record, conditions, true);
  return { bucket, key, record };
}

/** `[/]bucket/key[?versionId=...]`, percent-encoded. */
function parseSource(source: string): { bucket: string; key: string } {
  const [path = '', query = ''] = source.split('?');
  const version = new URLSearchParams(query).get('versionId');
  if (version !== null && version !== 'null') throw notImplemented(`versions of objects: versionId ${version}`);
  const match = /^\/?([^/]+)\/(.+)$/s.exec(decodeSource(path));
  if (!match) {
    const message = 'Copy Source must mention the source bucket and key: sourcebucket/sourcekey';
    throw invalidArgument('x-amz-copy-source', source, message);
  }
  return { bucket: match[1] ?? '', key: match[2] ?? '' };
}

function decodeSource(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw invalidArgument('x-amz-copy-source', path, 'Invalid copy source encoding');
  }
}

function parseAlgorithm(name: string | undefined): ChecksumAlgorithm | undefined {
  const algorithm = CHECKSUM_ALGORITHMS.find((known) => known === name);
  if (name !== undefined && !algorithm) throw notImplemented(`the checksum algorithm ${name}`);
  return algorithm;
}

/**
 * ETag and checksum of a copy. A copy is one piece, whatever its source was uploaded in: where the source's are composed
 * of parts, or of another algorithm than asked for, they are computed anew.
 */
async function digestOfCopy(
  { bucket, record }: CopySource,
  algorithm: ChecksumAlgorithm | undefined,
): Promise<{ etag: string; checksum: StoredChecksum }> {
  if (record.bytes > MAX_COPY_BYTES) {
    const message = `The specified copy source is larger than the maximum allowable size for a copy source: ${MAX_COPY_BYTES}`;
    throw new ServiceError('InvalidRequest', 400, message);
  }
  const wanted = algorithm ?? record.checksum?.algorithm ?? DEFAULT_CHECKSUM;
  const { checksum } = record;
  if (!record.etag.includes('-') && checksum?.algorithm === wanted && checksum.type === 'FULL_OBJECT') {
    return { etag: record.etag, checksum };
  }
  const digest = await digestBlobs(bucket.blobs, record, wanted);
  return { etag: digest.etag, checksum: { ...digest.checksum, type: 'FULL_OBJECT' } };
}

function describeCopy(source: ObjectRecord, input: CopyObjectCommandInput, context: OperationContext) {
  const given = parseDescription(context.request.headers, input);
  const { headers, metadata } = input.MetadataDirective === 'REPLACE' ? given : source;
  return { headers, metadata, tags: input.TaggingDirective === 'REPLACE' ? given.tags : source.tags };
}
