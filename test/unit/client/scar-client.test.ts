import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { InvokeCommand, LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import type { NodeHttpHandler } from '@smithy/node-http-handler';
import { mockClient } from 'aws-sdk-client-mock';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ScarClient } from '../../../src/index.js';
import { awsError, REGION } from './fixtures.js';

const credentials = { accessKeyId: 'AKIAMOCK', secretAccessKey: 'mock-secret' };
const base = { region: REGION, credentials };

describe('ScarClient', () => {
  it('makes clients with the Region, the credentials and the endpoint, and closes them', async () => {
    const provider = vi.fn(async () => credentials);
    const scar = new ScarClient({ region: REGION, credentials: provider, endpoint: 'http://127.0.0.1:9' });
    for (const client of [scar.lambda, scar.s3, scar.logs]) {
      expect(await client.config.region()).toBe(REGION);
      expect(await client.config.credentials()).toMatchObject(credentials);
      expect(await client.config.endpoint?.()).toMatchObject({ hostname: '127.0.0.1', port: 9 });
    }
    expect(scar.s3.config.forcePathStyle).toBe(true);
    const destroyed = [scar.lambda, scar.s3, scar.logs].map((client) => vi.spyOn(client, 'destroy'));
    await scar.close();
    for (const destroy of destroyed) expect(destroy).toHaveBeenCalledOnce();
  });

  it('works with clients as they are, and leaves them open', async () => {
    const clients = { lambda: new LambdaClient(base), s3: new S3Client(base), logs: new CloudWatchLogsClient(base) };
    const destroyed = Object.values(clients).map((client) => vi.spyOn(client, 'destroy'));
    const scar = new ScarClient({ clients });
    expect([scar.lambda, scar.s3, scar.logs]).toEqual(Object.values(clients));
    await scar.close();
    for (const destroy of destroyed) expect(destroy).not.toHaveBeenCalled();
  });

  it('makes clients with configurations that are given', async () => {
    const scar = new ScarClient({
      ...base,
      clients: { lambda: { region: 'us-east-2' }, s3: { forcePathStyle: true } },
    });
    expect(await scar.lambda.config.region()).toBe('us-east-2');
    expect(await scar.s3.config.region()).toBe(REGION);
    expect(scar.s3.config.forcePathStyle).toBe(true);
    await scar.close();
  });

  it('has as many connections to Lambda as it is told, and none that times out by itself', async () => {
    const scar = new ScarClient({ ...base, sockets: 77 });
    const requestHandler = scar.lambda.config.requestHandler as unknown as NodeHttpHandler;
    // The handler reads its configuration with its first request.
    await requestHandler
      .handle({ protocol: 'http:', hostname: '127.0.0.1', port: 1, path: '/', method: 'GET', headers: {} } as never)
      .catch(() => {});
    const { httpsAgent, socketTimeout, requestTimeout } = requestHandler.httpHandlerConfigs() as {
      httpsAgent: { maxSockets: number; keepAlive: boolean };
      socketTimeout: number;
      requestTimeout?: number;
    };
    expect(httpsAgent).toMatchObject({ maxSockets: 77, keepAlive: true });
    expect([socketTimeout, requestTimeout]).toEqual([0, undefined]);
    await scar.close();
  });

  it('is closed by `await using`, and closing twice is fine', async () => {
    let outside: ScarClient;
    {
      await using scar = new ScarClient(base);
      outside = scar;
    }
    await expect(outside.invoke('gray')).rejects.toMatchObject({ code: 'aborted' });
    await outside.close();
  });

  it('tells its events to listeners, and to the logger as lines', async () => {
    const lambda = new LambdaClient(base);
    mockClient(lambda)
      .on(InvokeCommand)
      .rejectsOnce(awsError('TooManyRequestsException', 'Rate Exceeded.', {}, 429))
      .rejects(awsError('ResourceNotFoundException', 'no', {}, 404));
    const lines: string[] = [];
    const log = (message: string) => lines.push(message);
    const scar = new ScarClient({ ...base, clients: { lambda }, logger: { debug: log, info: log, warn: log } });
    const retries: unknown[] = [];
    scar.on('retry', ({ doing, attempt, error }) => retries.push([doing, attempt, error.code]));
    await expect(scar.invoke('gray')).rejects.toMatchObject({ code: 'function-not-found' });
    expect(retries).toEqual([['invoke gray', 2, 'throttled']]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^invoke gray: attempt 2 in \d+ ms, after: Could not call Invoke/);
    expect(lines.join()).not.toContain('mock-secret');
    await scar.close();
  });

  it('rejects, and does not throw, for wrong arguments of asynchronous verbs', async () => {
    const scar = new ScarClient(base);
    const wrong = 'not a name!';
    await expect(scar.invoke(wrong)).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(scar.getFunction(wrong)).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(scar.deleteFunction(wrong)).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(scar.updateFunction(wrong, {})).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(scar.preheat(wrong)).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(scar.putTrigger(wrong, { bucket: 'bkt' })).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(scar.deleteTrigger(wrong, { bucket: 'bkt' })).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(scar.createFunction({ name: wrong, image: 'x' })).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(scar.listFunctions({ owner: 3 as never })).rejects.toMatchObject({ code: 'invalid-option' });
    await scar.close();
  });
});

describe('what goes over the wire', () => {
  let server: Server;
  let requests: string[];
  let answerWith: { status: number; body: string; drop?: boolean };
  let endpoint: string;

  beforeAll(async () => {
    server = createServer((request, response) => {
      requests.push(request.url ?? '');
      request.resume();
      if (answerWith.drop) request.socket.destroy();
      else
        request.on('end', () =>
          response.writeHead(answerWith.status, { 'Content-Type': 'application/json' }).end(answerWith.body),
        );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const ends: [string, typeof answerWith][] = [
    ['500', { status: 500, body: '{"Message":"no"}' }],
    ['a connection that is reset', { status: 0, body: '', drop: true }],
  ];
  it.each(ends)('is one Invoke for each attempt of ours, after %s: the SDK repeats none', async (_, ending) => {
    [requests, answerWith] = [[], ending];
    for (const clients of [{}, { lambda: new LambdaClient({ ...base, endpoint, maxAttempts: 5 }) }]) {
      requests = [];
      const scar = new ScarClient({ ...base, endpoint, clients });
      let retries = 0;
      scar.on('retry', () => retries++);
      await expect(scar.invoke('gray')).rejects.toMatchObject({ code: 'service', retryable: true });
      expect([requests.length, retries]).toEqual([4, 3]);
      await scar.close();
    }
  });

  it("keeps the SDK's own retries for everything else", async () => {
    [requests, answerWith] = [[], { status: 500, body: '{"Message":"no"}' }];
    const scar = new ScarClient({ ...base, endpoint, clients: { lambda: { maxAttempts: 2 } } });
    await expect(scar.lambda.send(new ListFunctionsCommand({}))).rejects.toThrow();
    expect(requests).toHaveLength(2);
    await scar.close();
  });

  it('is nothing any more when the client closes', async () => {
    [requests, answerWith] = [[], { status: 200, body: '{}' }];
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const scar = new ScarClient({ ...base, endpoint: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` });
    const waiting = scar.invoke('gray').catch((error: unknown) => error);
    await new Promise((resolve) => silent.once('request', resolve));
    await scar.close();
    expect(await waiting).toMatchObject({ code: 'aborted' });
    await new Promise((resolve) => silent.close(resolve));
  });
});
