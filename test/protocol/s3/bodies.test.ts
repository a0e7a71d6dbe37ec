import { randomBytes } from 'node:crypto';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { crc32 } from 'node:zlib';
import { CreateBucketCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type S3Engine, startS3Engine } from '../../support/s3-engine.js';
import { presign, sha256, signRequest } from '../../support/sigv4.js';

const Bucket = 'bodies';
let s3: S3Engine;
let host: string;

beforeAll(async () => {
  s3 = await startS3Engine();
  host = new URL(s3.engine.endpoint).host;
  await s3.client.send(new CreateBucketCommand({ Bucket }));
});

afterAll(async () => {
  await s3.close();
  expect(s3.failures).toEqual([]);
});

const answer = (outgoing: ClientRequest) =>
  new Promise<{ status: number; text: string; headers: IncomingMessage['headers'] }>((resolve, reject) => {
    outgoing.on('error', reject);
    outgoing.on('response', async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode ?? 0, text, headers: response.headers });
    });
  });

const outgoing = (method: string, path: string, headers: Record<string, string>) =>
  request(`${s3.engine.endpoint}${path}`, { method, headers, agent: false });

/** Sends a body of signed chunks; `tamper` sees the bytes before they go. */
async function putSigned(
  key: string,
  chunks: Buffer[],
  options: { trailer?: boolean; tamper?: (body: Buffer) => Buffer } = {},
) {
  const data = Buffer.concat(chunks);
  const path = `/${Bucket}/${key}`;
  const headers = {
    'content-encoding': 'aws-chunked',
    'x-amz-decoded-content-length': String(data.length),
    ...(options.trailer && { 'x-amz-trailer': 'x-amz-checksum-crc32' }),
  };
  const payloadHash = `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${options.trailer ? '-TRAILER' : ''}`;
  const signed = signRequest(s3.engine, { method: 'PUT', path, host, headers, payloadHash });
  const framed = [...chunks, Buffer.alloc(0)].map((chunk) => {
    const head = `${chunk.length.toString(16)};chunk-signature=${signed.signChunk(chunk)}\r\n`;
    const end = chunk.length === 0 && options.trailer ? '' : '\r\n';
    return Buffer.concat([Buffer.from(head), chunk, Buffer.from(end)]);
  });
  if (options.trailer) {
    const value = Buffer.alloc(4);
    value.writeUInt32BE(crc32(data));
    const line = `x-amz-checksum-crc32:${value.toString('base64')}`;
    const signature = signed.signTrailer(`${line}\n`);
    framed.push(Buffer.from(`${line}\r\nx-amz-trailer-signature:${signature}\r\n\r\n`));
  }
  const body = Buffer.concat(framed);
  const sent = outgoing('PUT', path, { ...signed.headers, 'content-length': String(body.length) });
  const answered = answer(sent);
  sent.end(options.tamper ? options.tamper(body) : body);
  return answered;
}

async function get(Key: string): Promise<Buffer | undefined> {
  const output = await s3.client.send(new GetObjectCommand({ Bucket, Key })).catch(() => undefined);
  return output?.Body && Buffer.from(await output.Body.transformToByteArray());
}

describe('signed chunks', () => {
  const chunks = [randomBytes(8192), randomBytes(65_536), randomBytes(5)];

  it('are taken, and what remains is the data', async () => {
    expect((await putSigned('signed', chunks)).status).toBe(200);
    expect((await get('signed'))?.equals(Buffer.concat(chunks))).toBe(true);
    const head = await s3.client.send(new HeadObjectCommand({ Bucket, Key: 'signed' }));
    expect(head.ContentEncoding).toBeUndefined();
  });

  it('may end in a signed trailer, whose checksum is kept', async () => {
    const { status, headers } = await putSigned('trailer', chunks, { trailer: true });
    expect(status).toBe(200);
    expect(headers['x-amz-checksum-crc32']).toMatch(/==$/);
    expect((await get('trailer'))?.equals(Buffer.concat(chunks))).toBe(true);
  });

  it.each([
    [
      'a byte of data',
      (body: Buffer) => Buffer.concat([body.subarray(0, 100), Buffer.from([(body[100] ?? 0) ^ 1]), body.subarray(101)]),
      403,
    ],
    [
      'the value of the trailer',
      (body: Buffer) => Buffer.from(body.toString('latin1').replace(/crc32:.{4}/, 'crc32:AAAA'), 'latin1'),
      403,
    ],
  ])('are refused when somebody changes %s', async (_, tamper, status) => {
    expect((await putSigned('changed', chunks, { trailer: true, tamper })).status).toBe(status);
    expect(await get('changed')).toBeUndefined();
  });
});

describe('a body that does not come whole', () => {
  it('leaves nothing behind', async () => {
    const path = `/${Bucket}/broken`;
    const { headers } = signRequest(s3.engine, { method: 'PUT', path, host, payloadHash: 'UNSIGNED-PAYLOAD' });
    const sent = outgoing('PUT', path, { ...headers, 'content-length': '1000000' });
    const failed = new Promise((resolve) => sent.on('error', resolve));
    sent.write(randomBytes(600_000), () => setTimeout(() => sent.destroy(new Error('gone')), 50));
    await failed;
    expect(await get('broken')).toBeUndefined();
  });

  it('is refused when it is shorter than it says inside its frames', async () => {
    const path = `/${Bucket}/short`;
    const headers = { 'x-amz-decoded-content-length': '10', 'content-encoding': 'aws-chunked' };
    const payloadHash = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
    const signed = signRequest(s3.engine, { method: 'PUT', path, host, headers, payloadHash });
    const sent = outgoing('PUT', path, signed.headers);
    const answered = answer(sent);
    sent.end('5\r\nhello\r\n0\r\n\r\n');
    expect(await answered).toMatchObject({ status: 400, text: expect.stringContaining('IncompleteBody') });
  });

  it('is refused when its announced checksum does not come', async () => {
    const path = `/${Bucket}/unchecked`;
    const headers = { 'x-amz-trailer': 'x-amz-checksum-sha256', 'content-encoding': 'aws-chunked' };
    const payloadHash = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
    const signed = signRequest(s3.engine, { method: 'PUT', path, host, headers, payloadHash });
    const sent = outgoing('PUT', path, signed.headers);
    const answered = answer(sent);
    sent.end('5\r\nhello\r\n0\r\n\r\n');
    expect(await answered).toMatchObject({ status: 400, text: expect.stringContaining('MalformedTrailerError') });
  });
});

describe('a body that is too large', () => {
  it('is answered, although it is still being sent', async () => {
    const path = `/${Bucket}?delete=`;
    const size = 60_000_000;
    const { headers } = signRequest(s3.engine, { method: 'POST', path, host, payloadHash: 'UNSIGNED-PAYLOAD' });
    const sent = outgoing('POST', path, { ...headers, 'content-length': String(size) });
    const answered = answer(sent);
    sent.end(Buffer.alloc(size, 'x'));
    expect(await answered).toMatchObject({ status: 400, text: expect.stringContaining('MaxMessageLengthExceeded') });
  });

  it('is refused by its length alone', async () => {
    const path = `/${Bucket}/too-large`;
    const { headers } = signRequest(s3.engine, { method: 'PUT', path, host, payloadHash: 'UNSIGNED-PAYLOAD' });
    const sent = outgoing('PUT', path, { ...headers, 'content-length': String(6 * 1024 ** 3), expect: '100-continue' });
    const answered = answer(sent);
    sent.flushHeaders();
    expect(await answered).toMatchObject({ status: 400, text: expect.stringContaining('EntityTooLarge') });
    sent.destroy();
  });
});

describe('Expect: 100-continue', () => {
  async function expectContinue(bucket: string, headers: Record<string, string> = {}) {
    const path = `/${bucket}/expected`;
    const data = randomBytes(100_000);
    const signed = signRequest(s3.engine, { method: 'PUT', path, host, payloadHash: sha256(data) });
    const sent = outgoing('PUT', path, {
      ...signed.headers,
      ...headers,
      'content-length': '100000',
      expect: '100-continue',
    });
    let continued = false;
    sent.on('continue', () => {
      continued = true;
      sent.end(data);
    });
    sent.flushHeaders();
    return { ...(await answer(sent)), continued };
  }

  it('is answered when the body is wanted', async () => {
    expect(await expectContinue(Bucket)).toMatchObject({ status: 200, continued: true });
  });

  it('is not when the request is refused: the data is never sent', async () => {
    expect(await expectContinue('no-such-bucket')).toMatchObject({ status: 404, continued: false });
    expect(await expectContinue(Bucket, { 'x-amz-date': '20200101T000000Z' })).toMatchObject({
      status: 403,
      continued: false,
    });
  });
});

describe('presigned URLs', () => {
  const url = (key: string) => `${s3.engine.endpoint}/${Bucket}/${key}`;

  it('read and write without any other credentials', async () => {
    const put = await fetch(presign(s3.engine, 'PUT', url('presigned')), { method: 'PUT', body: 'by URL' });
    expect(put.status).toBe(200);
    const got = await fetch(presign(s3.engine, 'GET', url('presigned'), { 'response-content-type': 'text/x-a' }));
    expect(await got.text()).toBe('by URL');
    expect(got.headers.get('content-type')).toBe('text/x-a');
  });

  it('let nothing else be done', async () => {
    const signed = presign(s3.engine, 'GET', url('presigned'));
    expect((await fetch(signed, { method: 'DELETE' })).status).toBe(403);
    expect((await fetch(signed.replace('/presigned', '/other'))).status).toBe(403);
    expect((await fetch(`${signed}&response-content-type=text%2Fhtml`)).status).toBe(403);
  });

  it('cannot put line breaks into headers', async () => {
    const evil = { 'response-content-disposition': 'a\r\nset-cookie: x=1' };
    expect((await fetch(presign(s3.engine, 'GET', url('presigned'), evil))).status).toBe(400);
  });
});

it('streams both ways without holding an object in memory', async () => {
  const size = 300_000_000;
  const chunk = randomBytes(1_000_000);
  const path = `/${Bucket}/huge`;
  const { headers } = signRequest(s3.engine, { method: 'PUT', path, host, payloadHash: 'UNSIGNED-PAYLOAD' });
  const sent = outgoing('PUT', path, { ...headers, 'content-length': String(size) });
  const answered = answer(sent);
  let peak = 0;
  for (let at = 0; at < size; at += chunk.length) {
    if (!sent.write(chunk)) await new Promise((resolve) => sent.once('drain', resolve));
    peak = Math.max(peak, process.memoryUsage().arrayBuffers);
  }
  sent.end();
  expect((await answered).status).toBe(200);
  const { Body } = await s3.client.send(new GetObjectCommand({ Bucket, Key: 'huge' }));
  let read = 0;
  for await (const piece of Body as AsyncIterable<Buffer>) {
    read += piece.length;
    peak = Math.max(peak, process.memoryUsage().arrayBuffers);
  }
  expect(read).toBe(size);
  expect(peak).toBeLessThan(150_000_000);
});

it('takes any path for what it is', async () => {
  // No client normalises this one.
  const path = `/${Bucket}/../${Bucket}/./%2e%2e/x`;
  const { headers } = signRequest(s3.engine, {
    method: 'PUT',
    path: `/${Bucket}/../${Bucket}/./../x`,
    host,
    payloadHash: sha256('dots'),
  });
  const sent = request({
    host: '127.0.0.1',
    port: new URL(s3.engine.endpoint).port,
    path,
    method: 'PUT',
    headers: { ...headers, 'content-length': '4' },
  });
  const answered = answer(sent);
  sent.end('dots');
  expect((await answered).status).toBe(200);
  await s3.client.send(new PutObjectCommand({ Bucket, Key: 'other', Body: 'x' }));
  const raw = signRequest(s3.engine, { method: 'GET', path: `/${Bucket}`, host, payloadHash: sha256('') });
  const listed = outgoing('GET', `/${Bucket}`, raw.headers);
  const answeredList = answer(listed);
  listed.end();
  expect((await answeredList).text).toContain(`<Key>../${Bucket}/./../x</Key>`);
});
