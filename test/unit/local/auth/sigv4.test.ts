import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, it } from 'vitest';
import { readClaim } from '../../../../src/local/auth/claim.js';
import { SignatureVerifier } from '../../../../src/local/auth/sigv4.js';
import { AwsChunkedDecoder } from '../../../../src/local/protocol/aws-chunked.js';
import { parseTarget } from '../../../../src/local/protocol/target.js';

// The examples of AWS's own documentation: "Signature calculations for the Authorization header", "... : transferring a
// payload in multiple chunks", and "Authenticating requests: using query parameters" (Amazon S3 API reference).
const pair = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
const then = Date.parse('2013-05-24T00:00:00Z');
const scope = 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request';
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

function verify(method: string, url: string, headers: IncomingHttpHeaders, now = then) {
  const target = parseTarget(url);
  const verifier = new SignatureVerifier(
    { find: (id) => (id === pair.accessKeyId ? pair : undefined) },
    'us-east-1',
    () => now,
  );
  const claim = readClaim(target, headers);
  const payloadHash = String(headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD');
  return verifier.verify(claim, { method, target, headers, payloadHash });
}

const authorization = (signedHeaders: string, signature: string) =>
  `AWS4-HMAC-SHA256 Credential=${scope},SignedHeaders=${signedHeaders},Signature=${signature}`;

const common = { host: 'examplebucket.s3.amazonaws.com', 'x-amz-date': '20130524T000000Z' };

const getObject: IncomingHttpHeaders = {
  ...common,
  range: 'bytes=0-9',
  'x-amz-content-sha256': EMPTY,
  authorization: authorization(
    'host;range;x-amz-content-sha256;x-amz-date',
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  ),
};

describe("AWS's own examples", () => {
  it('GET Object', () => {
    verify('GET', '/test.txt', getObject);
  });

  it('PUT Object, with a character to encode', () => {
    verify('PUT', '/test%24file.text', {
      ...common,
      date: 'Fri, 24 May 2013 00:00:00 GMT',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
      authorization: authorization(
        'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
        '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
      ),
    });
  });

  it('GET Bucket Lifecycle, whose query has no value', () => {
    verify('GET', '/?lifecycle', {
      ...common,
      'x-amz-content-sha256': EMPTY,
      authorization: authorization(
        'host;x-amz-content-sha256;x-amz-date',
        'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
      ),
    });
  });

  it('GET Bucket, whose query is to be sorted', () => {
    verify('GET', '/?prefix=J&max-keys=2', {
      ...common,
      'x-amz-content-sha256': EMPTY,
      authorization: authorization(
        'host;x-amz-content-sha256;x-amz-date',
        '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
      ),
    });
  });

  const query = [
    'X-Amz-Algorithm=AWS4-HMAC-SHA256',
    `X-Amz-Credential=${encodeURIComponent(scope)}`,
    'X-Amz-Date=20130524T000000Z',
    'X-Amz-Expires=86400',
    'X-Amz-SignedHeaders=host',
    'X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
  ].join('&');

  it('a presigned URL, as long as it lasts', () => {
    const host = { host: common.host };
    verify('GET', `/test.txt?${query}`, host);
    verify('GET', `/test.txt?${query}`, host, then + 86_400_000);
    expect(() => verify('GET', `/test.txt?${query}`, host, then + 86_400_001)).toThrow('Request has expired');
    expect(() => verify('GET', `/test.txt?${query}`, host, then - 16 * 60_000)).toThrow('not valid yet');
    expect(() => verify('GET', `/test.txt?${query.replace('86400', '86401')}`, host)).toThrow('does not match');
    expect(() => verify('PUT', `/test.txt?${query}`, host)).toThrow('does not match');
  });

  const chunkedHeaders: IncomingHttpHeaders = {
    ...common,
    host: 's3.amazonaws.com',
    'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    'content-encoding': 'aws-chunked',
    'content-length': '66824',
    'x-amz-decoded-content-length': '66560',
    'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    authorization: authorization(
      'content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class',
      '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
    ),
  };
  const chunks = [
    ['10000', 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648', 'a'.repeat(65_536)],
    ['400', '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497', 'a'.repeat(1024)],
    ['0', 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9', ''],
  ];
  const body = chunks.map(([size, signature, data]) => `${size};chunk-signature=${signature}\r\n${data}\r\n`).join('');

  it('a payload in signed chunks', () => {
    const decoder = new AwsChunkedDecoder(verify('PUT', '/examplebucket/chunkObject.txt', chunkedHeaders));
    const data = Buffer.concat(decoder.write(Buffer.from(body)));
    decoder.end();
    expect(data.equals(Buffer.alloc(66_560, 'a'))).toBe(true);
  });

  it.each([
    ['the data of a chunk', body.replace('aaaa\r\n400', 'aaab\r\n400')],
    ['the order of chunks', body.slice(body.indexOf('400;')) + body],
    ['the last signature', body.replace('b6c6ea8a', 'b6c6ea8b')],
    ['a signature that is left out', body.replace(/;chunk-signature=0055[0-9a-f]+/, '')],
  ])('notices a change of %s', (_, changed) => {
    const decoder = new AwsChunkedDecoder(verify('PUT', '/examplebucket/chunkObject.txt', chunkedHeaders));
    expect(() => {
      decoder.write(Buffer.from(changed));
      decoder.end();
    }).toThrow('signature');
  });
});

describe('the clock', () => {
  const at = (minutes: number) => () => verify('GET', '/test.txt', getObject, then + minutes * 60_000);

  it('may be 15 minutes off, and no more', () => {
    at(15)();
    at(-15)();
    expect(at(15.1)).toThrow('too large');
    expect(at(-15.1)).toThrow('too large');
  });

  it('must be that of the scope', () => {
    const headers = {
      ...getObject,
      authorization: String(getObject.authorization).replace('/20130524/', '/20130523/'),
    };
    expect(() => verify('GET', '/test.txt', headers)).toThrow('Invalid credential date');
  });
});
