import type {
  ListMultipartUploadsCommandInput,
  ListObjectsCommandInput,
  ListObjectsV2CommandInput,
  ListPartsCommandInput,
} from '@aws-sdk/client-s3';
import { type Operation, RawReply } from '../../protocol/service.js';
import type { Upload } from './bucket-state.js';
import type { S3Environment } from './environment.js';
import { invalidArgument } from './errors.js';
import { listPage } from './list-page.js';
import { writeListReply } from './list-reply.js';
import { findUpload } from './multipart.js';
import { quoted } from './object-headers.js';
import { compareKeys } from './sorted-keys.js';
import { refuseUnsupported } from './unsupported.js';
import { encodeKey } from './url-encoding.js';

const MAX_PAGE = 1000;

export function listingOperations({ store, accountId }: S3Environment): Record<string, Operation> {
  const find = (input: { Bucket: string | undefined }) => {
    refuseUnsupported(input, accountId);
    return store.bucket(input.Bucket ?? '');
  };
  return {
    async ListObjectsV2(input: ListObjectsV2CommandInput) {
      const bucket = await find(input);
      const { Prefix: prefix = '', Delimiter: delimiter = '', StartAfter, ContinuationToken } = input;
      const maxKeys = pageSize('max-keys', input.MaxKeys);
      const after = ContinuationToken === undefined ? (StartAfter ?? '') : decodeToken(ContinuationToken);
      const page = listPage(bucket.keys, { prefix, delimiter, after, maxKeys });
      const encode = encoder(input.EncodingType);
      const head = {
        Name: bucket.facts.name,
        Prefix: encode(prefix),
        StartAfter: StartAfter === undefined ? undefined : encode(StartAfter),
        ContinuationToken,
        NextContinuationToken: page.next && encodeToken(page.next),
        KeyCount: page.keys.length + page.commonPrefixes.length,
        MaxKeys: maxKeys,
        Delimiter: delimiter === '' ? undefined : encode(delimiter),
        EncodingType: input.EncodingType,
        IsTruncated: page.next !== undefined,
      };
      const owner = input.FetchOwner ? accountId : undefined;
      return xml(writeListReply(bucket, page, head, { encode, owner }));
    },

    async ListObjects(input: ListObjectsCommandInput) {
      const bucket = await find(input);
      const { Prefix: prefix = '', Delimiter: delimiter = '', Marker: after = '' } = input;
      const maxKeys = pageSize('max-keys', input.MaxKeys);
      const page = listPage(bucket.keys, { prefix, delimiter, after, maxKeys });
      const encode = encoder(input.EncodingType);
      const head = {
        Name: bucket.facts.name,
        Prefix: encode(prefix),
        Marker: encode(after),
        // Only with a delimiter: without one, the last key says the same (ListObjects, "NextMarker").
        NextMarker: page.next !== undefined && delimiter !== '' ? encode(page.next) : undefined,
        MaxKeys: maxKeys,
        Delimiter: delimiter === '' ? undefined : encode(delimiter),
        EncodingType: input.EncodingType,
        IsTruncated: page.next !== undefined,
      };
      return xml(writeListReply(bucket, page, head, { encode, owner: accountId }));
    },

    async ListParts(input: ListPartsCommandInput) {
      const upload = findUpload(await find(input), input);
      const maxParts = pageSize('max-parts', input.MaxParts);
      const after = Number(input.PartNumberMarker ?? 0);
      const parts = [...upload.parts.values()]
        .filter(({ number }) => number > after)
        .sort((a, b) => a.number - b.number);
      const page = parts.slice(0, maxParts);
      const { algorithm, type } = upload.record.checksum;
      return {
        Bucket: input.Bucket,
        Key: input.Key,
        UploadId: input.UploadId,
        PartNumberMarker: input.PartNumberMarker ?? '0',
        NextPartNumberMarker: String(page.at(-1)?.number ?? 0),
        MaxParts: maxParts,
        IsTruncated: parts.length > page.length,
        StorageClass: 'STANDARD',
        ChecksumAlgorithm: algorithm,
        ChecksumType: type,
        Parts: page.map((part) => ({
          PartNumber: part.number,
          LastModified: new Date(part.modified),
          ETag: quoted(part.etag),
          Size: part.bytes,
          ...(part.checksum !== undefined && { [`Checksum${algorithm}`]: part.checksum }),
        })),
      };
    },

    async ListMultipartUploads(input: ListMultipartUploadsCommandInput) {
      const bucket = await find(input);
      return listUploads([...bucket.uploads], input);
    },
  };
}

/** Uploads are few: a page is filtered out of all of them, sorted by key and then by the time they began. */
function listUploads(all: readonly Upload[], input: ListMultipartUploadsCommandInput) {
  const { Prefix = '', Delimiter = '', KeyMarker = '', UploadIdMarker } = input;
  const maxUploads = pageSize('max-uploads', input.MaxUploads);
  const sorted = all
    .filter(({ record }) => record.key.startsWith(Prefix))
    .sort((a, b) => compareKeys(a.record.key, b.record.key) || a.record.initiated - b.record.initiated);
  const marked = sorted.findIndex(({ id, record }) => id === UploadIdMarker && record.key === KeyMarker);
  const rest = sorted.filter(({ record }, index) => {
    if (marked >= 0) return index > marked;
    return KeyMarker === '' || compareKeys(record.key, KeyMarker) > 0;
  });
  const rollUp = ({ record }: Upload) => {
    const end = Delimiter === '' ? -1 : record.key.indexOf(Delimiter, Prefix.length);
    return end < 0 ? undefined : record.key.slice(0, end + Delimiter.length);
  };
  const groups = new Set<string>();
  const page: Upload[] = [];
  let last: Upload | undefined;
  let isTruncated = false;
  for (const upload of rest) {
    const group = rollUp(upload);
    if (group !== undefined && (groups.has(group) || compareKeys(group, KeyMarker) <= 0)) continue;
    isTruncated = groups.size + page.length >= maxUploads;
    if (isTruncated) break;
    if (group === undefined) page.push(upload);
    else groups.add(group);
    last = upload;
  }
  const encode = encoder(input.EncodingType);
  const lastGroup = last && rollUp(last);
  return {
    Bucket: input.Bucket,
    Prefix: encode(Prefix),
    Delimiter: Delimiter === '' ? undefined : encode(Delimiter),
    KeyMarker: encode(KeyMarker),
    UploadIdMarker,
    NextKeyMarker: isTruncated && last ? encode(lastGroup ?? last.record.key) : undefined,
    NextUploadIdMarker: isTruncated && last && lastGroup === undefined ? last.id : undefined,
    MaxUploads: maxUploads,
    EncodingType: input.EncodingType,
    IsTruncated: isTruncated,
    CommonPrefixes: [...groups].map((group) => ({ Prefix: encode(group) })),
    Uploads: page.map(({ id, record }) => ({
      UploadId: id,
      Key: encode(record.key),
      Initiated: new Date(record.initiated),
      StorageClass: 'STANDARD',
      ChecksumAlgorithm: record.checksum.algorithm,
      ChecksumType: record.checksum.type,
    })),
  };
}

function pageSize(name: string, wanted = MAX_PAGE): number {
  if (Number.isInteger(wanted) && wanted >= 0 && wanted <= 2 ** 31 - 1) return Math.min(wanted, MAX_PAGE);
  throw invalidArgument(name, wanted, `Argument ${name} must be an integer between 0 and 2147483647`);
}

function encoder(type: string | undefined): (text: string) => string {
  if (type === undefined) return (text) => text;
  if (type === 'url') return encodeKey;
  throw invalidArgument('encoding-type', type, 'Invalid Encoding Method specified in Request');
}

/** The last key or common prefix, with a mark that tells a token from any other text. */
function encodeToken(last: string): string {
  return Buffer.from(`1:${last}`).toString('base64url');
}

function decodeToken(token: string): string {
  const text = Buffer.from(token, 'base64url').toString();
  if (text.startsWith('1:')) return text.slice(2);
  throw invalidArgument('continuation-token', token, 'The continuation token provided is incorrect');
}

function xml(body: string): RawReply {
  return new RawReply(body, 'application/xml');
}
