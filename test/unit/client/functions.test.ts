import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DeleteLogGroupCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  DeleteFunctionCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  GetPolicyCommand,
  ListFunctionsCommand,
  ListTagsCommand,
  RemovePermissionCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import {
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetBucketNotificationConfigurationCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  PutBucketNotificationConfigurationCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deleteFunction } from '../../../src/client/delete-function.js';
import { deleteTrigger } from '../../../src/client/delete-trigger.js';
import { packFunction, unpackFunction } from '../../../src/client/function-package.js';
import { getFunction } from '../../../src/client/get-function.js';
import { listFunctions } from '../../../src/client/list-functions.js';
import { putTrigger } from '../../../src/client/put-trigger.js';
import { type UpdateFunctionOptions, updateFunction } from '../../../src/client/update-function.js';
import type { FunctionSpec } from '../../../src/contract/index.js';
import type { RootfsIndex } from '../../../src/oci/archive/index.js';
import {
  awsError,
  ballast,
  builtSupervisor,
  deletedKeys,
  functionArn,
  listKeys,
  mockedContext,
  ociLayout,
  temporaryFolder,
} from './fixtures.js';

const OLD = 'a'.repeat(64);
const spec: FunctionSpec = {
  version: 1,
  imageReference: 'oci:old',
  imageDigest: `sha256:${OLD}`,
  imageLocation: { archive: { type: 's3', bucket: 'images', key: `scar/rootfs/sha256-${OLD}.v1.tar.gz` } },
  platform: { os: 'linux', architecture: 'amd64' },
  hasScript: true,
  args: ['-old'],
  output: [{ bucket: 'results', prefix: 'out/' }],
  reserveMs: 10_000,
};

const oldKeys = ['json', 'tar.gz'].map((end) => `scar/rootfs/sha256-${OLD}.v1.${end}`);
/** Six hundred MiB. */
const index: RootfsIndex = {
  version: 1,
  image: spec.imageDigest,
  config: { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } },
  disk: { bytes: 600 * 1024 * 1024, folderBytes: 0, inodes: 1 },
  files: 1,
  contentBytes: 600 * 1024 * 1024,
  libc: 'glibc',
  chunks: [],
};
const contents = { script: Buffer.from('old script'), index };

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let supervisorDirectory: string;
let image: Awaited<ReturnType<typeof ociLayout>>;
let zip: Uint8Array;
let server: Server;
let codeLocation: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  supervisorDirectory = await builtSupervisor(folder.path);
  image = await ociLayout(folder.path);
  ({ zip } = await packFunction(supervisorDirectory, spec, contents));
  // Where GetFunction's link leads to.
  const platform = { os: 'linux', architecture: 'arm64' } as const;
  const arm64 = await packFunction(supervisorDirectory, { ...spec, platform }, contents);
  const packages = new Map([
    ['/code', zip],
    ['/code-arm64', arm64.zip],
  ]);
  server = createServer(({ url = '' }, response) =>
    response.writeHead(packages.has(url) ? 200 : 403).end(packages.get(url)),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  codeLocation = `http://127.0.0.1:${(server.address() as AddressInfo).port}/code`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await folder.remove();
});

const configuration = {
  FunctionName: 'gray',
  FunctionArn: functionArn('gray'),
  Handler: 'index.handler',
  Architectures: ['x86_64' as const],
  Role: 'arn:aws:iam::123456789012:role/scar',
  MemorySize: 512,
  Timeout: 300,
  EphemeralStorage: { Size: 512 },
  Environment: { Variables: { CONT_VAR_OLD: '1', SCAR_SETTING: 'kept' } },
  State: 'Active' as const,
  LastUpdateStatus: 'Successful' as const,
  LastModified: '2026-11-23T10:00:00.000+0000',
};
const tags = {
  createdby: 'scar',
  owner: 'tester',
  'scar:image': 'oci:old',
  'scar:digest': spec.imageDigest,
  'scar:image-store': 'images/scar/',
};
const mine = { Id: 'mine', LambdaFunctionArn: functionArn('gray'), Events: ['s3:ObjectCreated:*' as const] };
const theirs = { Id: 'theirs', LambdaFunctionArn: functionArn('grayer'), Events: ['s3:ObjectCreated:*' as const] };
const policy = JSON.stringify({
  Statement: [
    {
      Sid: 'scar-s3-1',
      Principal: { Service: 's3.amazonaws.com' },
      Condition: { ArnLike: { 'AWS:SourceArn': 'arn:aws:s3:::photos' } },
    },
    {
      Sid: 'events',
      Principal: { Service: 'events.amazonaws.com' },
      Condition: { ArnLike: { 'AWS:SourceArn': 'arn:aws:events:eu-west-1:1:rule/x' } },
    },
  ],
});

/** A function of this package's, with a trigger and its image in a bucket. */
function existing() {
  const aws = mockedContext({ supervisorDirectory, imageBucket: 'images' });
  const { lambda, s3, logs } = aws;
  lambda.onAnyCommand().resolves({});
  lambda
    .on(GetFunctionCommand)
    .resolves({ Configuration: configuration, Tags: tags, Code: { Location: codeLocation } });
  lambda.on(GetFunctionConfigurationCommand).resolves(configuration);
  lambda.on(GetPolicyCommand).resolves({ Policy: policy });
  s3.onAnyCommand().resolves({});
  s3.on(CreateMultipartUploadCommand).resolves({ UploadId: 'upload' });
  s3.on(UploadPartCommand).resolves({ ETag: 'part' });
  s3.on(GetBucketNotificationConfigurationCommand).resolves({
    EventBridgeConfiguration: {},
    LambdaFunctionConfigurations: [mine, theirs],
  });
  listKeys(s3, ...oldKeys, `scar/images/sha256-${OLD}/eu-west-1/gray`);
  logs.onAnyCommand().resolves({});
  const notifications = () =>
    s3.commandCalls(PutBucketNotificationConfigurationCommand).at(-1)?.args[0].input.NotificationConfiguration;
  return { ...aws, deletedKeys: () => deletedKeys(s3), notifications };
}

const notFound = () => awsError('ResourceNotFoundException', 'Function not found', {}, 404);
const denied = () => awsError('AccessDeniedException', 'no', {}, 403);

describe('getFunction', () => {
  it('tells all that is known, its triggers among it', async () => {
    const { context, lambda } = existing();
    lambda.on(GetFunctionCommand).resolves({
      Configuration: configuration,
      Tags: tags,
      Concurrency: { ReservedConcurrentExecutions: 5 },
    });
    expect(await getFunction(context, 'gray')).toEqual({
      name: 'gray',
      arn: functionArn('gray'),
      state: 'Active',
      stateReason: '',
      image: { reference: 'oci:old', digest: spec.imageDigest },
      architecture: 'x86_64',
      memoryMiB: 512,
      timeoutSeconds: 300,
      ephemeralStorageMiB: 512,
      environment: { OLD: '1' },
      roleArn: 'arn:aws:iam::123456789012:role/scar',
      owner: 'tester',
      tags,
      logGroup: '/aws/lambda/gray',
      codeSha256: '',
      lastModified: new Date('2026-11-23T10:00:00Z'),
      triggers: [{ bucket: 'photos', prefix: '', suffix: '', events: ['s3:ObjectCreated:*'] }],
      reservedConcurrency: 5,
    });
  });

  it('has no triggers in a bucket that is gone, and without a policy', async () => {
    const { context, s3, lambda } = existing();
    s3.on(GetBucketNotificationConfigurationCommand).rejects(awsError('NoSuchBucket', 'no', {}, 404));
    expect((await getFunction(context, 'gray')).triggers).toEqual([]);
    lambda.on(GetPolicyCommand).rejects(notFound());
    expect((await getFunction(context, 'gray')).triggers).toEqual([]);
  });

  it('throws `function-not-found`', async () => {
    const { context, lambda } = existing();
    lambda.on(GetFunctionCommand).rejects(notFound());
    await expect(getFunction(context, 'gray')).rejects.toMatchObject({
      code: 'function-not-found',
      context: { functionName: 'gray' },
    });
  });
});

describe('listFunctions', () => {
  it("lists this package's functions over all pages, and asks only those for tags that could be", async () => {
    const { context, lambda } = existing();
    const other = (name: string, Handler = 'index.handler') => ({
      ...configuration,
      FunctionName: name,
      FunctionArn: functionArn(name),
      Handler,
    });
    lambda
      .on(ListFunctionsCommand)
      .resolvesOnce({ Functions: [other('a'), other('java', 'Main::run')], NextMarker: 'm' })
      .resolvesOnce({ Functions: [other('b'), other('c'), other('gone')] });
    lambda.on(ListTagsCommand).callsFake(({ Resource }) => {
      if (Resource === functionArn('gone')) throw notFound();
      if (Resource === functionArn('b')) return { Tags: {} };
      return { Tags: { ...tags, owner: Resource === functionArn('c') ? 'other' : 'tester' } };
    });
    expect((await listFunctions(context)).map(({ name }) => name)).toEqual(['a', 'c']);
    expect(lambda.commandCalls(ListTagsCommand)).toHaveLength(4);
    lambda.on(ListFunctionsCommand).resolves({ Functions: [other('a'), other('c')] });
    expect((await listFunctions(context, { owner: 'other' })).map(({ name }) => name)).toEqual(['c']);
  });
});

describe('deleteFunction', () => {
  it('removes all that was made, nothing of others, and says what', async () => {
    const { context, lambda, logs, deletedKeys, notifications } = existing();
    expect(await deleteFunction(context, 'gray')).toEqual({
      name: 'gray',
      function: true,
      logGroup: true,
      triggers: [{ bucket: 'photos', prefix: '', suffix: '', events: ['s3:ObjectCreated:*'] }],
      imageKeys: oldKeys,
    });
    expect(notifications()).toEqual({ EventBridgeConfiguration: {}, LambdaFunctionConfigurations: [theirs] });
    expect(lambda.commandCalls(RemovePermissionCommand).map((call) => call.args[0].input.StatementId)).toEqual([
      'scar-s3-1',
    ]);
    expect(lambda.commandCalls(DeleteFunctionCommand)).toHaveLength(1);
    expect(logs.commandCalls(DeleteLogGroupCommand)[0]?.args[0].input).toEqual({ logGroupName: '/aws/lambda/gray' });
    expect(deletedKeys()[0]).toBe(`scar/images/sha256-${OLD}/eu-west-1/gray`);
  });

  it('keeps an image that another function uses', async () => {
    const { context, s3, deletedKeys } = existing();
    const other = 'b'.repeat(64);
    listKeys(s3, ...oldKeys, `scar/images/sha256-${OLD}/eu-west-1/gray`, `scar/images/sha256-${OLD}/us-east-1/gray`);
    expect((await deleteFunction(context, 'gray')).imageKeys).toEqual([]);
    expect(deletedKeys()).toEqual([`scar/images/sha256-${OLD}/eu-west-1/gray`]);
    s3.resetHistory();
    listKeys(s3, ...oldKeys, `scar/images/sha256-${OLD}/eu-west-1/gray`, `scar/images/sha256-${other}/eu-west-1/other`);
    expect((await deleteFunction(context, 'gray')).imageKeys).toEqual(oldKeys);
  });

  it('is fine when everything is gone already', async () => {
    const { context, lambda, logs, s3 } = existing();
    lambda.on(GetFunctionCommand).rejects(notFound());
    lambda.on(GetPolicyCommand).rejects(notFound());
    logs.on(DeleteLogGroupCommand).rejects(notFound());
    s3.on(ListObjectsV2Command).rejects(awsError('NoSuchBucket', 'no', {}, 404));
    expect(await deleteFunction(context, 'gray')).toEqual({
      name: 'gray',
      function: false,
      logGroup: false,
      triggers: [],
      imageKeys: [],
    });
  });

  it('cleans up after a function that somebody else deleted', async () => {
    const { context, lambda } = existing();
    lambda.on(GetFunctionCommand).rejects(notFound());
    expect(await deleteFunction(context, 'gray')).toMatchObject({
      function: false,
      logGroup: true,
      imageKeys: oldKeys,
    });
  });

  it('is fine when the trigger bucket is gone', async () => {
    const { context, s3, lambda } = existing();
    s3.on(GetBucketNotificationConfigurationCommand).rejects(awsError('NoSuchBucket', 'no', {}, 404));
    expect(await deleteFunction(context, 'gray')).toMatchObject({ function: true, triggers: [] });
    expect(lambda.commandCalls(RemovePermissionCommand)).toHaveLength(1);
  });

  it('keeps the log when asked to', async () => {
    const { context, logs } = existing();
    expect(await deleteFunction(context, 'gray', { keepLogs: true })).toMatchObject({
      function: true,
      logGroup: false,
    });
    expect(logs.calls()).toHaveLength(0);
  });

  it('leaves a function alone that it did not make', async () => {
    const { context, lambda, logs } = existing();
    lambda.on(GetFunctionCommand).resolves({ Configuration: configuration, Tags: { team: 'web' } });
    await expect(deleteFunction(context, 'gray')).rejects.toThrow(/createdby=scar.*left alone/);
    expect(lambda.commandCalls(DeleteFunctionCommand)).toHaveLength(0);
    expect(logs.calls()).toHaveLength(0);
  });

  it('warns when the image cannot be removed', async () => {
    const { context, s3, events } = existing();
    s3.on(ListObjectsV2Command).rejects(awsError('AccessDenied', 'no', {}, 403));
    expect(await deleteFunction(context, 'gray')).toMatchObject({ function: true, imageKeys: [] });
    expect(events.warning).toMatchObject([{ code: 'image-cleanup-incomplete' }]);
  });

  it('names the permission that is missing', async () => {
    const { context, lambda } = existing();
    lambda.on(DeleteFunctionCommand).rejects(denied());
    await expect(deleteFunction(context, 'gray')).rejects.toThrow(/lambda:DeleteFunction/);
  });
});

describe('updateFunction', () => {
  const sent = (lambda: ReturnType<typeof existing>['lambda']) => {
    const code = lambda.commandCalls(UpdateFunctionCodeCommand)[0]?.args[0].input.ZipFile;
    return {
      settings: lambda.commandCalls(UpdateFunctionConfigurationCommand).map((call) => call.args[0].input),
      package: code && unpackFunction(code),
    };
  };

  it('changes settings only, without touching the package', async () => {
    const { context, lambda } = existing();
    await updateFunction(context, 'gray', {
      memoryMiB: 1024,
      timeoutSeconds: 60,
      ephemeralStorageMiB: 1024,
      roleArn: 'arn:aws:iam::123456789012:role/other',
      environment: { NEW: '2' },
    });
    const { settings, package: code } = sent(lambda);
    expect(code).toBeUndefined();
    expect(settings).toEqual([
      {
        FunctionName: 'gray',
        MemorySize: 1024,
        Timeout: 60,
        EphemeralStorage: { Size: 1024 },
        Role: 'arn:aws:iam::123456789012:role/other',
        Environment: { Variables: { SCAR_SETTING: 'kept', CONT_VAR_NEW: '2' } },
      },
    ]);
  });

  it('refuses a disk that its image does not fit, before anything is changed', async () => {
    const { context, lambda } = existing();
    await expect(updateFunction(context, 'gray', { ephemeralStorageMiB: 599, memoryMiB: 1024 })).rejects.toMatchObject({
      code: 'no-space',
      message: expect.stringContaining('oci:old needs 600.0 MiB'),
    });
    expect(sent(lambda)).toEqual({ settings: [], package: undefined });
  });

  const changes: [string, UpdateFunctionOptions, Partial<FunctionSpec>, string | undefined][] = [
    ['the script', { script: { inline: 'new' } }, { hasScript: true, args: ['-old'] }, 'new'],
    ['no script any more', { script: null }, { hasScript: false, args: ['-old'] }, undefined],
    ['the arguments', { args: ['-new'] }, { hasScript: true, args: ['-new'] }, 'old script'],
    [
      'the outputs',
      { output: [{ bucket: 'other' }] },
      { output: [{ bucket: 'other', prefix: 'output/' }] },
      'old script',
    ],
    ['the outputs to none', { output: [] }, { output: [] }, 'old script'],
    ['the appearance of root', { fakeRoot: false }, { fakeRoot: false }, 'old script'],
    ['the reserve', { reserveSeconds: 5 }, { reserveMs: 5000 }, 'old script'],
  ];
  it.each(changes)('changes %s, and keeps the rest of the package', async (_, options, expected, script) => {
    const { context, lambda, s3 } = existing();
    await updateFunction(context, 'gray', options);
    const { settings, package: code } = sent(lambda);
    expect(settings).toEqual([]);
    expect(code?.spec).toEqual({ ...spec, ...expected });
    expect(code?.script && Buffer.from(code.script).toString()).toBe(script);
    expect(code?.index).toEqual(index);
    expect(s3.commandCalls(DeleteObjectsCommand)).toHaveLength(0);
  });

  it.each(['args', 'output'])('goes back to what a function has without %s', async (option) => {
    const { context, lambda, s3 } = existing();
    s3.on(GetBucketNotificationConfigurationCommand).resolves({});
    await updateFunction(context, 'gray', { [option]: null });
    const { [option as 'args' | 'output']: _, ...rest } = spec;
    expect(sent(lambda).package?.spec).toEqual(rest);
  });

  it('changes the image: the new one up, package, tags, the old one away', async () => {
    const { context, lambda, deletedKeys } = existing();
    const large = await ociLayout(folder.path, { files: [ballast] });
    const described = await updateFunction(context, 'gray', { image: large.reference });
    expect(described.image.digest).toBe(large.digest);
    expect(sent(lambda).package?.spec).toMatchObject({
      imageReference: large.reference,
      imageDigest: large.digest,
      imageLocation: { archive: { type: 's3', bucket: 'images' } },
      args: ['-old'],
    });
    expect(lambda.commandCalls(TagResourceCommand)[0]?.args[0].input.Tags).toMatchObject({
      'scar:digest': large.digest,
      'scar:image-store': 'images/scar/',
    });
    expect(deletedKeys()).toEqual(expect.arrayContaining(oldKeys));
  });

  it('takes the tag of the image bucket away when the image comes into the package', async () => {
    const { context, lambda, deletedKeys } = existing();
    const described = await updateFunction(context, 'gray', { image: image.reference });
    expect(described.tags).not.toHaveProperty('scar:image-store');
    expect(lambda.commandCalls(UntagResourceCommand).map((call) => call.args[0].input)).toEqual([
      { Resource: functionArn('gray'), TagKeys: ['scar:image-store'] },
    ]);
    expect(sent(lambda).package?.rootfs?.length).toBeGreaterThan(100);
    expect(deletedKeys()).toEqual(expect.arrayContaining(oldKeys));
  });

  it('keeps the architecture, and wants an image for it', async () => {
    const { context, lambda } = existing();
    const Configuration = { ...configuration, Architectures: ['arm64' as const] };
    lambda.on(GetFunctionCommand).resolves({ Configuration, Tags: tags, Code: { Location: `${codeLocation}-arm64` } });
    lambda.on(GetFunctionConfigurationCommand).resolves(Configuration);
    const arm = await ociLayout(folder.path, { architecture: 'arm64' });
    const described = await updateFunction(context, 'gray', { image: arm.reference });
    expect(described).toMatchObject({ architecture: 'arm64', image: { digest: arm.digest } });
    expect(lambda.commandCalls(UpdateFunctionCodeCommand)[0]?.args[0].input.Architectures).toEqual(['arm64']);
    expect(sent(lambda).package?.spec.platform).toEqual({ os: 'linux', architecture: 'arm64' });
    await expect(updateFunction(context, 'gray', { image: image.reference })).rejects.toThrow(
      /no image for linux\/arm64/,
    );
  });

  it('waits until Lambda has it', async () => {
    const { context, lambda, slept } = existing();
    lambda
      .on(GetFunctionConfigurationCommand)
      .resolvesOnce(configuration)
      .resolvesOnce({ ...configuration, LastUpdateStatus: 'InProgress' })
      .resolves(configuration);
    await updateFunction(context, 'gray', { memoryMiB: 1024 });
    expect(slept).toEqual([100]);
  });

  it('takes back the package when the settings are refused', async () => {
    const { context, lambda } = existing();
    lambda.on(UpdateFunctionConfigurationCommand).rejects(denied());
    await expect(updateFunction(context, 'gray', { args: ['-new'], memoryMiB: 1024 })).rejects.toThrow(
      /lambda:UpdateFunctionConfiguration/,
    );
    const codes = lambda
      .commandCalls(UpdateFunctionCodeCommand)
      .map((call) => unpackFunction(call.args[0].input.ZipFile ?? zip));
    expect(codes.map((code) => code.spec.args)).toEqual([['-new'], ['-old']]);
  });

  it('takes back the settings when Lambda cannot apply them', async () => {
    const { context, lambda } = existing();
    lambda
      .on(GetFunctionConfigurationCommand)
      .resolvesOnce(configuration)
      .resolvesOnce({ ...configuration, LastUpdateStatus: 'Failed', LastUpdateStatusReason: 'no disk' })
      .resolves(configuration);
    await expect(updateFunction(context, 'gray', { memoryMiB: 1024 })).rejects.toThrow(/its update failed \(no disk\)/);
    const memory = lambda.commandCalls(UpdateFunctionConfigurationCommand).map((call) => call.args[0].input.MemorySize);
    expect(memory).toEqual([1024, 512]);
  });

  it.each([[[{ bucket: 'photos' }]], [null]])('refuses outputs that would trigger the function: %j', async (output) => {
    const { context, lambda } = existing();
    await expect(updateFunction(context, 'gray', { output })).rejects.toThrow(/invoke itself for ever/);
    expect(lambda.commandCalls(UpdateFunctionCodeCommand)).toHaveLength(0);
  });

  it('refuses an output bucket that does not exist, and a script that nothing can run, before it changes anything', async () => {
    const { context, lambda, s3 } = existing();
    s3.on(HeadBucketCommand, { Bucket: 'gone' }).rejects(awsError('NotFound', 'NotFound', {}, 404));
    const update = (options: UpdateFunctionOptions) => updateFunction(context, 'gray', { memoryMiB: 1024, ...options });
    await expect(update({ output: [{ bucket: 'gone' }] })).rejects.toMatchObject({
      code: 'bucket-not-found',
      message: 'output[0].bucket must be a bucket that exists; received "gone". Create it, or correct its name',
    });
    await expect(update({ script: { inline: '#!/bin/sh\r\n' } })).rejects.toThrow(/^script must not have .*CRLF/);
    expect(sent(lambda)).toEqual({ settings: [], package: undefined });
  });

  it('says that the package cannot be fetched, and not from where', async () => {
    const { context, lambda } = existing();
    const secret = codeLocation.replace('/code', '/secret-token');
    lambda.on(GetFunctionCommand).resolves({ Configuration: configuration, Tags: tags, Code: { Location: secret } });
    const error = await updateFunction(context, 'gray', { args: [] }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'service' });
    expect((error as Error).message).toContain('HTTP 403');
    expect(JSON.stringify(error)).not.toContain('secret-token');
  });

  const bad: [string, Record<string, unknown>, RegExp][] = [
    ['an option that it has not', { name: 'x' }, /updateFunction must have only the options/],
    ['64 MiB', { memoryMiB: 64 }, /^memoryMiB must be an integer from 128 to 10240; received 64/],
    ['imageSource without an image', { imageSource: 'cache' }, /^imageSource must come with image/],
  ];
  it.each(bad)('refuses %s at once', (_, options, message) => {
    const { context } = existing();
    expect(() => updateFunction(context, 'gray', options as UpdateFunctionOptions)).toThrow(message);
  });
});

describe('putTrigger and deleteTrigger', () => {
  it('adds one beside what is there; the same again changes nothing', async () => {
    const { context, notifications, s3 } = existing();
    const trigger = { bucket: 'photos', prefix: 'input/' };
    expect(await putTrigger(context, 'gray', trigger)).toEqual({
      bucket: 'photos',
      prefix: 'input/',
      suffix: '',
      events: ['s3:ObjectCreated:*'],
    });
    const first = notifications();
    expect(first?.LambdaFunctionConfigurations).toHaveLength(3);
    s3.on(GetBucketNotificationConfigurationCommand).resolves(first ?? {});
    await putTrigger(context, 'gray', trigger);
    expect(notifications()).toEqual(first);
  });

  it('loses none of two that are put at once', async () => {
    const { context, s3, notifications } = existing();
    s3.on(PutBucketNotificationConfigurationCommand).callsFake((input) => {
      s3.on(GetBucketNotificationConfigurationCommand).resolves(input.NotificationConfiguration);
      return {};
    });
    await Promise.all(['a/', 'b/', 'c/'].map((prefix) => putTrigger(context, 'gray', { bucket: 'photos', prefix })));
    expect(notifications()?.LambdaFunctionConfigurations).toHaveLength(5);
  });

  it('refuses one that would make the function invoke itself for ever', async () => {
    const { context, notifications } = existing();
    await expect(putTrigger(context, 'gray', { bucket: 'results', prefix: 'out/in/' })).rejects.toThrow(
      /invoke itself for ever/,
    );
    expect(notifications()).toBeUndefined();
  });

  it('explains an overlap, and takes the permission back', async () => {
    const { context, s3, lambda } = existing();
    s3.on(PutBucketNotificationConfigurationCommand).rejects(awsError('InvalidArgument', 'Configurations overlap.'));
    await expect(putTrigger(context, 'gray', { bucket: 'photos', prefix: 'in/' })).rejects.toThrow(
      /^trigger\.prefix must not overlap with that of another notification/,
    );
    expect(lambda.commandCalls(RemovePermissionCommand)).toHaveLength(1);
  });

  it('deletes the one that is meant, and the permission with the last one', async () => {
    const { context, s3, notifications, lambda } = existing();
    const other = {
      ...mine,
      Id: 'second',
      Filter: { Key: { FilterRules: [{ Name: 'prefix' as const, Value: 'in/' }] } },
    };
    let stored: object = { LambdaFunctionConfigurations: [mine, other, theirs] };
    s3.on(GetBucketNotificationConfigurationCommand).callsFake(async () => stored);
    s3.on(PutBucketNotificationConfigurationCommand).callsFake(async (input) => {
      stored = input.NotificationConfiguration;
      return {};
    });
    expect(await deleteTrigger(context, 'gray', { bucket: 'photos', prefix: 'in/' })).toMatchObject([
      { prefix: 'in/' },
    ]);
    expect(notifications()?.LambdaFunctionConfigurations).toEqual([mine, theirs]);
    expect(lambda.commandCalls(RemovePermissionCommand)).toHaveLength(0);
    expect(await deleteTrigger(context, 'gray', { bucket: 'photos' })).toHaveLength(1);
    expect(lambda.commandCalls(RemovePermissionCommand)).toHaveLength(1);
  });

  it('is fine when there is no such trigger', async () => {
    const { context, notifications } = existing();
    expect(await deleteTrigger(context, 'gray', { bucket: 'photos', suffix: '.gif' })).toEqual([]);
    expect(notifications()).toBeUndefined();
  });
});
