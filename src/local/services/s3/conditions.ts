import { ServiceError } from '../../protocol/service.js';
import type { Precondition } from './bucket.js';
import { noSuchKey, notImplemented, preconditionFailed } from './errors.js';
import type { ObjectRecord } from './record.js';

/** Conditions on reading an object, or the source of a copy. */
export interface ReadConditions {
  readonly IfMatch?: string | undefined;
  readonly IfNoneMatch?: string | undefined;
  readonly IfModifiedSince?: Date | undefined;
  readonly IfUnmodifiedSince?: Date | undefined;
}

/**
 * The order of RFC 9110 section 13.2.2: entity tags go before dates of the same sense.
 *
 * @throws ServiceError 304 for a client that has the object already, unless `copying`; 412 for any other that fails
 */
export function checkReadConditions(record: ObjectRecord, conditions: ReadConditions, copying = false): void {
  const { IfMatch, IfNoneMatch, IfModifiedSince, IfUnmodifiedSince } = conditions;
  // Dates in headers have whole seconds.
  const modified = Math.floor(record.modified / 1000) * 1000;
  if (IfMatch !== undefined) {
    if (!matches(IfMatch, record.etag)) throw preconditionFailed('If-Match');
  } else if (IfUnmodifiedSince && modified > IfUnmodifiedSince.getTime())
    throw preconditionFailed('If-Unmodified-Since');
  if (IfNoneMatch !== undefined) {
    if (matches(IfNoneMatch, record.etag)) throw copying ? preconditionFailed('If-None-Match') : notModified(record);
  } else if (IfModifiedSince && modified <= IfModifiedSince.getTime()) {
    throw copying ? preconditionFailed('If-Modified-Since') : notModified(record);
  }
}

/**
 * Conditions on writing: `If-None-Match: *` creates only, `If-Match` replaces that version only (S3 user guide, "How to
 * prevent object overwrites with conditional writes").
 */
export function writePrecondition(
  key: string,
  { IfMatch, IfNoneMatch }: { readonly IfMatch?: string | undefined; readonly IfNoneMatch?: string | undefined },
): Precondition {
  if (IfNoneMatch !== undefined && IfNoneMatch !== '*')
    throw notImplemented('If-None-Match on a write with anything but *');
  return (current) => {
    if (IfNoneMatch !== undefined && current) throw preconditionFailed('If-None-Match');
    if (IfMatch === undefined) return;
    if (!current) throw noSuchKey(key);
    if (!matches(IfMatch, current.etag)) throw preconditionFailed('If-Match');
  };
}

/** Whether a list of entity tags holds one. */
export function matches(list: string, etag: string): boolean {
  return list.split(',').some((item) => {
    const tag = item
      .trim()
      .replace(/^W\//, '')
      .replace(/^"(.*)"$/, '$1');
    return tag === '*' || tag === etag;
  });
}

function notModified(record: ObjectRecord): ServiceError {
  const headers = { etag: `"${record.etag}"`, 'last-modified': new Date(record.modified).toUTCString() };
  return new ServiceError('NotModified', 304, 'Not Modified', { headers });
}
