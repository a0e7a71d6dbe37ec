import { PassThrough } from 'node:stream';
import { CreateBucketCommand, DeleteBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ObjectStore, readText } from '../../../src/aws/object-store.js';
import { objectStore } from '../../../src/aws/s3.js';
import type { ContainerOutcome, InvocationOptions, InvocationResponse } from '../../../src/contract/index.js';
import { Answers } from '../../../supervisor/answers.js';
import { divideTime } from '../../../supervisor/budget.js';
import { CLAIM_TIMES, type ClaimTimes } from '../../../supervisor/stored-answer.js';
import { type S3Engine, startS3Engine } from '../../support/s3-engine.js';

const input = { bucket: 'data', key: 'input/a' };
const record = { idempotencyKey: 'k1', input, event: {} };

let s3: S3Engine;
let real: ObjectStore;
let runs: string[];
let results: NonNullable<InvocationOptions['results']>;
let buckets = 0;

beforeAll(async () => {
  s3 = await startS3Engine();
  real = objectStore(s3.client);
});
afterAll(async () => {
  expect(s3.failures).toEqual([]);
  await s3.close();
});
beforeEach(async () => {
  runs = [];
  results = { bucket: `results-${buckets++}`, prefix: 'runs/1/' };
  await s3.client.send(new CreateBucketCommand({ Bucket: results.bucket }));
});

/** One execution environment's part of it. */
class Environment {
  readonly log = new PassThrough();
  readonly answers: Answers;

  constructor(times: Partial<ClaimTimes> = {}, store: Partial<ObjectStore> = {}) {
    const methods = { head: real.head.bind(real), read: real.read.bind(real), write: real.write.bind(real) };
    const seen = { ...methods, ...store } as ObjectStore;
    this.answers = new Answers(
      { log: this.log, store: async () => seen },
      { ...CLAIM_TIMES, firstPauseMs: 2, longestPauseMs: 5, ...times },
    );
  }

  get said(): string {
    return String(this.log.read() ?? '');
  }

  /** An invocation with one record; its container notes that it ran. One without patience has no time to wait for another. */
  invoke(
    requestId: string,
    options: Partial<InvocationOptions> = {},
    {
      key = 'k1',
      patient = true,
      serve = async () => {},
    }: { key?: string; patient?: boolean; serve?: () => Promise<void> } = {},
  ): Promise<ContainerOutcome> {
    const budget = divideTime(60_000, 10_000, { keepsAnswers: options.results !== undefined });
    const asking = {
      options: { version: 1 as const, ...options },
      budget: patient ? budget : { ...budget, containerEnd: performance.now() },
      response: responseTo(requestId),
    };
    return this.answers.once({ ...record, idempotencyKey: key }, asking, async () => {
      runs.push(requestId);
      await serve();
      return outcome(`by ${requestId}`);
    });
  }
}

function responseTo(requestId: string): InvocationResponse {
  const image = { digest: 'sha256:0', pulled: false };
  return { scar: 1, requestId, environmentId: 'env', coldStart: false, image, runner: 'in-process', outcomes: [] };
}

function outcome(text: string): ContainerOutcome {
  return {
    status: 'succeeded',
    input,
    exitCode: 0,
    signal: null,
    outputs: [],
    stdout: { text, bytes: text.length },
    stderr: { text: '', bytes: 0 },
    timings: { pullMs: 0, stageInMs: 0, containerMs: 1, stageOutMs: 0 },
  };
}

const address = () => ({ bucket: results.bucket, key: 'runs/1/k1' });
const stored = async () => JSON.parse(await readText(real, address())) as InvocationResponse;
const claimOf = (requestId: string, metadata: Record<string, string> = {}) =>
  real.write(address(), '', {
    metadata: { 'scar-request-id': requestId, 'scar-claim': 'm', 'scar-remaining-ms': '60000', ...metadata },
  });

describe('without a place for results', () => {
  it('answers a repeated key from the memory of the environment, and only there', async () => {
    const [here, there] = [new Environment(), new Environment()];
    expect(await here.invoke('r1')).toEqual(outcome('by r1'));
    expect(await here.invoke('r2')).toEqual({ ...outcome('by r1'), repeated: true });
    expect(here.said).toBe('scar: idempotency key k1 was answered by request r1: nothing runs again\n');
    expect(await here.invoke('r3', {}, { key: 'k2' })).toEqual(outcome('by r3'));
    expect(await there.invoke('r4')).toEqual(outcome('by r4'));
    expect(runs).toEqual(['r1', 'r3', 'r4']);
  });

  it('asks for no store', async () => {
    const store = () => Promise.reject(new Error('the store was asked for'));
    const answers = new Answers({ log: new PassThrough(), store });
    const asking = {
      options: { version: 1 as const },
      budget: divideTime(60_000, 10_000),
      response: responseTo('r1'),
    };
    for (const keyed of [record, { event: {} }]) {
      expect(await answers.once(keyed, asking, async () => outcome('ran'))).toEqual(outcome('ran'));
    }
  });
});

describe('with a place for results', () => {
  it('keeps the answer as a response of its own, for every environment', async () => {
    expect(await new Environment().invoke('r1', { results })).toEqual(outcome('by r1'));
    expect(await stored()).toEqual({ ...responseTo('r1'), outcomes: [outcome('by r1')] });
    const { contentType, metadata } = await real.head(address());
    expect({ contentType, metadata }).toEqual({
      contentType: 'application/json',
      metadata: { 'scar-request-id': 'r1', 'scar-outcome': 'succeeded' },
    });
    expect(await new Environment().invoke('r2', { results })).toEqual({ ...outcome('by r1'), repeated: true });
    expect(runs).toEqual(['r1']);
  });

  it('keys of other places are others', async () => {
    const environment = new Environment();
    await environment.invoke('r1', { results });
    await environment.invoke('r2', { results: { ...results, prefix: 'runs/2/' } });
    await environment.invoke('r3');
    expect(runs).toEqual(['r1', 'r2', 'r3']);
  });

  it('waits for the answer of an invocation that serves the key at the time', async () => {
    let looks = 0;
    const head: ObjectStore['head'] = (object, signal) => {
      looks++;
      return real.head(object, signal);
    };
    let finish = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let second: Promise<ContainerOutcome> | undefined;
    const first = new Environment().invoke(
      'r1',
      { results },
      {
        serve: async () => {
          second = new Environment({}, { head }).invoke('r2', { results });
          await finished;
        },
      },
    );
    await vi.waitFor(() => expect(looks).toBeGreaterThan(2));
    finish();
    expect(await first).toEqual(outcome('by r1'));
    expect(await second).toEqual({ ...outcome('by r1'), repeated: true });
    expect(runs).toEqual(['r1']);
  });

  it('of many at once lets one run', async () => {
    const environments = Array.from({ length: 12 }, () => new Environment());
    const outcomes = await Promise.all(environments.map((one, n) => one.invoke(`r${n}`, { results })));
    expect(runs).toHaveLength(1);
    expect(outcomes.map(({ stdout }) => stdout.text)).toEqual(outcomes.map(() => `by ${runs[0]}`));
    expect(outcomes.filter(({ repeated }) => repeated)).toHaveLength(11);
  });

  it('knows its own claim when the reply to it was lost', async () => {
    const write: ObjectStore['write'] = async (...args) => {
      await real.write(...args);
      return real.write(...args);
    };
    expect(await new Environment({}, { write }).invoke('r1', { results })).toEqual(outcome('by r1'));
    expect(runs).toEqual(['r1']);
  });

  it('claims again what was removed before it could be read', async () => {
    await claimOf('r0');
    const head: ObjectStore['head'] = async (object, signal) => {
      await real.delete(object);
      return real.head(object, signal);
    };
    expect(await new Environment({}, { head }).invoke('r1', { results })).toEqual(outcome('by r1'));
  });
});

describe('a claim that is never answered', () => {
  // Ages have whole seconds: a negative grace makes a claim old that was made just now.
  const old = { graceMs: -60_001 };

  it('is lost once its maker cannot live any more, and stays so', async () => {
    await claimOf('r0');
    const lost = await new Environment(old).invoke('r1', { results });
    expect(lost).toMatchObject({ status: 'failed', reason: 'lost', input, exitCode: null, outputs: [] });
    expect(lost).not.toHaveProperty('repeated');
    expect((await stored()).outcomes).toEqual([lost]);
    expect((await real.head(address())).metadata).toEqual({ 'scar-request-id': 'r1', 'scar-outcome': 'lost' });
    expect(await new Environment().invoke('r2', { results })).toEqual({ ...lost, repeated: true });
    expect(runs).toEqual([]);
  });

  it('is the time that its maker had left that counts', async () => {
    await claimOf('r0', { 'scar-remaining-ms': '120000' });
    const outcome = await new Environment(old).invoke('r1', { results }, { patient: false });
    expect(outcome).toMatchObject({ status: 'failed', reason: 'timeout', message: expect.stringContaining('k1') });
    expect(await real.head(address())).toMatchObject({ bytes: 0, metadata: { 'scar-request-id': 'r0' } });
  });

  it('is of an attempt that has ended when Lambda repeats the request', async () => {
    await claimOf('r0');
    const ended = { repetitionMs: -1 };
    expect(await new Environment(ended).invoke('r1', { results }, { patient: false })).toMatchObject({
      reason: 'timeout',
    });
    expect(await new Environment(ended).invoke('r0', { results })).toMatchObject({ reason: 'lost' });
  });

  it('may be of an attempt that goes on when the same request comes too soon to be a repetition: it fails, to be repeated', async () => {
    await claimOf('r0');
    const twice = () => new Environment().invoke('r0', { results }, { patient: false });
    await expect(twice()).rejects.toMatchObject({
      code: 'invocation-failed',
      message: expect.stringMatching(/had not answered s3:.*k1, or was dead already: when Lambda repeats the event/),
    });
    expect(await real.head(address())).toMatchObject({ bytes: 0, metadata: { 'scar-request-id': 'r0' } });
    const answer = { ...responseTo('r0'), outcomes: [outcome('by r0')] };
    await real.write(address(), JSON.stringify(answer));
    expect(await twice()).toEqual({ ...outcome('by r0'), repeated: true });
    expect(runs).toEqual([]);
  });

  it('is not lost if it was answered in the last moment', async () => {
    await claimOf('r0');
    const late = JSON.stringify({ ...responseTo('r0'), outcomes: [outcome('by r0')] });
    const write: ObjectStore['write'] = async (object, bytes, options) => {
      if (options?.ifMatch) await real.write(object, late);
      return real.write(object, bytes, options);
    };
    const found = await new Environment(old, { write }).invoke('r1', { results });
    expect(found).toEqual({ ...outcome('by r0'), repeated: true });
    expect(await readText(real, address())).toBe(late);
  });

  it('was taken for dead too early: the answer of who lives takes the place', async () => {
    const slow = new Environment().invoke(
      'r0',
      { results },
      {
        serve: async () => {
          expect(await new Environment(old).invoke('r1', { results })).toMatchObject({ reason: 'lost' });
        },
      },
    );
    expect(await slow).toEqual(outcome('by r0'));
    expect((await stored()).requestId).toBe('r0');
  });
});

describe('what cannot be written', () => {
  const drop = async () => {
    await real.delete(address());
    await s3.client.send(new DeleteBucketCommand({ Bucket: results.bucket }));
  };

  it('a claim: nothing runs, and the invocation fails', async () => {
    await drop();
    await expect(new Environment().invoke('r1', { results })).rejects.toMatchObject({
      code: 'invocation-failed',
      message: expect.stringMatching(/could not be claimed, so nothing ran: .*there is no bucket/),
    });
    expect(runs).toEqual([]);
  });

  it('an answer: the invocation fails, and its repetition in the environment writes it', async () => {
    const environment = new Environment();
    await expect(environment.invoke('r1', { results }, { serve: drop })).rejects.toMatchObject({
      code: 'invocation-failed',
      message: expect.stringMatching(/runs\/1\/k1 could not be kept: .*there is no bucket/),
    });
    await s3.client.send(new CreateBucketCommand({ Bucket: results.bucket }));
    expect(await environment.invoke('r1', { results })).toEqual({ ...outcome('by r1'), repeated: true });
    expect((await stored()).outcomes).toEqual([outcome('by r1')]);
    expect(runs).toEqual(['r1']);
  });

  it('something else in the place of an answer is shown', async () => {
    await real.write(address(), 'hello');
    await expect(new Environment().invoke('r1', { results })).rejects.toThrow('it begins "hello"');
    expect(await readText(real, address())).toBe('hello');
  });
});
