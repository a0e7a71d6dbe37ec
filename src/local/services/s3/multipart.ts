import { createHash, randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import type {
  AbortMultipartUploadCommandInput,
  CompletedPart,
  CompleteMultipartUploadCommandInput,
  CreateMultipartUploadCommandInput,
  UploadPartCommandInput,
  UploadPartCopyCommandInput,
} from '@aws-sdk/client-s3';
import { CHECKSUM_ALGORITHMS, type ChecksumAlgorithm, createChecksum, isCrc } from '../../protocol/checksum.js';
import { combineCrcs } from '../../protocol/crc.js';
import { type Operation, type OperationContext, ServiceError } from '../../protocol/service.js';
import type { Bucket } from './bucket.js';
import type { Upload } from './bucket-state.js';
import { writePrecondition } from './conditions.js';
import { findSource } from './copy.js';
import { parseDescription } from './description.js';
import { DEFAULT_CHECKSUM, storeBody, storeData } from './digest.js';
import type { S3Environment } from './environment.js';
import { invalidArgument, invalidRequest, noSuchUpload, notImplemented } from './errors.js';
import { checkKey } from './names.js';
import { notify } from './notifications.js';
import { checksumMembers, quoted } from './object-headers.js';
import { checkLength, keepOrRemove } from './objects.js';
import type { ObjectRecord, PartRecord, StoredChecksum, UploadRecord } from './record.js';
import { refuseUnsupported } from './unsupported.js';

// S3 user guide, "Amazon S3 multipart upload limits".
const MAX_PARTS = 10_000;
const MIN_PART_BYTES = 5 * 1024 ** 2;
const MAX_PART_BYTES = 5 * 1024 ** 3;

export function multipartOperations(environment: S3Environment): Record<string, Operation> {
  const { store, accountId } = environment;
  const find = async (input: Addressed) => {
    refuseUnsupported(input, accountId);
    const bucket = await store.bucket(input.Bucket ?? '');
    return { bucket, upload: findUpload(bucket, input) };
  };
  return {
    async CreateMultipartUpload(input: CreateMultipartUploadCommandInput, context: OperationContext) {
      refuseUnsupported(input, accountId);
      const [bucket, key] = [await store.bucket(input.Bucket ?? ''), input.Key ?? ''];
      checkKey(key);
      const checksum = parseChecksum(input);
      const id = randomBytes(24).toString('base64url');
      const description = parseDescription(context.request.headers, input);
      bucket.beginUpload(id, { ...description, key, initiated: Date.now(), checksum });
      return {
        Bucket: input.Bucket,
        Key: key,
        UploadId: id,
        ...(input.ChecksumAlgorithm && { ChecksumAlgorithm: checksum.algorithm, ChecksumType: checksum.type }),
      };
    },

    async UploadPart(input: UploadPartCommandInput & { Body: Readable }, context: OperationContext) {
      const { bucket, upload } = await find(input);
      const number = checkPartNumber(input.PartNumber);
      checkLength(input.ContentLength, MAX_PART_BYTES);
      const { algorithm } = upload.record.checksum;
      const { checksum, ...stored } = await storeBody(bucket.blobs, input.Body, context, algorithm);
      // A client may check its parts in a way of its own; kept is what the upload was begun with.
      const kept = checksum.algorithm === algorithm ? checksum.value : undefined;
      const part = addPart(bucket, upload, {
        ...stored,
        number,
        modified: Date.now(),
        ...(kept && { checksum: kept }),
      });
      return { ETag: quoted(part.etag), [`Checksum${checksum.algorithm}`]: checksum.value };
    },

    async UploadPartCopy(input: UploadPartCopyCommandInput) {
      const { bucket, upload } = await find(input);
      const number = checkPartNumber(input.PartNumber);
      const source = await findSource(environment, input);
      const range = parseCopyRange(input.CopySourceRange, source.record.bytes);
      const data = source.record.bytes === 0 ? Buffer.alloc(0) : source.bucket.blobs.read(source.record.blobs, range);
      const chunks = (async function* () {
        yield* Buffer.isBuffer(data) ? [data] : data;
      })();
      const { algorithm } = upload.record.checksum;
      const { checksum, ...stored } = await storeData(bucket.blobs, chunks, algorithm);
      const value = checksum?.value ?? '';
      const part = addPart(bucket, upload, { ...stored, number, modified: Date.now(), checksum: value });
      const CopyPartResult = { ETag: quoted(part.etag), LastModified: new Date(part.modified) };
      return { CopyPartResult: { ...CopyPartResult, [`Checksum${algorithm}`]: value } };
    },

    async CompleteMultipartUpload(input: CompleteMultipartUploadCommandInput, context: OperationContext) {
      const { bucket, upload } = await find(input);
      const parts = chooseParts(upload, input.MultipartUpload?.Parts ?? []);
      const record = assemble(upload.record, parts);
      checkWhole(record, input);
      const { key } = upload.record;
      bucket.completeUpload(upload.id, key, record, writePrecondition(key, input));
      notify(environment, bucket, 'ObjectCreated:CompleteMultipartUpload', key, record, context);
      return {
        Location: `${context.endpoint}/${input.Bucket}/${encodeURIComponent(key)}`,
        Bucket: input.Bucket,
        Key: key,
        ETag: quoted(record.etag),
        ...checksumMembers(record.checksum),
      };
    },

    async AbortMultipartUpload(input: AbortMultipartUploadCommandInput) {
      const { bucket, upload } = await find(input);
      bucket.abortUpload(upload.id);
      return {};
    },
  };
}

interface Addressed {
  readonly Bucket: string | undefined;
  readonly Key: string | undefined;
  readonly UploadId: string | undefined;
}

/** @throws ServiceError `NoSuchUpload`, also when the upload is another key's */
export function findUpload(bucket: Bucket, { Key, UploadId = '' }: Addressed): Upload {
  const upload = bucket.upload(UploadId);
  if (!upload || upload.record.key !== Key) throw noSuchUpload(UploadId);
  return upload;
}

/** S3 user guide, "Checking object integrity": CRC-64 covers whole objects only, SHA parts only, the other CRCs either. */
function parseChecksum({
  ChecksumAlgorithm,
  ChecksumType,
}: CreateMultipartUploadCommandInput): UploadRecord['checksum'] {
  const algorithm = CHECKSUM_ALGORITHMS.find((known) => known === (ChecksumAlgorithm ?? DEFAULT_CHECKSUM));
  if (!algorithm) throw notImplemented(`the checksum algorithm ${ChecksumAlgorithm}`);
  const type = ChecksumType ?? (algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE');
  const possible = type === 'FULL_OBJECT' ? isCrc(algorithm) : algorithm !== 'CRC64NVME';
  if (!possible) {
    throw invalidRequest(
      `The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
    );
  }
  return { algorithm, type };
}

function checkPartNumber(number: number | undefined): number {
  if (number !== undefined && Number.isInteger(number) && number >= 1 && number <= MAX_PARTS) return number;
  const message = `Part number must be an integer between 1 and ${MAX_PARTS}, inclusive`;
  throw invalidArgument('partNumber', number, message);
}

/** Unless the upload has ended while the part came in. */
function addPart(bucket: Bucket, upload: Upload, part: PartRecord): PartRecord {
  keepOrRemove(bucket, part, () => {
    if (bucket.upload(upload.id) === undefined) throw noSuchUpload(upload.id);
    bucket.putPart(upload.id, part);
  });
  return part;
}

/** Unlike Range, this header must fit: both ends given, and within the source. */
function parseCopyRange(header: string | undefined, bytes: number) {
  if (header === undefined) return { first: 0, last: bytes - 1 };
  const match = /^bytes=(\d+)-(\d+)$/.exec(header);
  const range = { first: Number(match?.[1]), last: Number(match?.[2]) };
  if (!match || range.last < range.first) {
    const message =
      'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy';
    throw invalidArgument('x-amz-copy-source-range', header, message);
  }
  if (range.last >= bytes) {
    throw invalidArgument(
      'x-amz-copy-source-range',
      header,
      `Range specified is not valid for source object of size: ${bytes}`,
    );
  }
  return range;
}

/** The parts that the client lists, when they are what it says, in order, and large enough. */
function chooseParts(upload: Upload, listed: readonly CompletedPart[]): PartRecord[] {
  if (listed.length === 0) {
    throw new ServiceError(
      'MalformedXML',
      400,
      'The XML you provided was not well-formed or did not validate against our published schema: no parts',
    );
  }
  if (listed.some(({ PartNumber = 0 }, index) => PartNumber <= (listed[index - 1]?.PartNumber ?? 0))) {
    const message = 'The list of parts was not in ascending order. Parts must be ordered by part number.';
    throw new ServiceError('InvalidPartOrder', 400, message, { fields: { UploadId: upload.id } });
  }
  const parts = listed.map((wanted) => findPart(upload, wanted));
  for (const { bytes, number } of parts.slice(0, -1)) {
    if (bytes >= MIN_PART_BYTES) continue;
    throw new ServiceError('EntityTooSmall', 400, 'Your proposed upload is smaller than the minimum allowed size', {
      fields: { ProposedSize: bytes, MinSizeAllowed: MIN_PART_BYTES, PartNumber: number },
    });
  }
  return parts;
}

function findPart(upload: Upload, wanted: CompletedPart): PartRecord {
  const part = upload.parts.get(wanted.PartNumber ?? 0);
  const checksum = wanted[`Checksum${upload.record.checksum.algorithm}`];
  const sameData = part?.etag === wanted.ETag?.replaceAll('"', '');
  if (part && sameData && (checksum === undefined || checksum === part.checksum)) return part;
  const message =
    "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
  throw new ServiceError('InvalidPart', 400, message, {
    fields: { UploadId: upload.id, PartNumber: wanted.PartNumber },
  });
}

function assemble({ headers, metadata, tags, checksum }: UploadRecord, parts: readonly PartRecord[]): ObjectRecord {
  const md5 = createHash('md5');
  for (const part of parts) md5.update(Buffer.from(part.etag, 'hex'));
  const value = wholeChecksum(checksum, parts);
  return {
    headers,
    metadata,
    tags,
    etag: `${md5.digest('hex')}-${parts.length}`,
    bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
    modified: Date.now(),
    blobs: parts.flatMap((part) => part.blobs),
    parts: parts.map((part) => ({
      number: part.number,
      bytes: part.bytes,
      ...(part.checksum !== undefined && { checksum: part.checksum }),
    })),
    ...(value && { checksum: value }),
  };
}

/** Undefined when the client checked some part in another way than the upload was begun with. */
function wholeChecksum(
  { algorithm, type }: UploadRecord['checksum'],
  parts: readonly PartRecord[],
): StoredChecksum | undefined {
  const digests = parts.map(({ checksum, bytes }) => ({
    digest: Buffer.from(checksum ?? '', 'base64'),
    length: bytes,
  }));
  if (digests.some(({ digest }) => digest.length === 0)) return undefined;
  if (type === 'FULL_OBJECT' && isCrc(algorithm)) {
    return { algorithm, type, value: combineCrcs(algorithm, digests).toString('base64') };
  }
  const composite = createChecksum(algorithm);
  for (const { digest } of digests) composite.update(digest);
  return { algorithm, type: 'COMPOSITE', value: `${composite.digest().toString('base64')}-${parts.length}` };
}

/** What the client says of the whole must be so. */
function checkWhole(record: ObjectRecord, input: CompleteMultipartUploadCommandInput): void {
  if (input.MpuObjectSize !== undefined && input.MpuObjectSize !== record.bytes) {
    throw invalidRequest(
      `The provided 'x-amz-mp-object-size' header value ${input.MpuObjectSize} does not match what was computed: ${record.bytes}`,
    );
  }
  for (const algorithm of CHECKSUM_ALGORITHMS as readonly ChecksumAlgorithm[]) {
    const given = input[`Checksum${algorithm}`];
    if (given === undefined || given === record.checksum?.value) continue;
    // Composite values may come without the number of parts.
    if (record.checksum?.algorithm === algorithm && record.checksum.value.startsWith(`${given}-`)) continue;
    throw new ServiceError('BadDigest', 400, `The ${algorithm} you specified did not match the calculated checksum.`);
  }
}
