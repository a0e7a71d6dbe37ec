import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RuntimeApiPort, RuntimeApiServer } from '../../../src/local/runtime-api/server.js';
import { MAX_RESPONSE_BYTES, type RuntimeAnswer, RuntimeSession } from '../../../src/local/runtime-api/session.js';
import { type RuntimeEvent, type RuntimeState, RuntimeStateMachine } from '../../../src/local/runtime-api/state.js';

describe('the state machine', () => {
  /** How to get there. */
  const paths: Record<RuntimeState, RuntimeEvent[]> = {
    starting: [],
    ready: ['next'],
    invoking: ['next', 'dispatch'],
    receiving: ['next', 'dispatch', 'receive'],
    responded: ['next', 'dispatch', 'receive', 'complete'],
    failed: ['init-error'],
    ended: ['end'],
  };
  const allowed = new Set([
    'starting next ready',
    'starting init-error failed',
    'ready dispatch invoking',
    'invoking receive receiving',
    'receiving complete responded',
    'responded next ready',
    ...Object.keys(paths)
      .filter((state) => state !== 'ended')
      .map((state) => `${state} end ended`),
  ]);
  const events: RuntimeEvent[] = ['next', 'init-error', 'dispatch', 'receive', 'complete', 'end'];

  it.each(Object.entries(paths))('in %s takes what is listed and refuses the rest', (state, path) => {
    for (const event of events) {
      const machine = new RuntimeStateMachine();
      for (const step of path) machine.apply(step);
      expect(machine.state).toBe(state);
      const transition = [...allowed].find((text) => text.startsWith(`${state} ${event} `));
      if (transition === undefined) {
        expect(() => machine.apply(event)).toThrow(`Transition from ${state} by ${event} is not allowed`);
        expect(machine.state).toBe(state);
      } else {
        machine.apply(event);
        expect(machine.state).toBe(transition.split(' ')[2]);
      }
    }
  });
});

describe('the server', () => {
  let session: RuntimeSession;
  let port: RuntimeApiPort;
  let answers: RuntimeAnswer[];
  let ready: number;
  let initError: string | undefined;

  const self = new Set([process.getuid?.() ?? -1]);
  const open = async (uids: ReadonlySet<number>) => {
    answers = [];
    ready = 0;
    initError = undefined;
    session = new RuntimeSession();
    session.listener = {
      ready: () => ready++,
      initFailed: (errorType) => {
        initError = errorType;
      },
      answered: (answer) => answers.push(answer),
    };
    port = await new RuntimeApiServer().listen(session, uids);
  };
  beforeEach(() => open(self));
  afterEach(() => port.close());

  const call = (method: string, path: string, body?: string | Buffer, headers: Record<string, string> = {}) =>
    new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }>((resolve, reject) => {
      const url = `http://${port.address}/2018-06-01/runtime/${path}`;
      const sent = request(url, { method, headers }, (reply) => {
        const chunks: Buffer[] = [];
        reply.on('data', (chunk) => chunks.push(chunk));
        reply.on('end', () =>
          resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body: Buffer.concat(chunks).toString() }),
        );
      });
      sent.on('error', reject);
      sent.end(body);
    });
  const dispatch = (clientContext?: string) =>
    session.dispatch({
      requestId: 'id-1',
      deadlineMs: 1_700_000_000_000,
      functionArn: 'arn:f',
      traceId: 'Root=1-0-0',
      payload: Buffer.from('{"a":"ü"}'),
      ...(clientContext === undefined ? {} : { clientContext }),
    });
  /** A runtime that works on the event. */
  const invoking = async () => {
    const next = call('GET', 'invocation/next');
    while (session.machine.state !== 'ready') await new Promise(setImmediate);
    dispatch('{"custom":{}}');
    return next;
  };

  it('hands out an event with the headers of the specification, and takes its response', async () => {
    expect(await invoking()).toMatchObject({
      status: 200,
      body: '{"a":"ü"}',
      headers: {
        'lambda-runtime-aws-request-id': 'id-1',
        'lambda-runtime-deadline-ms': '1700000000000',
        'lambda-runtime-invoked-function-arn': 'arn:f',
        'lambda-runtime-trace-id': 'Root=1-0-0',
        'lambda-runtime-client-context': '{"custom":{}}',
      },
    });
    expect(await call('POST', 'invocation/id-1/response', '"done"')).toMatchObject({
      status: 202,
      body: '{"status":"OK"}',
    });
    expect(answers).toEqual([{ kind: 'response', payload: Buffer.from('"done"') }]);
    expect(ready).toBe(1);
  });

  it('takes an error, its type from the body or else from the header', async () => {
    await invoking();
    await call('POST', 'invocation/id-1/error', '{"errorType":"E","errorMessage":"m"}');
    expect(answers).toMatchObject([{ kind: 'error', errorType: 'E' }]);
    port.close();
    await open(self);
    await invoking();
    await call('POST', 'invocation/id-1/error', 'no json', { 'Lambda-Runtime-Function-Error-Type': 'H' });
    expect(answers).toMatchObject([{ kind: 'error', errorType: 'H' }]);
  });

  it('takes an init error', async () => {
    expect((await call('POST', 'init/error', '{"errorType":"Runtime.X"}')).status).toBe(202);
    expect(initError).toBe('Runtime.X');
    expect((await call('GET', 'invocation/next')).status).toBe(403);
  });

  it('answers 413 to a response above 6 MB, and takes one of just that size', async () => {
    await invoking();
    const reply = await call('POST', 'invocation/id-1/response', Buffer.alloc(MAX_RESPONSE_BYTES + 1, 'x'));
    expect(reply.status).toBe(413);
    expect(answers).toEqual([{ kind: 'too-large' }]);
    port.close();
    await open(self);
    await invoking();
    expect((await call('POST', 'invocation/id-1/response', Buffer.alloc(MAX_RESPONSE_BYTES, 'x'))).status).toBe(202);
  });

  it('refuses what the state does not allow, another request’s ID, and what it does not know', async () => {
    expect(await call('POST', 'invocation/id-1/response', '1')).toMatchObject({
      status: 400,
      body: expect.stringContaining('InvalidRequestID'),
    });
    await invoking();
    expect(await call('GET', 'invocation/next')).toMatchObject({
      status: 403,
      body: expect.stringContaining('InvalidStateTransition'),
    });
    expect((await call('POST', 'invocation/other/response', '1')).status).toBe(400);
    expect((await call('POST', 'init/error', '{}')).status).toBe(403);
    expect((await call('POST', 'invocation/id-1/response', '1')).status).toBe(202);
    expect((await call('POST', 'invocation/id-1/response', '2')).status).toBe(403);
    expect((await call('POST', 'invocation/id-1/error', '2')).status).toBe(403);
    expect((await call('POST', 'invocation/next')).status).toBe(405);
    expect((await call('GET', 'invocation/id-1/response')).status).toBe(405);
    expect((await call('GET', 'extensions')).status).toBe(404);
    expect(answers).toHaveLength(1);
  });

  it('hangs up on processes of other users', async () => {
    port.close();
    await open(new Set([(process.getuid?.() ?? 0) + 1]));
    await expect(call('GET', 'invocation/next')).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(session.machine.state).toBe('starting');
  });
});
