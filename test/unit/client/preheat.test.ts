import { GetAccountSettingsCommand, GetFunctionConcurrencyCommand, InvokeCommand } from '@aws-sdk/client-lambda';
import { describe, expect, it } from 'vitest';
import { type PreheatOptions, preheat } from '../../../src/client/preheat.js';
import { answer, response } from './answers.js';
import { awsError, mockedContext } from './fixtures.js';

/** Lambda that gives each event of a burst the environment that the test says. */
function withEnvironments(environmentOf: (event: number) => string, unreserved = 1000) {
  const aws = mockedContext();
  aws.lambda.on(GetFunctionConcurrencyCommand).resolves({});
  aws.lambda
    .on(GetAccountSettingsCommand)
    .resolves({ AccountLimit: { ConcurrentExecutions: 1000, UnreservedConcurrentExecutions: unreserved } });
  const held: number[] = [];
  const seen = new Set<string>();
  aws.lambda.on(InvokeCommand).callsFake((input) => {
    const { scar } = JSON.parse(Buffer.from(input.Payload).toString());
    expect(scar).toMatchObject({ version: 1, action: 'preheat' });
    held.push(scar.holdMs);
    const environmentId = environmentOf(held.length - 1);
    const fresh = !seen.has(environmentId);
    seen.add(environmentId);
    return answer(response({ environmentId, coldStart: fresh, image: { digest: 'sha256:0', pulled: fresh } }));
  });
  return { ...aws, held };
}

describe('preheat', () => {
  it('makes as many distinct environments ready as asked for', async () => {
    const { context, held, events } = withEnvironments((event) => `env-${event}`);
    expect(await preheat(context, 'gray', { environments: 20 })).toEqual({
      requested: 20,
      environments: 20,
      coldStarts: 20,
      pulled: 20,
      errors: [],
      billedMs: 2000,
    });
    expect(held).toHaveLength(20);
    expect(events.progress.at(-1)).toMatchObject({ operation: 'preheat', done: 20, total: 20 });
  });

  it('is one environment by default', async () => {
    const { context } = withEnvironments(() => 'env');
    expect(await preheat(context, 'gray')).toMatchObject({ requested: 1, environments: 1 });
  });

  it('sends all of them again, held for longer, when some environments served twice', async () => {
    const { context, held } = withEnvironments((event) => (event < 4 ? `env-${event % 2}` : `env-${event}`));
    expect(await preheat(context, 'gray', { environments: 4 })).toMatchObject({ environments: 6, coldStarts: 6 });
    expect(held).toHaveLength(8);
    expect(held[7]).toBe((held[0] ?? 0) * 2);
  });

  it('gives up after some rounds, and says so', async () => {
    const { context, events, held } = withEnvironments((event) => `env-${event % 2}`);
    expect(await preheat(context, 'gray', { environments: 3 })).toMatchObject({ requested: 3, environments: 2 });
    expect(held).toHaveLength(12);
    expect(events.warning).toMatchObject([{ code: 'preheat-incomplete', context: { requested: 3, environments: 2 } }]);
  });

  it('asks for no more than Lambda allows', async () => {
    const { context, held, events } = withEnvironments((event) => `env-${event}`, 5);
    expect(await preheat(context, 'gray', { environments: 50 })).toMatchObject({ requested: 5, environments: 5 });
    expect(held).toHaveLength(5);
    expect(events.warning).toMatchObject([{ code: 'concurrency-capped' }]);
  });

  it('throws the error when not one environment became ready', async () => {
    const { context, lambda } = withEnvironments(() => 'env');
    const [outcome] = response().outcomes;
    const failed = { ...outcome, status: 'failed', reason: 'image', message: 'The image is gone. Push it again' };
    lambda.on(InvokeCommand).resolves(answer({ ...response(), outcomes: [failed] }));
    await expect(preheat(context, 'gray', { environments: 3 })).rejects.toThrow('The image is gone');
  });

  it('tells the errors of some', async () => {
    const { context, lambda } = withEnvironments(() => 'env');
    let call = 0;
    lambda.on(InvokeCommand).callsFake(() => {
      call++;
      return call === 2
        ? answer({ errorType: 'Runtime.ExitError', errorMessage: 'crash' }, { functionError: 'Unhandled' })
        : answer(response({ environmentId: `env-${call}` }));
    });
    const result = await preheat(context, 'gray', { environments: 3 });
    expect(result.environments).toBeGreaterThanOrEqual(3);
    expect(result.errors.map((error) => error.code)).toEqual(['invocation-failed']);
  });

  it('throws when the function is not there, and for bad options', async () => {
    const { context, lambda } = withEnvironments(() => 'env');
    lambda.on(InvokeCommand).rejects(awsError('ResourceNotFoundException', 'no', {}, 404));
    await expect(preheat(context, 'gray')).rejects.toMatchObject({ code: 'function-not-found' });
    expect(() => preheat(context, 'gray', { environments: 0 })).toThrow(
      /^environments must be an integer of at least 1/,
    );
    expect(() => preheat(context, 'gray', { count: 3 } as PreheatOptions)).toThrow(
      /preheat must have only the options/,
    );
  });

  it("throws the signal's reason", async () => {
    const { context, lambda } = withEnvironments(() => 'env');
    const abort = new AbortController();
    lambda.on(InvokeCommand).callsFake(() => {
      abort.abort(new Error('enough'));
      throw Object.assign(new Error('Request aborted'), { name: 'AbortError' });
    });
    await expect(preheat(context, 'gray', { environments: 2, signal: abort.signal })).rejects.toThrow('enough');
  });
});
