import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import {
  GetBucketNotificationConfigurationCommand,
  type LambdaFunctionConfiguration,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ValidationError } from '../../../../src/errors.js';
import { awsError, functionArn } from '../fixtures.js';
import { aws, collect, names } from '../mapped-bucket.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scar-triggered-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface TriggerFacts {
  prefix?: string;
  suffix?: string;
  events?: string[];
  functionName?: string;
}

/** A bucket of objects, and what invokes a function from the bucket `results`. */
function triggered({ prefix, suffix, events = ['s3:ObjectCreated:*'], functionName = 'gray' }: TriggerFacts) {
  const bucket = aws({ objects: names(3) });
  const rules = Object.entries({ Prefix: prefix, Suffix: suffix }).flatMap(([Name, Value]) =>
    Value ? [{ Name, Value }] : [],
  );
  const entry = {
    Id: 'scar-1',
    LambdaFunctionArn: functionArn(functionName),
    Events: events,
    Filter: { Key: { FilterRules: rules } },
  } as LambdaFunctionConfiguration;
  bucket.s3.on(GetBucketNotificationConfigurationCommand).callsFake(({ Bucket }) => ({
    LambdaFunctionConfigurations: Bucket === 'results' ? [entry] : [],
  }));
  return bucket;
}

const touched = ({ lambda, s3 }: ReturnType<typeof aws>) =>
  lambda.commandCalls(InvokeCommand).length + s3.commandCalls(PutObjectCommand).length;

describe('a place in a bucket where a trigger of the function looks', () => {
  it.each([
    ['results', { results: { bucket: 'results', prefix: 'input/runs/' } }, { prefix: 'input/' }],
    ['results', { results: { bucket: 'results', prefix: 'input/' } }, { prefix: 'input/2' }],
    ['results', { results: { bucket: 'results' } }, {}],
    ['results', { results: { bucket: 'results' } }, { prefix: 'scar-', events: ['s3:ObjectCreated:Put'] }],
    ['results', { mode: 'async', results: { bucket: 'results' } }, {}],
    ['journal', { journal: { bucket: 'results' } }, {}],
    ['results', { results: { bucket: 'results' } }, { functionName: 'gray:live' }],
  ] as const)('is refused before anything is sent or written: %s %j', async (option, options, trigger) => {
    const bucket = triggered(trigger as TriggerFacts);
    const error = await collect(bucket.map(options)).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ValidationError);
    expect(error).toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(new RegExp(`^${option} must not lie where a trigger of the function looks`)),
    });
    expect(touched(bucket)).toBe(0);
  });

  it.each([
    ['another prefix', { prefix: 'input/' }],
    ['keys of another kind', { suffix: '.jpg' }],
    ['objects that go', { events: ['s3:ObjectRemoved:*'] }],
    ['another function', { functionName: 'gray-2' }],
  ])('is fine if the trigger looks for %s', async (_, trigger) => {
    const bucket = triggered(trigger);
    expect(await collect(bucket.map({ results: { bucket: 'results' } }))).toHaveLength(3);
  });

  it('is refused where a run goes on', async () => {
    const bucket = triggered({ functionName: 'other' });
    const run = bucket.map({ results: { bucket: 'results' }, journal: folder });
    for await (const _ of run) break;
    const later = triggered({});
    const rest = collect(later.resume(run.runId, { journal: folder }));
    await expect(rest).rejects.toThrow(/^results must not lie where a trigger/);
    expect(touched(later)).toBe(0);
  });

  it('is not known to who may not read triggers', async () => {
    const bucket = triggered({});
    bucket.s3.on(GetBucketNotificationConfigurationCommand).rejects(awsError('AccessDenied', 'no', {}, 403));
    expect(await collect(bucket.map({ results: { bucket: 'results' } }))).toHaveLength(3);
  });

  it('is not asked for where nothing is kept in a bucket', async () => {
    const bucket = triggered({});
    await collect(bucket.map({ journal: folder }));
    expect(bucket.s3.commandCalls(GetBucketNotificationConfigurationCommand)).toEqual([]);
  });
});
