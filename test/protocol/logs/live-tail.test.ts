import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  PutLogEventsCommand,
  StartLiveTailCommand,
  type StartLiveTailCommandInput,
  type StartLiveTailResponseStream,
} from '@aws-sdk/client-cloudwatch-logs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Engine, startEngine } from '../../../src/local/index.js';

const group = '/aws/lambda/gray';
const groupArn = `arn:aws:logs:us-east-1:000000000000:log-group:${group}`;

let engine: Engine;
let client: CloudWatchLogsClient;
const engineErrors: unknown[] = [];

beforeEach(async () => {
  engine = await startEngine({ onError: (error) => engineErrors.push(error) });
  const { endpoint, region, accessKeyId, secretAccessKey } = engine;
  client = new CloudWatchLogsClient({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    disableHostPrefix: true,
    maxAttempts: 1,
  });
  await client.send(new CreateLogGroupCommand({ logGroupName: group }));
  for (const name of ['a1', 'a2', 'b']) {
    await client.send(new CreateLogStreamCommand({ logGroupName: group, logStreamName: name }));
  }
});
afterEach(async () => {
  vi.useRealTimers();
  client.destroy();
  await engine.close();
  expect(engineErrors.splice(0)).toEqual([]);
});

const put = (logStreamName: string, ...messages: string[]) => {
  const logEvents = messages.map((message) => ({ timestamp: Date.now(), message }));
  return client.send(new PutLogEventsCommand({ logGroupName: group, logStreamName, logEvents }));
};

async function tail(input: Partial<StartLiveTailCommandInput> = {}) {
  const abort = new AbortController();
  const command = new StartLiveTailCommand({ logGroupIdentifiers: [groupArn], ...input });
  const { responseStream } = await client.send(command, { abortSignal: abort.signal });
  const events = (responseStream as AsyncIterable<StartLiveTailResponseStream>)[Symbol.asyncIterator]();
  const next = async () => (await events.next()).value as StartLiveTailResponseStream;
  return {
    next,
    start: await next(),
    /** The results of the next update that has any. */
    async results() {
      for (;;) {
        const { sessionUpdate } = await next();
        if (sessionUpdate?.sessionResults?.length) return sessionUpdate.sessionResults;
      }
    },
    end: () => abort.abort(),
  };
}

describe('Live Tail', () => {
  it('begins with what it looks for, and tells what arrives from then on', async () => {
    await put('b', 'before');
    const session = await tail();
    expect(session.start.sessionStart).toMatchObject({
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      sessionId: expect.any(String),
      logGroupIdentifiers: [groupArn],
    });
    expect((await session.next()).sessionUpdate).toEqual({
      sessionMetadata: { sampled: false },
      sessionResults: [],
    });
    await put('b', 'one', 'two ☃');
    const results = await session.results();
    expect(results.map(({ message }) => message)).toEqual(['one', 'two ☃']);
    expect(results[0]).toEqual({
      logStreamName: 'b',
      logGroupIdentifier: `000000000000:${group}`,
      message: 'one',
      timestamp: expect.any(Number),
      ingestionTime: expect.any(Number),
    });
    session.end();
  });

  it('chooses by stream, prefix and pattern', async () => {
    const sessions = await Promise.all([
      tail({ logStreamNames: ['a2'] }),
      tail({ logStreamNamePrefixes: ['a'] }),
      tail({ logEventFilterPattern: '"b says"' }),
    ]);
    await put('a1', 'a1 says');
    await put('a2', 'a2 says');
    await put('b', 'b says');
    const told: (string | undefined)[][] = [];
    for (const [index, count] of [1, 2, 1].entries()) {
      const messages: (string | undefined)[] = [];
      while (messages.length < count) {
        messages.push(...((await sessions[index]?.results()) ?? []).map(({ message }) => message));
      }
      told.push(messages);
    }
    expect(told).toEqual([['a2 says'], ['a1 says', 'a2 says'], ['b says']]);
    for (const { end } of sessions) end();
  });

  it('tells 500 events of an update, and that there were more', async () => {
    const session = await tail();
    await put('b', ...Array.from({ length: 700 }, (_, n) => `line ${n}`));
    for (;;) {
      const { sessionUpdate } = await session.next();
      if (!sessionUpdate?.sessionResults?.length) continue;
      expect(sessionUpdate.sessionMetadata?.sampled).toBe(true);
      expect(sessionUpdate.sessionResults).toHaveLength(500);
      break;
    }
    session.end();
  });

  it('ends after three hours with an exception', async () => {
    const session = await tail();
    vi.useFakeTimers({ now: Date.now() + 4 * 60 * 60 * 1000, toFake: ['Date'] });
    const drained = (async () => {
      for (;;) await session.next();
    })();
    await expect(drained).rejects.toMatchObject({ name: 'SessionTimeoutException' });
  });

  it('has room for 15 sessions, and for another when one ends', async () => {
    const sessions = await Promise.all(Array.from({ length: 15 }, () => tail()));
    await expect(tail()).rejects.toMatchObject({ name: 'LimitExceededException' });
    sessions[0]?.end();
    await vi.waitFor(async () => sessions.push(await tail()));
    for (const { end } of sessions) end();
  });

  const refused: [string, Partial<StartLiveTailCommandInput>, string][] = [
    ['a group that is not there', { logGroupIdentifiers: [`${groupArn}x`] }, 'ResourceNotFoundException'],
    ['no group', { logGroupIdentifiers: [] }, 'InvalidParameterException'],
    ['streams of two groups', { logGroupIdentifiers: [groupArn, groupArn], logStreamNames: ['b'] }, 'InvalidParameter'],
    ['names and prefixes', { logStreamNames: ['b'], logStreamNamePrefixes: ['b'] }, 'InvalidParameterException'],
    ['a pattern that is none', { logEventFilterPattern: '"' }, 'InvalidParameterException'],
  ];
  it.each(refused)('refuses %s', async (_, input, name) => {
    await expect(tail(input)).rejects.toMatchObject({ name: expect.stringContaining(name) });
  });
});
