import { ServiceError } from '../../protocol/service.js';
import type { ByteRange } from './blob-store.js';

/**
 * The bytes that a Range header asks for (RFC 9110 section 14.1.2); undefined when it is none that S3 serves (several
 * ranges, other units, wrong syntax): such a header is ignored.
 *
 * @throws ServiceError `InvalidRange` when the object has no such bytes
 */
export function parseRange(header: string | undefined, bytes: number): ByteRange | undefined {
  const match = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/.exec(header ?? '');
  if (!match) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '' && to === '') return undefined;
  if (from === '') {
    const suffix = Number(to);
    if (suffix === 0 || bytes === 0) throw invalidRange(header ?? '', bytes);
    return { first: Math.max(0, bytes - suffix), last: bytes - 1 };
  }
  const first = Number(from);
  if (to !== '' && Number(to) < first) return undefined;
  if (first >= bytes) throw invalidRange(header ?? '', bytes);
  return { first, last: to === '' ? bytes - 1 : Math.min(Number(to), bytes - 1) };
}

function invalidRange(header: string, bytes: number): ServiceError {
  return new ServiceError('InvalidRange', 416, 'The requested range is not satisfiable', {
    fields: { RangeRequested: header, ActualObjectSize: bytes },
    headers: { 'content-range': `bytes */${bytes}` },
  });
}
