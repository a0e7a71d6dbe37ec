import { corrupt, type SparseMap } from './header.js';

/**
 * Records of a PAX extended header: `<length> <key>=<value>\n`, the length in decimal counting all of it (POSIX.1-2017,
 * "pax Header Block"). Keys and values are byte strings. GNU's sparse format 0.0 repeats its keys, so order is kept.
 */
export function parsePax(body: Buffer): [key: string, value: string][] {
  const records: [string, string][] = [];
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(0x20, at);
    const digits = space < 0 ? '' : body.toString('latin1', at, space);
    const length = /^[0-9]{1,10}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (length < digits.length + 4 || end > body.length || body[end - 1] !== 0x0a) {
      throw corrupt('a PAX record has a wrong length');
    }
    const equals = body.indexOf(0x3d, space);
    if (equals < 0 || equals >= end) throw corrupt('a PAX record has no "="');
    records.push([body.toString('latin1', space + 1, equals), body.toString('latin1', equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

/** What PAX records say about the entry that follows them. */
export interface PaxAttributes {
  path?: string;
  linkPath?: string;
  size?: number;
  mtime?: number;
  sparse?: SparseMap;
  /** GNU's sparse format 1.0: the map stands before the content. */
  sparseMapInContent?: boolean;
}

/** Reads the records that matter to a layer; owners, extended attributes and comments are passed over. */
export function paxAttributes(records: readonly (readonly [string, string])[]): PaxAttributes {
  const last = new Map(records);
  const attributes: PaxAttributes = {};
  const path = last.get('GNU.sparse.name') || last.get('path');
  const linkPath = last.get('linkpath');
  const size = last.get('size');
  const mtime = last.get('mtime');
  if (path) attributes.path = path;
  if (linkPath) attributes.linkPath = linkPath;
  if (size) attributes.size = decimal(size, 'size');
  if (mtime && Number.isFinite(Number(mtime))) attributes.mtime = Number(mtime);
  if (last.get('GNU.sparse.major') === '1' && last.get('GNU.sparse.minor') === '0') {
    attributes.sparseMapInContent = true;
    attributes.sparse = { size: decimal(last.get('GNU.sparse.realsize'), 'sparse size'), segments: [] };
  } else if (last.has('GNU.sparse.size')) {
    attributes.sparse = { size: decimal(last.get('GNU.sparse.size'), 'sparse size'), segments: oldSegments(records) };
  }
  return attributes;
}

/** GNU's formats 0.1 (one list, `offset,length,...`) and 0.0 (a pair of records for each segment). */
function oldSegments(records: readonly (readonly [string, string])[]): SparseMap['segments'] {
  const numbers: number[] = [];
  for (const [key, value] of records) {
    if (key === 'GNU.sparse.map') numbers.push(...value.split(',').map((item) => decimal(item, 'sparse map')));
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') numbers.push(decimal(value, 'sparse map'));
  }
  return pairs(numbers);
}

/** Offsets and lengths that take turns. */
export function pairs(numbers: readonly number[]): SparseMap['segments'] {
  if (numbers.length % 2 !== 0) throw corrupt('a sparse map has an offset without a length');
  const segments: SparseMap['segments'] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    segments.push({ offset: numbers[i] ?? 0, length: numbers[i + 1] ?? 0 });
  }
  return segments;
}

/** A number in decimal digits, at most 2^53. */
export function decimal(digits: string | undefined, field: string): number {
  const value = digits !== undefined && /^[0-9]{1,16}$/.test(digits) ? Number(digits) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw corrupt(`the ${field} of a PAX header is not a number`);
  return value;
}
