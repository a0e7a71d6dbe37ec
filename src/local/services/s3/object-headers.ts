import type { ByteRange } from './blob-store.js';
import type { ObjectRecord, StoredChecksum } from './record.js';

/** The members of replies to GET and HEAD that describe the object. */
export function describeObject(record: ObjectRecord): Record<string, unknown> {
  const { headers } = record;
  const tags = Object.keys(record.tags).length;
  return {
    AcceptRanges: 'bytes',
    ETag: quoted(record.etag),
    LastModified: new Date(record.modified),
    ContentLength: record.bytes,
    ContentType: headers.contentType,
    CacheControl: headers.cacheControl,
    ContentDisposition: headers.contentDisposition,
    ContentEncoding: headers.contentEncoding,
    ContentLanguage: headers.contentLanguage,
    Expires: headers.expires,
    Metadata: record.metadata,
    TagCount: tags > 0 ? tags : undefined,
  };
}

/** The members that give an object's checksum: `ChecksumCRC32` and the like. */
export function checksumMembers(checksum: StoredChecksum | undefined): Record<string, string> {
  return checksum ? { [`Checksum${checksum.algorithm}`]: checksum.value, ChecksumType: checksum.type } : {};
}

export function quoted(etag: string): string {
  return `"${etag}"`;
}

export function contentRange({ first, last }: ByteRange, bytes: number): string {
  return `bytes ${first}-${last}/${bytes}`;
}
