import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { ChunkSigner } from '../protocol/aws-chunked.js';
import { decode, type RequestTarget } from '../protocol/target.js';
import type { SignatureClaim } from './claim.js';
import type { Credentials } from './credentials.js';
import { AuthenticationError } from './errors.js';

/** A request as far as its signature covers it. */
export interface SignedRequest {
  readonly method: string;
  readonly target: RequestTarget;
  readonly headers: IncomingHttpHeaders;
  /** `x-amz-content-sha256`, or the hash of the body where a service does without that header. */
  readonly payloadHash: string;
}

/** AWS's rule: a request is refused when its date is more than 15 minutes off. */
const MAX_SKEW_MS = 15 * 60_000;
const EMPTY_SHA256 = createHash('sha256').digest('hex');

/**
 * Verifies Signature Version 4 (AWS Signature Version 4 for API requests, "Create a signed AWS API request") against the
 * engine's credentials. One instance per engine: signing keys are derived once per key, day, Region and service.
 */
export class SignatureVerifier {
  private readonly signingKeys = new Map<string, Buffer>();

  constructor(
    private readonly credentials: Pick<Credentials, 'find'>,
    private readonly region: string,
    private readonly now: () => number = Date.now,
  ) {}

  /**
   * Returns what continues the signature over the chunks of the body.
   *
   * @throws AuthenticationError when the request was not signed by whom it says, for here, and now
   */
  verify(claim: SignatureClaim, request: SignedRequest): ChunkSigner {
    const pair = this.credentials.find(claim.accessKeyId);
    if (!pair) {
      throw new AuthenticationError(
        'unknown-key',
        'The AWS Access Key Id you provided does not exist in our records.',
        {
          AWSAccessKeyId: claim.accessKeyId,
        },
      );
    }
    if (claim.sessionToken !== pair.sessionToken) {
      throw new AuthenticationError('wrong-token', 'The provided token is malformed or otherwise invalid.');
    }
    this.checkDate(claim);
    this.checkScope(claim);
    if (claim.service === 's3') checkSignedHeaders(claim, request.headers);

    const key = this.signingKey(pair.secretAccessKey, claim);
    const scope = `${claim.day}/${claim.region}/${claim.service}/aws4_request`;
    const canonical = canonicalRequest(claim, request);
    // Header bytes beyond ASCII: some clients sign what they send, some the text that they mean.
    const matches = [...new Set([Buffer.from(canonical, 'utf8'), ...alternative(canonical)])].some((bytes) => {
      const hash = createHash('sha256').update(bytes).digest('hex');
      const signature = hmac(key, `AWS4-HMAC-SHA256\n${claim.date}\n${scope}\n${hash}`);
      return timingSafeEqual(signature, Buffer.from(claim.signature, 'hex'));
    });
    if (!matches) {
      throw new AuthenticationError(
        'wrong-signature',
        'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
        { AWSAccessKeyId: claim.accessKeyId },
      );
    }
    return chunkSigner(key, claim, scope);
  }

  private checkDate(claim: SignatureClaim): void {
    const now = this.now();
    const signedAt = Date.parse(claim.date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
    if (claim.expiresSeconds !== undefined) {
      if (now > signedAt + claim.expiresSeconds * 1000) throw new AuthenticationError('expired', 'Request has expired');
      if (signedAt > now + MAX_SKEW_MS) throw new AuthenticationError('expired', 'Request is not valid yet');
    } else if (!(Math.abs(now - signedAt) <= MAX_SKEW_MS)) {
      throw new AuthenticationError(
        'skewed',
        'The difference between the request time and the current time is too large.',
        {
          RequestTime: claim.date,
          ServerTime: new Date(now).toISOString(),
          MaxAllowedSkewMilliseconds: `${MAX_SKEW_MS}`,
        },
      );
    }
    if (!claim.date.startsWith(claim.day)) {
      throw new AuthenticationError(
        'wrong-scope',
        `Invalid credential date "${claim.day}"; the request is of ${claim.date}`,
      );
    }
  }

  private checkScope(claim: SignatureClaim): void {
    if (claim.region === this.region) return;
    throw new AuthenticationError(
      'wrong-scope',
      `The authorization header is malformed; the region '${claim.region}' is wrong; expecting '${this.region}'`,
      { Region: this.region },
    );
  }

  private signingKey(secretAccessKey: string, { accessKeyId, day, region, service }: SignatureClaim): Buffer {
    const name = `${accessKeyId}/${day}/${region}/${service}`;
    let key = this.signingKeys.get(name);
    if (!key) {
      const ofDay = hmac(Buffer.from(`AWS4${secretAccessKey}`), day);
      key = hmac(hmac(hmac(ofDay, region), service), 'aws4_request');
      // Sessions come and go with execution environments.
      if (this.signingKeys.size >= 4096) this.signingKeys.clear();
      this.signingKeys.set(name, key);
    }
    return key;
  }
}

/** S3's rule: what the request says in `x-amz-` headers must be under the signature. */
function checkSignedHeaders(claim: SignatureClaim, headers: IncomingHttpHeaders): void {
  const unsigned = Object.keys(headers).find(
    (name) => name.startsWith('x-amz-') && !claim.signedHeaders.includes(name),
  );
  if (unsigned === undefined) return;
  // A presigned URL's payload hash is no part of what was signed.
  if (claim.expiresSeconds !== undefined && unsigned === 'x-amz-content-sha256') return;
  throw new AuthenticationError('unsigned-header', 'There were headers present in the request which were not signed', {
    HeadersNotSigned: unsigned,
  });
}

function canonicalRequest(claim: SignatureClaim, { method, target, headers, payloadHash }: SignedRequest): string {
  // S3 signs the path once encoded; every other service encodes what is on the wire once more.
  const path = claim.service === 's3' ? encodePath(decode(target.rawPath)) : encodePath(target.rawPath);
  const query = target.query
    .filter(([name]) => claim.expiresSeconds === undefined || name !== 'X-Amz-Signature')
    .map(([name, value]): [string, string] => [encode(name), encode(value)])
    .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  const signed = claim.signedHeaders.map((name) => `${name}:${canonicalHeader(headers[name])}\n`).join('');
  return `${method}\n${path}\n${query}\n${signed}\n${claim.signedHeaders.join(';')}\n${payloadHash}`;
}

function canonicalHeader(value: string | string[] | undefined): string {
  const text = Array.isArray(value) ? value.join(',') : (value ?? '');
  return text.trim().replace(/\s+/g, ' ');
}

function alternative(canonical: string): Buffer[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
  return /^[\x00-\x7f]*$/.test(canonical) ? [] : [Buffer.from(canonical, 'latin1')];
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function encodePath(path: string): string {
  return path.split('/').map(encode).join('/');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function chunkSigner(key: Buffer, claim: SignatureClaim, scope: string): ChunkSigner {
  let previous = claim.signature;
  const next = (kind: string, hashes: string) => {
    previous = hmac(key, `${kind}\n${claim.date}\n${scope}\n${previous}\n${hashes}`).toString('hex');
    return previous;
  };
  return {
    chunk: (payloadHash) => next('AWS4-HMAC-SHA256-PAYLOAD', `${EMPTY_SHA256}\n${payloadHash}`),
    trailer: (trailerHash) => next('AWS4-HMAC-SHA256-TRAILER', trailerHash),
  };
}
