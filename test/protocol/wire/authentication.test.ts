import { request } from 'node:http';
import { LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { GetObjectCommand, ListBucketsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { HttpRequest } from '@smithy/core/protocols';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Credentials, type KeyPair } from '../../../src/local/auth/credentials.js';
import { type EngineServer, serve } from '../../../src/local/protocol/server.js';
import type { Service } from '../../../src/local/protocol/service.js';

const region = 'eu-west-1';
const credentials = new Credentials();
let server: EngineServer;
let received: string[] = [];

beforeAll(async () => {
  const schemas = await import('@aws-sdk/client-s3');
  const lambdaSchemas = await import('@aws-sdk/client-lambda');
  const s3: Service = {
    name: 's3',
    protocol: 'rest-xml',
    schemas,
    operations: {
      ListBuckets: () => ({ Buckets: [] }),
      GetObject: ({ Key }: { Key: string }) => ({ Body: Buffer.from(`data of ${Key}`) }),
      async PutObject({ Body }: { Body: AsyncIterable<Buffer> }) {
        for await (const chunk of Body) received.push(chunk.toString());
        return {};
      },
    },
  };
  const lambda: Service = {
    name: 'lambda',
    protocol: 'rest-json',
    schemas: lambdaSchemas,
    operations: { ListFunctions: () => ({ Functions: [] }) },
  };
  server = await serve([s3, lambda], { region, accountId: '000000000000', credentials });
});

afterAll(() => server.close());

function s3As(pair: KeyPair, more: object = {}) {
  const options = { endpoint: server.endpoint, region, forcePathStyle: true, maxAttempts: 1, credentials: pair };
  return new S3Client({ ...options, ...more });
}

const lambdaAs = (pair: KeyPair) =>
  new LambdaClient({ endpoint: server.endpoint, region, maxAttempts: 1, credentials: pair });

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Sends exactly this. */
function send(path: string, options: { method?: string; headers?: Record<string, string>; body?: string }) {
  return new Promise<Answer>((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = options;
    const { hostname, port } = new URL(server.endpoint);
    const outgoing = request({ hostname, port, path, method, headers }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** A request as the SDK signs it, to be tampered with. */
async function signed(client: S3Client, command: GetObjectCommand | PutObjectCommand): Promise<HttpRequest> {
  let captured: HttpRequest | undefined;
  client.middlewareStack.add(
    (next) => async (args) => {
      captured = args.request as HttpRequest;
      return next(args);
    },
    { step: 'finalizeRequest', priority: 'low', name: 'capture', override: true },
  );
  await client.send(command as GetObjectCommand);
  if (!captured) throw new Error('nothing was sent');
  return captured;
}

describe('who is let in', () => {
  it('the owner, and sessions until they are revoked', async () => {
    await s3As(credentials.owner).send(new ListBucketsCommand({}));
    const session = credentials.issueSession();
    await s3As(session).send(new ListBucketsCommand({}));
    await lambdaAs(session).send(new ListFunctionsCommand({}));
    credentials.revoke(session.accessKeyId);
    await expect(s3As(session).send(new ListBucketsCommand({}))).rejects.toMatchObject({ name: 'InvalidAccessKeyId' });
  });

  it('nobody with a key that it does not know', async () => {
    const stranger = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: credentials.owner.secretAccessKey };
    await expect(s3As(stranger).send(new ListBucketsCommand({}))).rejects.toMatchObject({
      name: 'InvalidAccessKeyId',
      $metadata: { httpStatusCode: 403 },
    });
    await expect(lambdaAs(stranger).send(new ListFunctionsCommand({}))).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
      $metadata: { httpStatusCode: 403 },
    });
  });

  it('nobody with another secret', async () => {
    const thief = { accessKeyId: credentials.owner.accessKeyId, secretAccessKey: 'guessed' };
    await expect(s3As(thief).send(new ListBucketsCommand({}))).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' });
    await expect(lambdaAs(thief).send(new ListFunctionsCommand({}))).rejects.toMatchObject({
      name: 'InvalidSignatureException',
    });
  });

  it('no session without its token, or with that of another', async () => {
    const { accessKeyId, secretAccessKey } = credentials.issueSession();
    const { sessionToken } = credentials.issueSession();
    for (const pair of [
      { accessKeyId, secretAccessKey },
      { accessKeyId, secretAccessKey, sessionToken },
      { ...credentials.owner, sessionToken },
    ]) {
      await expect(s3As(pair).send(new ListBucketsCommand({}))).rejects.toMatchObject({ name: 'InvalidToken' });
    }
  });

  it('nobody without a signature, and without learning anything', async () => {
    for (const path of ['/', '/bucket', '/bucket/key', '/?x-id=ListBuckets']) {
      expect(await send(path, {})).toMatchObject({
        status: 403,
        body: expect.stringContaining('<Code>AccessDenied</Code>'),
      });
    }
    const lambda = await send('/2015-03-31/functions', {});
    expect(lambda.status).toBe(403);
    expect(lambda.body).toContain('signature');
  });

  it('no web page that reaches it under a host name of its own', async () => {
    const host = { host: 'attacker.example:4566' };
    expect(await send('/', { headers: host })).toMatchObject({
      status: 403,
      body: expect.stringContaining('127.0.0.1'),
    });
    const { headers, path } = await signed(s3As(credentials.owner), new GetObjectCommand({ Bucket: 'b', Key: 'k' }));
    expect((await send(`${path}?x-id=GetObject`, { headers: { ...headers, ...host } })).status).toBe(403);
  });

  it('no client of another Region', async () => {
    const elsewhere = s3As(credentials.owner, { region: 'us-east-1' }).send(new ListBucketsCommand({}));
    await expect(elsewhere).rejects.toMatchObject({
      name: 'AuthorizationHeaderMalformed',
      message: expect.stringContaining("expecting 'eu-west-1'"),
    });
  });
});

describe('what is under the signature', () => {
  const get = new GetObjectCommand({ Bucket: 'b', Key: "a b+é!'()*~/.." });

  it('sees the request that the SDK signed', async () => {
    const { headers, path } = await signed(s3As(credentials.owner), get);
    expect(await send(`${path}?x-id=GetObject`, { headers })).toEqual({
      status: 200,
      body: "data of a b+é!'()*~/..",
    });
  });

  it.each([
    ['method', { method: 'DELETE' }, '', {}],
    ['path', {}, '/more', {}],
    ['query', {}, '', { query: '?x-id=GetObject&versionId=null' }],
    ['signed headers', {}, '', { headers: { 'x-amz-date': '20260101T000000Z' } }],
    ['headers that should have been signed', {}, '', { headers: { 'x-amz-acl': 'public-read' } }],
  ])(
    'not with another %s',
    async (_, options, suffix, {
      query = '?x-id=GetObject',
      headers = {},
    }: Record<string, never> | { query?: string; headers?: object }) => {
      const original = await signed(s3As(credentials.owner), get);
      const answer = await send(`${original.path}${suffix}${query}`, {
        ...options,
        headers: { ...original.headers, ...headers },
      });
      expect(answer.status).toBe(403);
    },
  );

  it('a body that is not the one that was signed', async () => {
    received = [];
    const put = new PutObjectCommand({ Bucket: 'b', Key: 'k', Body: 'original' });
    const plain = { requestChecksumCalculation: 'WHEN_REQUIRED' };
    // Over plain HTTP the client signs the payload's hash.
    const { headers, path } = await signed(s3As(credentials.owner, plain), put);
    expect(headers['x-amz-content-sha256']).toMatch(/^[0-9a-f]{64}$/);
    const answer = await send(`${path}?x-id=PutObject`, { method: 'PUT', headers, body: 'tampered' });
    expect(answer).toMatchObject({ status: 400, body: expect.stringContaining('XAmzContentSHA256Mismatch') });
  });

  it.each([
    'AWS AKID:signature',
    'AWS4-HMAC-SHA256',
    'AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=00',
    'AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/s3/aws4_request, SignedHeaders=, Signature=00',
    'AWS4-ECDSA-P256-SHA256 Credential=AKIA/20260101/s3/aws4_request, SignedHeaders=host, Signature=00',
    'Bearer token',
  ])('refuses %s', async (authorization) => {
    const headers = { authorization, 'x-amz-date': '20260101T000000Z' };
    const answer = await send('/b/k', { headers });
    expect([400, 403]).toContain(answer.status);
    expect(answer.body).toMatch(/<Code>(AuthorizationHeaderMalformed|AccessDenied)<\/Code>/);
  });

  it('names a service that it does not have', async () => {
    const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
    const scope = `AKIA/${date.slice(0, 8)}/eu-west-1/dynamodb/aws4_request`;
    const authorization = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=${'0'.repeat(64)}`;
    const answer = await send('/', { headers: { authorization, 'x-amz-date': date } });
    expect(answer).toMatchObject({
      status: 501,
      body: expect.stringContaining('does not implement the service dynamodb'),
    });
  });
});
