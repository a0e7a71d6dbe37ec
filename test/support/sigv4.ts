import { createHash, createHmac } from 'node:crypto';

/** A signer of our own for requests that no SDK would send: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html */
export interface Signing {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

export interface Signable {
  readonly method: string;
  /** Path and query, percent-encoded, the query sorted. */
  readonly path: string;
  readonly host: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly payloadHash: string;
}

const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
export const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');

function parts({ secretAccessKey, region, accessKeyId }: Signing) {
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const day = date.slice(0, 8);
  const scope = `${day}/${region}/s3/aws4_request`;
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`);
  return { date, scope, key, credential: `${accessKeyId}/${scope}` };
}

/** The headers of a signed request, and the signatures of its chunks. */
export function signRequest(signing: Signing, { method, path, host, headers = {}, payloadHash }: Signable) {
  const { date, scope, key, credential } = parts(signing);
  const all: Record<string, string> = { ...headers, host, 'x-amz-date': date, 'x-amz-content-sha256': payloadHash };
  const names = Object.keys(all).sort();
  const [pathname = '', query = ''] = path.split('?');
  const canonicalHeaders = names.map((name) => `${name}:${all[name]}\n`).join('');
  const canonical = [method, pathname, query, canonicalHeaders, names.join(';'), payloadHash].join('\n');
  const signature = hmac(key, ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')).toString('hex');
  let previous = signature;
  const continueWith = (kind: string, ...hashes: string[]) => {
    previous = hmac(key, [kind, date, scope, previous, ...hashes].join('\n')).toString('hex');
    return previous;
  };
  return {
    headers: {
      ...all,
      authorization: `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=${names.join(';')},Signature=${signature}`,
    },
    signChunk: (data: Buffer) => continueWith('AWS4-HMAC-SHA256-PAYLOAD', sha256(''), sha256(data)),
    signTrailer: (text: string) => continueWith('AWS4-HMAC-SHA256-TRAILER', sha256(text)),
  };
}

/** A URL that carries its own signature. */
export function presign(signing: Signing, method: string, url: string, more: Record<string, string> = {}): string {
  const { date, scope, key, credential } = parts(signing);
  const { host, pathname, origin } = new URL(url);
  const query = Object.entries({
    ...more,
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': credential,
    'X-Amz-Date': date,
    'X-Amz-Expires': more['X-Amz-Expires'] ?? '60',
    'X-Amz-SignedHeaders': 'host',
  })
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .sort()
    .join('&');
  const canonical = [method, pathname, query, `host:${host}\n`, 'host', 'UNSIGNED-PAYLOAD'].join('\n');
  const signature = hmac(key, ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')).toString('hex');
  return `${origin}${pathname}?${query}&X-Amz-Signature=${signature}`;
}
