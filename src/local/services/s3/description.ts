import type { IncomingHttpHeaders } from 'node:http';
import { ServiceError } from '../../protocol/service.js';
import { decodeHeader } from '../../protocol/target.js';
import type { ContentHeaders, Description } from './record.js';
import { parseTagging } from './tags.js';

/** S3's default for objects that come without a type. */
const DEFAULT_CONTENT_TYPE = 'binary/octet-stream';
const MAX_METADATA_BYTES = 2048;

/** What a request says of the object that it makes. */
export function parseDescription(
  headers: IncomingHttpHeaders,
  input: { readonly Metadata?: Record<string, string> | undefined; readonly Tagging?: string | undefined },
): Description {
  const metadata = input.Metadata ?? {};
  const bytes = Object.entries(metadata).reduce((sum, [name, value]) => sum + Buffer.byteLength(name + value), 0);
  if (bytes > MAX_METADATA_BYTES) {
    throw new ServiceError('MetadataTooLarge', 400, 'Your metadata headers exceed the maximum allowed metadata size', {
      fields: { Size: bytes, MaxSizeAllowed: MAX_METADATA_BYTES },
    });
  }
  return { headers: contentHeaders(headers), metadata, tags: parseTagging(input.Tagging) };
}

/** Taken from the request as they are: the schemas would read a date where S3 keeps any text. */
function contentHeaders(headers: IncomingHttpHeaders): ContentHeaders {
  const text = (name: string) => {
    const value = headers[name];
    return typeof value === 'string' && value !== '' ? decodeHeader(value) : undefined;
  };
  // The transfer's own framing is no encoding of the object.
  const encoding = text('content-encoding')
    ?.split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== 'aws-chunked' && coding !== '')
    .join(',');
  const given = {
    contentType: text('content-type') ?? DEFAULT_CONTENT_TYPE,
    cacheControl: text('cache-control'),
    contentDisposition: text('content-disposition'),
    contentEncoding: encoding === '' ? undefined : encoding,
    contentLanguage: text('content-language'),
    expires: text('expires'),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
