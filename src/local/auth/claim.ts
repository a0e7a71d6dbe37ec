import type { IncomingHttpHeaders } from 'node:http';
import type { RequestTarget } from '../protocol/target.js';
import { AuthenticationError } from './errors.js';

/** What a request says of its own signature: read, and not yet believed. */
export interface SignatureClaim {
  readonly accessKeyId: string;
  /** `YYYYMMDD`, as in the credential's scope. */
  readonly day: string;
  readonly region: string;
  /** The signing name of the service that the request is for. */
  readonly service: string;
  /** `YYYYMMDD'T'HHMMSS'Z'`. */
  readonly date: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly sessionToken: string | undefined;
  /** Lifetime in seconds of a presigned URL; undefined when the signature came in the Authorization header. */
  readonly expiresSeconds: number | undefined;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';

/** Reads the claim from the Authorization header or from the query of a presigned URL. @throws AuthenticationError */
export function readClaim(target: RequestTarget, headers: IncomingHttpHeaders): SignatureClaim {
  const presigned = target.parameters.has('X-Amz-Algorithm') || target.parameters.has('X-Amz-Signature');
  if (headers.authorization === undefined) {
    if (presigned) return fromQuery(target.parameters);
    throw new AuthenticationError('missing', 'The request carries no signature');
  }
  if (presigned) throw new AuthenticationError('malformed', 'Only one auth mechanism allowed: header or query');
  return fromHeader(headers.authorization, headers);
}

function fromHeader(authorization: string, headers: IncomingHttpHeaders): SignatureClaim {
  if (!authorization.startsWith(`${ALGORITHM} `)) {
    throw new AuthenticationError(
      'malformed',
      `The authorization mechanism is not supported. Please use ${ALGORITHM}.`,
    );
  }
  const parts = new Map(
    authorization
      .slice(ALGORITHM.length + 1)
      .split(',')
      .map((part): [string, string] => {
        const equals = part.indexOf('=');
        return [part.slice(0, equals).trim(), part.slice(equals + 1).trim()];
      }),
  );
  return {
    ...scope(parts.get('Credential')),
    date: timestamp(text(headers['x-amz-date']) ?? ''),
    signedHeaders: names(parts.get('SignedHeaders')),
    signature: signature(parts.get('Signature')),
    sessionToken: text(headers['x-amz-security-token']),
    expiresSeconds: undefined,
  };
}

function fromQuery(parameters: ReadonlyMap<string, string>): SignatureClaim {
  if (parameters.get('X-Amz-Algorithm') !== ALGORITHM) {
    throw new AuthenticationError('malformed-query', `X-Amz-Algorithm only supports "${ALGORITHM}"`);
  }
  const expiresSeconds = Number(parameters.get('X-Amz-Expires') ?? Number.NaN);
  // A week, as the signing key itself lives no longer.
  if (!(expiresSeconds > 0 && expiresSeconds <= 604_800)) {
    throw new AuthenticationError('malformed-query', 'X-Amz-Expires must be a number of seconds from 1 to 604800');
  }
  return {
    ...scope(parameters.get('X-Amz-Credential')),
    date: timestamp(parameters.get('X-Amz-Date') ?? ''),
    signedHeaders: names(parameters.get('X-Amz-SignedHeaders')),
    signature: signature(parameters.get('X-Amz-Signature')),
    sessionToken: parameters.get('X-Amz-Security-Token'),
    expiresSeconds,
  };
}

function scope(credential: string | undefined) {
  const match = /^([\w+=,.@-]{1,128})\/(\d{8})\/([\w-]+)\/([\w-]+)\/aws4_request$/.exec(credential ?? '');
  if (!match) {
    const expected = 'expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request"';
    throw new AuthenticationError('malformed', `The Credential is malformed; ${expected}`);
  }
  const [, accessKeyId = '', day = '', region = '', service = ''] = match;
  return { accessKeyId, day, region, service };
}

function timestamp(value: string): string {
  if (/^\d{8}T\d{6}Z$/.test(value)) return value;
  throw new AuthenticationError('missing', 'AWS authentication requires a valid Date or x-amz-date header');
}

function names(value: string | undefined): readonly string[] {
  const list = (value ?? '')
    .toLowerCase()
    .split(';')
    .filter((name) => name !== '');
  if (!list.includes('host')) throw new AuthenticationError('malformed', 'The header host must be signed');
  return list;
}

function signature(value: string | undefined): string {
  if (value !== undefined && /^[0-9a-f]{64}$/.test(value)) return value;
  throw new AuthenticationError('malformed', 'The Signature is missing or malformed');
}

function text(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}
