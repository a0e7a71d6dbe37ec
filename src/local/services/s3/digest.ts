import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { type ChecksumAlgorithm, createChecksum } from '../../protocol/checksum.js';
import type { OperationContext } from '../../protocol/service.js';
import type { BlobStore } from './blob-store.js';
import { invalidRequest } from './errors.js';
import type { Blob } from './record.js';

/** What S3 computes where a client gives no checksum. */
export const DEFAULT_CHECKSUM: ChecksumAlgorithm = 'CRC64NVME';

/** Data that has been stored, with what was computed of it on the way. */
export interface StoredData {
  readonly blobs: readonly Blob[];
  readonly bytes: number;
  /** MD5 in hex. */
  readonly etag: string;
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string };
}

/**
 * Stores a request's body. Its checksum is the one that the client gave, if any: that has been verified when the body has
 * ended; else it is computed, by the given algorithm.
 */
export async function storeBody(
  blobs: BlobStore,
  body: Readable,
  context: OperationContext,
  algorithm: ChecksumAlgorithm = DEFAULT_CHECKSUM,
): Promise<StoredData> {
  const declared = declaresChecksum(context);
  const stored = await storeData(blobs, body, declared ? undefined : algorithm);
  const [given] = Object.entries(context.checksums) as [ChecksumAlgorithm, string][];
  const checksum = given ? { algorithm: given[0], value: given[1] } : stored.checksum;
  if (!checksum) throw invalidRequest('The checksum that the request announced did not come');
  return { ...stored, checksum };
}

function declaresChecksum({ request }: OperationContext): boolean {
  const { headers } = request;
  if (headers['x-amz-trailer'] !== undefined) return true;
  return Object.keys(headers).some((name) => /^x-amz-checksum-(?!algorithm|type|mode)/.test(name));
}

/** Stores data that comes from elsewhere, computing its MD5 and, if asked for, its checksum. */
export async function storeData(
  blobs: BlobStore,
  source: AsyncIterable<Buffer>,
  algorithm: ChecksumAlgorithm | undefined,
): Promise<Omit<StoredData, 'checksum'> & Partial<Pick<StoredData, 'checksum'>>> {
  const md5 = createHash('md5');
  const checksum = algorithm && createChecksum(algorithm);
  const written = await blobs.write(source, (chunk) => {
    md5.update(chunk);
    checksum?.update(chunk);
  });
  return {
    blobs: written,
    bytes: written.reduce((sum, [, bytes]) => sum + bytes, 0),
    etag: md5.digest('hex'),
    ...(algorithm && checksum && { checksum: { algorithm, value: checksum.digest().toString('base64') } }),
  };
}

/** MD5 and checksum of data that is stored already. */
export async function digestBlobs(
  blobs: BlobStore,
  record: { readonly blobs: readonly Blob[]; readonly bytes: number },
  algorithm: ChecksumAlgorithm,
): Promise<Pick<StoredData, 'etag' | 'checksum'>> {
  const md5 = createHash('md5');
  const checksum = createChecksum(algorithm);
  const data = record.bytes === 0 ? Buffer.alloc(0) : blobs.read(record.blobs, { first: 0, last: record.bytes - 1 });
  for await (const chunk of Buffer.isBuffer(data) ? [data] : data) {
    md5.update(chunk);
    checksum.update(chunk);
  }
  return { etag: md5.digest('hex'), checksum: { algorithm, value: checksum.digest().toString('base64') } };
}
