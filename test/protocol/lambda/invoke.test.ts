import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DeleteFunctionCommand,
  InvokeCommand,
  PutFunctionConcurrencyCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LambdaBench } from '../../support/lambda.js';

let bench: LambdaBench;
beforeEach(async () => {
  bench = await LambdaBench.open();
});
afterEach(() => bench[Symbol.asyncDispose]());

/** Waits until so many invocations have begun. */
const started = (count: number) =>
  vi.waitFor(
    () => expect(bench.logs.filter((line) => line.message.startsWith('START')).length).toBeGreaterThanOrEqual(count),
    10_000,
  );

const ECHO = 'export const handler = async (event, context) => ({ event, id: context.awsRequestId })';

describe('a synchronous invocation', () => {
  it('returns what the handler returns, under the request ID of the call', async () => {
    await bench.create('echo', ECHO);
    const reply = await bench.invoke('echo', { text: 'grün' });
    expect(reply).toMatchObject({ StatusCode: 200, ExecutedVersion: '$LATEST' });
    expect(reply.FunctionError).toBeUndefined();
    expect(reply.result).toEqual({ event: { text: 'grün' }, id: reply.$metadata.requestId });
    expect(reply.LogResult).toBeUndefined();
  });

  it('finds the function by name, partial ARN and ARN, with and without $LATEST', async () => {
    const arn = await bench.create('echo', ECHO);
    for (const name of [arn, `${arn}:$LATEST`, '000000000000:function:echo', 'echo:$LATEST']) {
      expect((await bench.invoke(name)).StatusCode).toBe(200);
    }
    expect((await bench.invoke('echo', {}, { Qualifier: '$LATEST' })).StatusCode).toBe(200);
    await expect(bench.invoke('echo', {}, { Qualifier: '7' })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: `Function not found: ${arn}:7`,
    });
  });

  it('returns the tail of its log on demand', async () => {
    await bench.create('talk', 'export const handler = async () => console.log("a line")');
    const { log, $metadata } = await bench.invoke('talk', {}, { LogType: 'Tail' });
    expect(log).toContain(`START RequestId: ${$metadata.requestId} Version: $LATEST\n`);
    expect(log).toMatch(new RegExp(`Z\t${$metadata.requestId}\tINFO\ta line\n`));
    expect(log).toMatch(/REPORT .*Init Duration/);
  });

  it('passes the client context on', async () => {
    await bench.create('context', 'export const handler = async (event, context) => context.clientContext');
    const ClientContext = Buffer.from('{"custom":{"a":"b"}}').toString('base64');
    expect((await bench.invoke('context', {}, { ClientContext })).result).toEqual({ custom: { a: 'b' } });
  });

  it('tells an error of the function from one of the service', async () => {
    await bench.create('bad', 'export const handler = async () => { throw new RangeError("no") }');
    const reply = await bench.invoke('bad');
    expect(reply).toMatchObject({ StatusCode: 200, FunctionError: 'Unhandled' });
    expect(reply.result).toMatchObject({ errorType: 'RangeError', errorMessage: 'no' });
    await expect(bench.invoke('nobody')).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: 'Function not found: arn:aws:lambda:eu-west-1:000000000000:function:nobody',
      $metadata: { httpStatusCode: 404 },
    });
  });

  it('takes an absent payload for an empty object, and refuses what is no JSON', async () => {
    await bench.create('echo', ECHO);
    const reply = await bench.client.send(new InvokeCommand({ FunctionName: 'echo' }));
    expect(JSON.parse(Buffer.from(reply.Payload ?? []).toString()).event).toEqual({});
    await expect(
      bench.client.send(new InvokeCommand({ FunctionName: 'echo', Payload: Buffer.from('{') })),
    ).rejects.toMatchObject({ name: 'InvalidRequestContentException', $metadata: { httpStatusCode: 400 } });
  });

  it('holds Lambda’s limits of 6 MB and, queued, 1 MB', async () => {
    await bench.create('size', 'export const handler = async (event) => event.length');
    const of = (bytes: number) => 'x'.repeat(bytes - 2);
    expect((await bench.invoke('size', of(6_291_456))).result).toBe(6_291_454);
    await expect(bench.invoke('size', of(6_291_457))).rejects.toMatchObject({
      name: 'RequestTooLargeException',
      message: 'Request must be smaller than 6291456 bytes for the InvokeFunction operation',
      $metadata: { httpStatusCode: 413 },
    });
    const queued = { InvocationType: 'Event' } as const;
    expect((await bench.invoke('size', of(1_048_576), queued)).StatusCode).toBe(202);
    await expect(bench.invoke('size', of(1_048_577), queued)).rejects.toMatchObject({
      name: 'RequestTooLargeException',
    });
  });

  it('runs nothing as a dry run', async () => {
    await bench.create('echo', ECHO);
    expect((await bench.invoke('echo', {}, { InvocationType: 'DryRun' })).StatusCode).toBe(204);
    expect(bench.logs).toEqual([]);
  });
});

describe('environments', () => {
  const WHO = `import { existsSync } from 'node:fs'; import { setTimeout as sleep } from 'node:timers/promises'; let busy = 0;
    export const handler = async ({ gate }) => { const seen = ++busy; while (gate && !existsSync(gate)) await sleep(5); busy--;
      return { pid: process.pid, seen } }`;

  it('are reused one after the other, and never shared', async () => {
    await bench.create('who', WHO);
    const gate = join(bench.folder, 'gate');
    const six = () => Array.from({ length: 6 }, () => bench.invoke('who', { gate }));
    const running = six();
    await started(6);
    writeFileSync(gate, '');
    const replies = await Promise.all(running);
    expect(new Set(replies.map((reply) => reply.result.pid)).size).toBe(6);
    expect(replies.every((reply) => reply.result.seen === 1)).toBe(true);
    const again = await Promise.all(six());
    expect(new Set([...replies, ...again].map((reply) => reply.result.pid)).size).toBe(6);
    const streams = new Set(bench.logs.map((line) => line.stream));
    expect(streams.size).toBe(6);
    const alone = [(await bench.invoke('who')).result.pid, (await bench.invoke('who')).result.pid];
    expect(alone[0]).toBe(alone[1]);
  });

  it('end when they were idle for long enough', async () => {
    await bench[Symbol.asyncDispose]();
    bench = await LambdaBench.open({ idleTimeoutMs: 100 });
    await bench.create('who', WHO);
    const { pid } = (await bench.invoke('who')).result;
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), 5000);
    expect((await bench.invoke('who')).result.pid).not.toBe(pid);
  });

  it('make room for other functions, the least recently used first', async () => {
    await bench[Symbol.asyncDispose]();
    bench = await LambdaBench.open({ concurrency: 2 });
    for (const name of ['a', 'b', 'c']) await bench.create(name, WHO);
    const [a, b] = [(await bench.invoke('a')).result.pid, (await bench.invoke('b')).result.pid];
    await bench.invoke('c');
    await vi.waitFor(() => expect(() => process.kill(a, 0)).toThrow('ESRCH'), 5000);
    expect((await bench.invoke('b')).result.pid).toBe(b);
  });

  it('of an old version end when their work is done', async () => {
    await bench.create('who', WHO);
    const gate = join(bench.folder, 'gate');
    const running = bench.invoke('who', { gate });
    await started(1);
    await bench.client.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'who', MemorySize: 300 }));
    await bench.settled('who');
    const { pid } = (await bench.invoke('who')).result;
    writeFileSync(gate, '');
    const old = (await running).result.pid;
    expect(pid).not.toBe(old);
    await vi.waitFor(() => expect(() => process.kill(old, 0)).toThrow('ESRCH'), 5000);
  });
});

describe('concurrency', () => {
  const GATED = `import { existsSync } from 'node:fs'; import { setTimeout as sleep } from 'node:timers/promises';
    export const handler = async ({ gate }) => { while (!existsSync(gate)) await sleep(5) }`;

  it('beyond the account’s limit is refused with 429, its reason and when to come again', async () => {
    await bench[Symbol.asyncDispose]();
    bench = await LambdaBench.open({ concurrency: 2 });
    await bench.create('slow', GATED);
    const gate = join(bench.folder, 'gate');
    const running = [bench.invoke('slow', { gate }), bench.invoke('slow', { gate })];
    await started(2);
    await expect(bench.invoke('slow')).rejects.toMatchObject({
      name: 'TooManyRequestsException',
      Reason: 'ConcurrentInvocationLimitExceeded',
      Type: 'User',
      retryAfterSeconds: '1',
      message: 'Rate Exceeded.',
      $metadata: { httpStatusCode: 429 },
    });
    writeFileSync(gate, '');
    await Promise.all(running);
    expect((await bench.invoke('slow', { gate })).StatusCode).toBe(200);
  });

  it('is reserved for a function, and limited by it', async () => {
    await bench.create('slow', GATED);
    await bench.client.send(
      new PutFunctionConcurrencyCommand({ FunctionName: 'slow', ReservedConcurrentExecutions: 1 }),
    );
    const gate = join(bench.folder, 'gate');
    const running = bench.invoke('slow', { gate });
    await started(1);
    await expect(bench.invoke('slow')).rejects.toMatchObject({
      name: 'TooManyRequestsException',
      Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
    });
    writeFileSync(gate, '');
    await running;
  });
});

describe('an asynchronous invocation', () => {
  const event = { InvocationType: 'Event' } as const;
  const reports = () => bench.logs.filter((line) => line.message.startsWith('REPORT'));

  it('is accepted at once and delivered later', async () => {
    await bench.create('echo', 'export const handler = async (event) => console.log(event.n)');
    const reply = await bench.invoke('echo', { n: 42 }, event);
    expect(reply.StatusCode).toBe(202);
    await vi.waitFor(() => expect(reports()).toHaveLength(1), 5000);
    expect(bench.logs.some((line) => line.message.endsWith(`${reply.$metadata.requestId}\tINFO\t42\n`))).toBe(true);
  });

  it('is tried twice more when it fails, with the same request ID', async () => {
    await bench.create('bad', 'export const handler = async () => { throw new Error("no") }');
    const { $metadata } = await bench.invoke('bad', {}, event);
    await vi.waitFor(() => expect(reports()).toHaveLength(3), 5000);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(reports()).toHaveLength(3);
    expect(reports().every((line) => line.message.includes($metadata.requestId ?? '-'))).toBe(true);
  });

  it('waits for room instead of being refused', async () => {
    await bench[Symbol.asyncDispose]();
    bench = await LambdaBench.open({ concurrency: 2 });
    await bench.create('brief', 'export const handler = () => new Promise((r) => setTimeout(r, 20))');
    await Promise.all(Array.from({ length: 12 }, () => bench.invoke('brief', {}, event)));
    await vi.waitFor(() => expect(reports()).toHaveLength(12), 10_000);
    expect(new Set(bench.logs.map((line) => line.stream)).size).toBeLessThanOrEqual(2);
  });

  it('is forgotten when its function is deleted', async () => {
    await bench.create('echo', 'export const handler = async () => 1');
    await bench.client.send(
      new PutFunctionConcurrencyCommand({ FunctionName: 'echo', ReservedConcurrentExecutions: 0 }),
    );
    await bench.invoke('echo', {}, event);
    await bench.client.send(new DeleteFunctionCommand({ FunctionName: 'echo' }));
    await bench.create('echo', 'export const handler = async () => 1');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(bench.logs).toEqual([]);
  });
});
