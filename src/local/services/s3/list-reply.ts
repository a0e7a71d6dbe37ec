import { escapeXml } from '../../protocol/reply.js';
import type { Bucket } from './bucket.js';
import type { Page } from './list-page.js';
import type { ObjectRecord } from './record.js';

interface ListReplyOptions {
  readonly encode: (text: string) => string;
  /** The owner's ID, when it was asked for. */
  readonly owner: string | undefined;
}

/**
 * The document of a listing, written by hand: by way of the schemas a page of 1,000 keys takes 4.5 ms, like this 0.5.
 *
 * @param head - elements before the keys; those that are undefined are left out
 */
export function writeListReply(
  bucket: Bucket,
  page: Page,
  head: Readonly<Record<string, string | number | boolean | undefined>>,
  { encode, owner }: ListReplyOptions,
): string {
  const ownerElement = owner === undefined ? '' : `<Owner><ID>${owner}</ID></Owner>`;
  const parts = [
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
  ];
  for (const [name, value] of Object.entries(head)) {
    if (value !== undefined) parts.push(`<${name}>${escapeXml(String(value))}</${name}>`);
  }
  for (const key of page.keys) {
    const record = bucket.get(key);
    if (record) parts.push(writeObject(escapeXml(encode(key)), record, ownerElement));
  }
  for (const prefix of page.commonPrefixes) {
    parts.push(`<CommonPrefixes><Prefix>${escapeXml(encode(prefix))}</Prefix></CommonPrefixes>`);
  }
  parts.push('</ListBucketResult>');
  return parts.join('');
}

function writeObject(key: string, { modified, etag, checksum, bytes }: ObjectRecord, owner: string): string {
  const checked = checksum
    ? `<ChecksumAlgorithm>${checksum.algorithm}</ChecksumAlgorithm><ChecksumType>${checksum.type}</ChecksumType>`
    : '';
  const about = `<LastModified>${new Date(modified).toISOString()}</LastModified><ETag>&quot;${etag}&quot;</ETag>`;
  return `<Contents><Key>${key}</Key>${about}${checked}<Size>${bytes}</Size><StorageClass>STANDARD</StorageClass>${owner}</Contents>`;
}
