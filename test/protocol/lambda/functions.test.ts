import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AddPermissionCommand,
  CreateAliasCommand,
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  DeleteFunctionCommand,
  DeleteFunctionConcurrencyCommand,
  GetAccountSettingsCommand,
  GetFunctionCommand,
  GetFunctionConcurrencyCommand,
  GetFunctionConfigurationCommand,
  GetPolicyCommand,
  ListFunctionsCommand,
  ListTagsCommand,
  PutFunctionConcurrencyCommand,
  RemovePermissionCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  type UpdateFunctionConfigurationCommandInput,
} from '@aws-sdk/client-lambda';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { removeTree } from '../../../src/util/remove-tree.js';
import { LambdaBench, ROLE, zip } from '../../support/lambda.js';

let bench: LambdaBench;
beforeEach(async () => {
  bench = await LambdaBench.open();
});
afterEach(() => bench[Symbol.asyncDispose]());

const ONE = 'export const handler = async () => 1';
const TWO = 'export const handler = async () => 2';
const ARN = 'arn:aws:lambda:eu-west-1:000000000000:function:probe';

const reopen = async (...options: Parameters<typeof LambdaBench.open>) => {
  await bench[Symbol.asyncDispose]();
  bench = await LambdaBench.open(...options);
};
const request = (settings: Partial<CreateFunctionCommandInput> = {}): CreateFunctionCommandInput => ({
  FunctionName: 'probe',
  Role: ROLE,
  Runtime: 'nodejs22.x',
  Handler: 'index.handler',
  Code: { ZipFile: zip({ 'index.mjs': ONE }) },
  ...settings,
});
const create = (settings: Partial<CreateFunctionCommandInput> = {}) =>
  bench.client.send(new CreateFunctionCommand(request(settings)));
const configuration = (FunctionName = 'probe') =>
  bench.client.send(new GetFunctionConfigurationCommand({ FunctionName }));
const update = (settings: Partial<UpdateFunctionConfigurationCommandInput>) =>
  bench.client.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'probe', ...settings }));

const notFound = { name: 'ResourceNotFoundException', $metadata: { httpStatusCode: 404 } };
const conflict = { name: 'ResourceConflictException', $metadata: { httpStatusCode: 409 } };
const invalid = { name: 'InvalidParameterValueException', $metadata: { httpStatusCode: 400 } };

describe('CreateFunction', () => {
  it('answers the whole configuration, with Lambda’s defaults', async () => {
    const created = await create();
    expect(created.$metadata.httpStatusCode).toBe(201);
    expect(created).toMatchObject({
      FunctionName: 'probe',
      FunctionArn: ARN,
      Runtime: 'nodejs22.x',
      Role: ROLE,
      Handler: 'index.handler',
      CodeSize: zip({ 'index.mjs': ONE }).length,
      CodeSha256: expect.stringMatching(/^[A-Za-z0-9+/]{43}=$/),
      Description: '',
      Timeout: 3,
      MemorySize: 128,
      LastModified: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/),
      Version: '$LATEST',
      RevisionId: expect.any(String),
      State: 'Pending',
      StateReasonCode: 'Creating',
      PackageType: 'Zip',
      EphemeralStorage: { Size: 512 },
      LoggingConfig: { LogFormat: 'Text', LogGroup: '/aws/lambda/probe' },
    });
    expect(created.Environment).toBeUndefined();
  });

  it('makes a function that is Pending, cannot be invoked or changed, and then is Active', async () => {
    await reopen({ stateDelayMs: 300 });
    await create();
    expect((await configuration()).State).toBe('Pending');
    await expect(bench.invoke('probe')).rejects.toMatchObject({
      ...conflict,
      message:
        'The operation cannot be performed at this time. The function is currently in the following state: Pending',
    });
    await expect(update({ Timeout: 5 })).rejects.toMatchObject(conflict);
    await bench.settled('probe');
    expect(await configuration()).toMatchObject({ State: 'Active', LastUpdateStatus: 'Successful' });
    expect((await bench.invoke('probe')).result).toBe(1);
  });

  it('refuses a name that is taken', async () => {
    await create();
    await expect(create()).rejects.toMatchObject({ ...conflict, message: 'Function already exist: probe' });
  });

  const constraint = (text: string) => ({ name: 'ValidationException', message: expect.stringContaining(text) });
  const refusal = (text: string) => ({ ...invalid, message: expect.stringContaining(text) });
  it.each<[string, Partial<CreateFunctionCommandInput>, object]>([
    [
      'memory',
      { MemorySize: 64 },
      constraint(
        "Value '64' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128",
      ),
    ],
    ['memory', { MemorySize: 10_241 }, constraint('less than or equal to 10240')],
    ['timeout', { Timeout: 0 }, constraint("Value '0' at 'timeout'")],
    ['timeout', { Timeout: 901 }, constraint('less than or equal to 900')],
    ['ephemeral storage', { EphemeralStorage: { Size: 511 } }, constraint("at 'ephemeralStorage.size'")],
    ['ephemeral storage', { EphemeralStorage: { Size: 10_241 } }, constraint('less than or equal to 10240')],
    [
      'name',
      { FunctionName: 'a b' },
      constraint("at 'functionName' failed to satisfy constraint: Member must satisfy regular expression"),
    ],
    ['name', { FunctionName: 'x'.repeat(65) }, constraint('less than or equal to 64')],
    ['role', { Role: 'admin' }, constraint("Value 'admin' at 'role'")],
    ['handler', { Handler: 'index handler' }, constraint("at 'handler'")],
    ['runtime', { Runtime: 'python3.13' }, refusal("Value python3.13 at 'runtime'")],
    ['missing handler', { Handler: undefined }, refusal('Runtime and Handler are mandatory')],
    ['reserved variable', { Environment: { Variables: { AWS_REGION: 'x', _HANDLER: 'y' } } }, constraint("'_HANDLER'")],
    [
      'reserved variable',
      { Environment: { Variables: { AWS_REGION: 'x' } } },
      refusal('Reserved keys used in this request: AWS_REGION'),
    ],
    [
      'variables above 4 KB',
      { Environment: { Variables: { BIG: 'x'.repeat(4096) } } },
      refusal('exceeded the 4KB limit'),
    ],
    ['no code', { Code: {} }, refusal('Please provide a source for function code.')],
    ['no zip', { Code: { ZipFile: Buffer.from('hello') } }, refusal('Could not unzip uploaded file.')],
    [
      'an object that is not there',
      { Code: { S3Bucket: 'b', S3Key: 'k' } },
      refusal('Error occurred while GetObject. S3 Error Code: NoSuchKey'),
    ],
    [
      'image',
      { PackageType: 'Image', Code: { ImageUri: 'x' } },
      refusal('PackageType Image is not supported by the embedded engine'),
    ],
    ['layers', { Layers: ['arn:aws:lambda:eu-west-1:000000000000:layer:x:1'] }, refusal('Layers is not supported')],
    ['tracing', { TracingConfig: { Mode: 'Active' } }, refusal('TracingConfig.Mode Active is not supported')],
    ['publishing', { Publish: true }, refusal('Publish is not supported')],
    ['another machine', { Architectures: [process.arch === 'arm64' ? 'x86_64' : 'arm64'] }, refusal('Architectures [')],
    ['tag', { Tags: { 'aws:x': 'y' } }, refusal('Tag keys starting with aws:')],
  ])('refuses a bad %s: %o', async (_, settings, error) => {
    await expect(create(settings)).rejects.toMatchObject(error);
    await expect(configuration()).rejects.toMatchObject(notFound);
  });

  it('takes what asks for nothing', async () => {
    const created = await create({ Layers: [], VpcConfig: { SubnetIds: [], SecurityGroupIds: [] }, Publish: false });
    expect(created.FunctionName).toBe('probe');
  });

  it('takes its code from S3', async () => {
    const code = zip({ 'index.mjs': TWO });
    await reopen({ readObject: async (bucket, key) => Buffer.from(bucket === 'b' && key === 'k' ? code : []) });
    await create({ Code: { S3Bucket: 'b', S3Key: 'k' } });
    await bench.settled('probe');
    expect((await bench.invoke('probe')).result).toBe(2);
  });

  it('passes variables, settings and a log group on', async () => {
    await bench.create(
      'probe',
      `export const handler = async () => [process.env.LEVEL, process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE]`,
      { Environment: { Variables: { LEVEL: '3' } }, MemorySize: 300, LoggingConfig: { LogGroup: '/own/group' } },
    );
    expect((await bench.invoke('probe')).result).toEqual(['3', '300']);
    expect(bench.logs.every((line) => line.group === '/own/group')).toBe(true);
  });
});

describe('reading functions', () => {
  it('lists them by name, page by page', async () => {
    for (const name of ['b', 'a', 'c']) await bench.create(name, ONE);
    const first = await bench.client.send(new ListFunctionsCommand({ MaxItems: 2 }));
    expect(first.Functions?.map((found) => found.FunctionName)).toEqual(['a', 'b']);
    const second = await bench.client.send(new ListFunctionsCommand({ MaxItems: 2, Marker: first.NextMarker }));
    expect(second.Functions?.map((found) => found.FunctionName)).toEqual(['c']);
    expect(second.NextMarker).toBeUndefined();
    await expect(bench.client.send(new ListFunctionsCommand({ MaxItems: 0 }))).rejects.toMatchObject({
      name: 'ValidationException',
    });
  });

  it('gives a link to the code that works, to nobody who only guesses', async () => {
    await bench.create('probe', ONE, { Tags: { a: '1' } });
    const { Code, Tags } = await bench.client.send(new GetFunctionCommand({ FunctionName: 'probe' }));
    expect(Tags).toEqual({ a: '1' });
    const location = Code?.Location ?? '';
    const zipped = Buffer.from(await (await fetch(location)).arrayBuffer());
    expect(zipped.equals(Buffer.from(zip({ 'index.mjs': ONE })))).toBe(true);
    expect((await fetch(location.replace(/.$/, (c) => (c === '0' ? '1' : '0')))).status).toBe(403);
  });

  it('names the ARN that it did not find', async () => {
    await expect(configuration('nobody')).rejects.toMatchObject({
      ...notFound,
      message: 'Function not found: arn:aws:lambda:eu-west-1:000000000000:function:nobody',
    });
  });
});

describe('updates', () => {
  it('of the configuration are in progress, then successful; what was not named stays', async () => {
    await reopen({ stateDelayMs: 200 });
    await bench.create('probe', `export const handler = async () => process.env.LEVEL ?? 'none'`, {
      Environment: { Variables: { LEVEL: '1' } },
      Description: 'kept',
    });
    const before = await configuration();
    const changed = await update({ Timeout: 7, Environment: { Variables: { LEVEL: '2' } } });
    expect(changed).toMatchObject({ Timeout: 7, Description: 'kept', LastUpdateStatus: 'InProgress', State: 'Active' });
    expect(changed.RevisionId).not.toBe(before.RevisionId);
    await expect(update({ Timeout: 8 })).rejects.toMatchObject({
      ...conflict,
      message: `The operation cannot be performed at this time. An update is in progress for resource: ${ARN}`,
    });
    expect((await bench.invoke('probe')).result).toBe('1');
    await bench.settled('probe');
    expect((await configuration()).LastUpdateStatus).toBe('Successful');
    expect((await bench.invoke('probe')).result).toBe('2');
  });

  it('of the code change the digest, and the old code goes', async () => {
    await bench.create('probe', ONE);
    expect((await bench.invoke('probe')).result).toBe(1);
    const before = await configuration();
    const code = () => readdirSync(join(bench.folder, 'code'));
    const old = code();
    const changed = await bench.client.send(
      new UpdateFunctionCodeCommand({ FunctionName: 'probe', ZipFile: zip({ 'index.mjs': TWO }) }),
    );
    expect(changed.CodeSha256).not.toBe(before.CodeSha256);
    await bench.settled('probe');
    expect((await bench.invoke('probe')).result).toBe(2);
    await vi.waitFor(() => expect(code().some((name) => old.includes(name))).toBe(false), 5000);
  });

  it('can be tried, and bound to a revision', async () => {
    await bench.create('probe', ONE);
    const { RevisionId, CodeSha256 } = await configuration();
    const ZipFile = zip({ 'index.mjs': TWO });
    await bench.client.send(new UpdateFunctionCodeCommand({ FunctionName: 'probe', ZipFile, DryRun: true }));
    expect((await configuration()).CodeSha256).toBe(CodeSha256);
    await expect(update({ Timeout: 9, RevisionId: 'another' })).rejects.toMatchObject({
      name: 'PreconditionFailedException',
      $metadata: { httpStatusCode: 412 },
    });
    expect((await update({ Timeout: 9, RevisionId })).Timeout).toBe(9);
  });

  it('are checked as new functions are', async () => {
    await bench.create('probe', ONE);
    await expect(update({ MemorySize: 1 })).rejects.toMatchObject({ name: 'ValidationException' });
    await expect(update({ Layers: ['x'] })).rejects.toMatchObject(invalid);
  });
});

it('DeleteFunction removes the function, its environments and its code', async () => {
  await bench.create('probe', 'export const handler = async () => process.pid');
  const pid = (await bench.invoke('probe')).result;
  await bench.client.send(new DeleteFunctionCommand({ FunctionName: 'probe' }));
  await expect(configuration()).rejects.toMatchObject(notFound);
  await expect(bench.client.send(new DeleteFunctionCommand({ FunctionName: 'probe' }))).rejects.toMatchObject(notFound);
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), 5000);
  await vi.waitFor(() => expect(readdirSync(join(bench.folder, 'code'))).toEqual([]), 5000);
  await bench.create('probe', ONE);
  expect((await bench.invoke('probe')).result).toBe(1);
});

describe('permissions', () => {
  const add = (settings = {}) =>
    bench.client.send(
      new AddPermissionCommand({
        FunctionName: 'probe',
        StatementId: 's3',
        Action: 'lambda:InvokeFunction',
        Principal: 's3.amazonaws.com',
        SourceArn: 'arn:aws:s3:::b',
        SourceAccount: '000000000000',
        ...settings,
      }),
    );
  const policy = async () => {
    const { Policy } = await bench.client.send(new GetPolicyCommand({ FunctionName: 'probe' }));
    return JSON.parse(Policy ?? '{}').Statement;
  };
  beforeEach(() => bench.create('probe', ONE));

  it('are statements of a policy, each under an ID of its own', async () => {
    await expect(policy()).rejects.toMatchObject({
      ...notFound,
      message: 'The resource you requested does not exist.',
    });
    const { Statement } = await add();
    const expected = {
      Sid: 's3',
      Effect: 'Allow',
      Principal: { Service: 's3.amazonaws.com' },
      Action: 'lambda:InvokeFunction',
      Resource: ARN,
      Condition: {
        StringEquals: { 'AWS:SourceAccount': '000000000000' },
        ArnLike: { 'AWS:SourceArn': 'arn:aws:s3:::b' },
      },
    };
    expect(JSON.parse(Statement ?? '')).toEqual(expected);
    expect(await policy()).toEqual([expected]);
    await expect(add()).rejects.toMatchObject({
      ...conflict,
      message: expect.stringContaining('The statement id (s3) provided already exists.'),
    });
    await bench.client.send(new RemovePermissionCommand({ FunctionName: 'probe', StatementId: 's3' }));
    await expect(policy()).rejects.toMatchObject(notFound);
    await expect(
      bench.client.send(new RemovePermissionCommand({ FunctionName: 'probe', StatementId: 's3' })),
    ).rejects.toMatchObject({ ...notFound, message: 'Statement s3 is not found in resource policy.' });
  });

  it('are what lets a bucket in', async () => {
    const from = (bucket: string, accountId = '000000000000') =>
      bench.lambda.refusal(ARN, { bucketArn: `arn:aws:s3:::${bucket}`, accountId });
    expect(from('b')).toContain('does not permit');
    await add();
    expect(from('b')).toBeUndefined();
    expect(from('other')).toContain('does not permit');
    expect(from('b', '111111111111')).toContain('does not permit');
    await add({ StatementId: 'all', SourceArn: 'arn:aws:s3:::pre-*', SourceAccount: undefined });
    expect(from('pre-x')).toBeUndefined();
    expect(bench.lambda.refusal(`${ARN}x`, { bucketArn: 'arn:aws:s3:::b', accountId: '000000000000' })).toContain(
      'does not exist',
    );
  });

  it.each([
    [{ Principal: 'nobody' }, 'InvalidParameterValueException'],
    [{ StatementId: 'a b' }, 'ValidationException'],
    [{ Action: 'invoke' }, 'ValidationException'],
    [{ PrincipalOrgID: 'o-1234567890' }, 'InvalidParameterValueException'],
  ])('refuse %o', async (settings, name) => {
    await expect(add(settings)).rejects.toMatchObject({ name });
  });
});

it('tags are set, read and removed by ARN', async () => {
  const Resource = await bench.create('probe', ONE, { Tags: { createdby: 'scar' } });
  const tags = async () => (await bench.client.send(new ListTagsCommand({ Resource }))).Tags;
  await bench.client.send(new TagResourceCommand({ Resource, Tags: { owner: 'me', 'with space': 'x' } }));
  expect(await tags()).toEqual({ createdby: 'scar', owner: 'me', 'with space': 'x' });
  await bench.client.send(new UntagResourceCommand({ Resource, TagKeys: ['owner', 'with space'] }));
  expect(await tags()).toEqual({ createdby: 'scar' });
  await expect(
    bench.client.send(
      new TagResourceCommand({
        Resource,
        Tags: Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`t${n}`, ''])),
      }),
    ),
  ).rejects.toMatchObject(invalid);
});

describe('reserved concurrency', () => {
  const put = (count: number, FunctionName = 'probe') =>
    bench.client.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: count }));
  const account = async () => (await bench.client.send(new GetAccountSettingsCommand({}))).AccountLimit;

  it('is taken from the account, and must leave it a tenth', async () => {
    for (const name of ['probe', 'other']) await bench.create(name, ONE);
    expect(await account()).toMatchObject({ ConcurrentExecutions: 10, UnreservedConcurrentExecutions: 10 });
    expect((await put(6)).ReservedConcurrentExecutions).toBe(6);
    expect((await account())?.UnreservedConcurrentExecutions).toBe(4);
    await expect(put(4, 'other')).rejects.toMatchObject({
      ...invalid,
      message:
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [1].",
    });
    await put(3, 'other');
    await put(5);
    await put(6);
    const read = () => bench.client.send(new GetFunctionConcurrencyCommand({ FunctionName: 'probe' }));
    expect((await read()).ReservedConcurrentExecutions).toBe(6);
    const whole = await bench.client.send(new GetFunctionCommand({ FunctionName: 'probe' }));
    expect(whole.Concurrency).toEqual({ ReservedConcurrentExecutions: 6 });
    await bench.client.send(new DeleteFunctionConcurrencyCommand({ FunctionName: 'probe' }));
    expect((await read()).ReservedConcurrentExecutions).toBeUndefined();
    expect((await account())?.UnreservedConcurrentExecutions).toBe(7);
  });

  it('of 0 stops a function', async () => {
    await bench.create('probe', ONE);
    await put(0);
    await expect(bench.invoke('probe')).rejects.toMatchObject({
      name: 'TooManyRequestsException',
      Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
    });
  });
});

it('GetAccountSettings counts functions and their code', async () => {
  await bench.create('probe', ONE);
  const settings = await bench.client.send(new GetAccountSettingsCommand({}));
  expect(settings.AccountLimit).toMatchObject({ CodeSizeUnzipped: 262_144_000, CodeSizeZipped: 52_428_800 });
  expect(settings.AccountUsage).toEqual({ FunctionCount: 1, TotalCodeSize: zip({ 'index.mjs': ONE }).length });
});

it('functions outlive the engine, with all that was set', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lambda-'));
  await reopen({ folder });
  await bench.create('probe', ONE, { Tags: { a: '1' }, Timeout: 7 });
  await bench.client.send(
    new PutFunctionConcurrencyCommand({ FunctionName: 'probe', ReservedConcurrentExecutions: 2 }),
  );
  await bench.close();
  bench = await LambdaBench.open({ folder });
  expect(await bench.client.send(new GetFunctionCommand({ FunctionName: 'probe' }))).toMatchObject({
    Configuration: { Timeout: 7, State: 'Active' },
    Tags: { a: '1' },
    Concurrency: { ReservedConcurrentExecutions: 2 },
  });
  expect((await bench.invoke('probe')).result).toBe(1);
  await bench.close();
  expect(existsSync(join(folder, 'run'))).toBe(true);
  expect(readdirSync(join(folder, 'run'))).toEqual([]);
  await removeTree(folder);
  bench = await LambdaBench.open();
});

it('refuses operations that it does not know by name', async () => {
  const command = new CreateAliasCommand({ FunctionName: 'probe', Name: 'live', FunctionVersion: '1' });
  await expect(bench.client.send(command)).rejects.toMatchObject({
    message: expect.stringContaining('does not implement CreateAlias'),
  });
});
