import { ServiceError } from './service.js';

/** Where a request is aimed at: its path and query as they came, and decoded once. */
export interface RequestTarget {
  /** The path as it came: never normalised, as a key may be `..` or hold empty segments. */
  readonly rawPath: string;
  readonly query: readonly (readonly [name: string, value: string])[];
  /** The first value of each parameter. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Splits a request's URL. @throws ServiceError `InvalidURI` for a percent sign that encodes nothing. */
export function parseTarget(url: string): RequestTarget {
  // An absolute form (RFC 9112 section 3.2.2) may come from a proxy.
  const origin = /^https?:\/\/[^/?]*/i.exec(url);
  const relative = origin ? url.slice(origin[0].length) : url;
  const mark = relative.indexOf('?');
  const rawPath = (mark < 0 ? relative : relative.slice(0, mark)) || '/';
  const query = mark < 0 ? [] : parseQuery(relative.slice(mark + 1));
  const parameters = new Map<string, string>();
  for (const [name, value] of query) if (!parameters.has(name)) parameters.set(name, value);
  return { rawPath, query, parameters };
}

function parseQuery(text: string): [string, string][] {
  return text
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=');
      const [name, value] = equals < 0 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)];
      return [decode(name.replaceAll('+', ' ')), decode(value.replaceAll('+', ' '))];
    });
}

/** Percent-decoding as UTF-8. @throws ServiceError `InvalidURI` when that is impossible. */
export function decode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ServiceError('InvalidURI', 400, "Couldn't parse the specified URI.");
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The text of a header: node:http reads its bytes as Latin-1, most clients mean UTF-8. */
export function decodeHeader(header: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
  if (/^[\x00-\x7f]*$/.test(header)) return header;
  try {
    return utf8.decode(Buffer.from(header, 'latin1'));
  } catch {
    return header;
  }
}
