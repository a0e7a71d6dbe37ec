import { Readable } from 'node:stream';
import {
  CreateLogGroupCommand,
  DeleteLogGroupCommand,
  PutRetentionPolicyCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import {
  AddPermissionCommand,
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  RemovePermissionCommand,
} from '@aws-sdk/client-lambda';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetBucketNotificationConfigurationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ScarClientOptions } from '../../../src/client/config.js';
import { type CreateFunctionOptions, createFunction } from '../../../src/client/create-function.js';
import { unpackFunction } from '../../../src/client/function-package.js';
import { ScarError, UnsupportedImageError, ValidationError } from '../../../src/errors.js';
import { bestCompression } from '../../../src/oci/archive/index.js';
import {
  awsError,
  ballast,
  builtSupervisor,
  deletedKeys,
  functionArn,
  listKeys,
  mockedContext,
  ociLayout,
  ROLE,
  temporaryFolder,
} from './fixtures.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let supervisorDirectory: string;
let image: Awaited<ReturnType<typeof ociLayout>>;
let large: Awaited<ReturnType<typeof ociLayout>>;

beforeAll(async () => {
  folder = await temporaryFolder();
  supervisorDirectory = await builtSupervisor(folder.path);
  image = await ociLayout(folder.path);
  large = await ociLayout(folder.path, { files: [ballast] });
});
afterAll(() => folder.remove());

const active = { FunctionName: 'gray', FunctionArn: functionArn('gray'), State: 'Active' as const };

/** AWS with nothing in it, where everything that is asked for succeeds. */
function emptyAws(options: ScarClientOptions = {}) {
  const aws = mockedContext({ supervisorDirectory, ...options });
  aws.lambda.on(GetFunctionConfigurationCommand).rejectsOnce(awsError('ResourceNotFoundException')).resolves(active);
  aws.lambda.on(GetFunctionCommand).rejects(awsError('ResourceNotFoundException'));
  aws.lambda.on(CreateFunctionCommand).resolves(active);
  aws.lambda.on(AddPermissionCommand).resolves({});
  aws.lambda.on(RemovePermissionCommand).resolves({});
  aws.lambda.on(DeleteFunctionCommand).resolves({});
  aws.logs.onAnyCommand().resolves({});
  aws.s3.onAnyCommand().resolves({});
  aws.s3
    .on(HeadBucketCommand, { Bucket: 'scar-images-123456789012-eu-west-1' })
    .rejectsOnce(awsError('NotFound', 'NotFound', {}, 404))
    .resolves({});
  aws.s3.on(CreateMultipartUploadCommand).resolves({ UploadId: 'upload' });
  aws.s3.on(UploadPartCommand).resolves({ ETag: 'part' });
  return aws;
}

const basic = (): CreateFunctionOptions => ({ name: 'gray', image: image.reference });

async function failure(promise: Promise<unknown>): Promise<ScarError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ScarError);
  return error as ScarError;
}

describe('createFunction', () => {
  it('creates the log group with a retention, uploads the image, creates the function and waits', async () => {
    const { context, lambda, logs, s3 } = emptyAws();
    const description = await createFunction(context, { ...basic(), image: large.reference });
    expect(description).toMatchObject({
      name: 'gray',
      state: 'Active',
      owner: 'tester',
      image: { digest: large.digest },
    });
    expect(logs.commandCalls(CreateLogGroupCommand)[0]?.args[0].input).toEqual({ logGroupName: '/aws/lambda/gray' });
    expect(logs.commandCalls(PutRetentionPolicyCommand)[0]?.args[0].input.retentionInDays).toBe(30);
    const bucket = 'scar-images-123456789012-eu-west-1';
    expect(s3.commandCalls(CreateBucketCommand)[0]?.args[0].input).toMatchObject({
      Bucket: bucket,
      CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' },
    });
    const keys = s3.commandCalls(PutObjectCommand).map((call) => call.args[0].input.Key);
    const hex = large.digest.slice('sha256:'.length);
    const archive = `scar/rootfs/sha256-${hex}.v1.${bestCompression === 'zstd' ? 'tar.zst' : 'tar.gz'}`;
    expect(keys).toEqual([`scar/images/sha256-${hex}/eu-west-1/gray`, `scar/rootfs/sha256-${hex}.v1.json`]);
    expect(s3.commandCalls(CompleteMultipartUploadCommand)[0]?.args[0].input.Key).toBe(archive);
    const created = lambda.commandCalls(CreateFunctionCommand)[0]?.args[0].input;
    expect(created).toMatchObject({
      Runtime: 'nodejs22.x',
      Handler: 'index.handler',
      Architectures: ['x86_64'],
      Role: ROLE,
      MemorySize: 512,
      Timeout: 300,
      EphemeralStorage: { Size: 512 },
      Tags: {
        createdby: 'scar',
        owner: 'tester',
        'scar:digest': large.digest,
        'scar:image-store': `${bucket}/scar/`,
      },
    });
    const { spec, script, index, rootfs } = unpackFunction(created?.Code?.ZipFile ?? new Uint8Array());
    expect({ script, rootfs }).toEqual({ script: undefined, rootfs: undefined });
    expect(index).toMatchObject({ image: large.digest, files: 3, config: { config: { Cmd: ['/bin/true'] } } });
    expect(spec).toEqual({
      version: 1,
      imageReference: large.reference,
      imageDigest: large.digest,
      imageLocation: { archive: { type: 's3', bucket, key: archive } },
      platform: { os: 'linux', architecture: 'amd64' },
      hasScript: false,
      reserveMs: 10_000,
    });
  });

  it('reads every option', async () => {
    const { context, lambda, logs, s3 } = emptyAws({ imageBucket: 'my-images', imagePrefix: 'deep/er/' });
    s3.on(HeadBucketCommand).callsFake(async () => ({}));
    await createFunction(context, {
      ...basic(),
      image: large.reference,
      script: { inline: 'echo hello' },
      args: ['-v'],
      memoryMiB: 1024,
      timeoutSeconds: 60,
      ephemeralStorageMiB: 2048,
      environment: { LEVEL: '3' },
      output: [{ bucket: 'results', prefix: 'gray/', suffixes: ['.png'] }, { bucket: 'results' }],
      roleArn: 'arn:aws:iam::999999999999:role/other',
      fakeRoot: false,
      reserveSeconds: 3,
      imageSource: 'cache',
      tags: { team: 'vision' },
      logRetentionDays: 7,
      trigger: { bucket: 'photos', prefix: 'input/', suffix: '.jpg', events: ['s3:ObjectCreated:Put'] },
    });
    expect(s3.commandCalls(CreateBucketCommand), 'a bucket that was named is not created').toHaveLength(0);
    expect(s3.commandCalls(PutObjectCommand)[0]?.args[0].input.Bucket).toBe('my-images');
    expect(s3.commandCalls(PutObjectCommand)[0]?.args[0].input.Key).toMatch(/^deep\/er\/images\//);
    expect(logs.commandCalls(PutRetentionPolicyCommand)[0]?.args[0].input.retentionInDays).toBe(7);
    const created = lambda.commandCalls(CreateFunctionCommand)[0]?.args[0].input;
    expect(created).toMatchObject({
      Role: 'arn:aws:iam::999999999999:role/other',
      MemorySize: 1024,
      Timeout: 60,
      EphemeralStorage: { Size: 2048 },
      Environment: { Variables: { CONT_VAR_LEVEL: '3' } },
      Tags: { team: 'vision' },
    });
    const { spec, script } = unpackFunction(created?.Code?.ZipFile ?? new Uint8Array());
    expect(Buffer.from(script ?? []).toString()).toBe('echo hello');
    expect(spec).toMatchObject({
      hasScript: true,
      args: ['-v'],
      fakeRoot: false,
      reserveMs: 3000,
      output: [
        { bucket: 'results', prefix: 'gray/', suffixes: ['.png'] },
        { bucket: 'results', prefix: 'output/' },
      ],
    });
    expect(lambda.commandCalls(AddPermissionCommand)[0]?.args[0].input).toMatchObject({
      Principal: 's3.amazonaws.com',
      SourceArn: 'arn:aws:s3:::photos',
      SourceAccount: '123456789012',
    });
    const put = s3.commandCalls(PutBucketNotificationConfigurationCommand)[0]?.args[0].input;
    expect(put?.NotificationConfiguration?.LambdaFunctionConfigurations).toMatchObject([
      {
        LambdaFunctionArn: functionArn('gray'),
        Events: ['s3:ObjectCreated:Put'],
        Filter: {
          Key: {
            FilterRules: [
              { Name: 'prefix', Value: 'input/' },
              { Name: 'suffix', Value: '.jpg' },
            ],
          },
        },
      },
    ]);
  });

  /** AWS with the large image in the bucket, which says that it needs 600 MiB. */
  function awsWithImage() {
    const aws = emptyAws();
    const name = `scar/rootfs/${large.digest.replace(':', '-')}.v1`;
    listKeys(aws.s3, `${name}.tar.gz`, `${name}.json`);
    const disk = { bytes: 599 * 1024 * 1024, folderBytes: 1024 * 1024, inodes: 1 };
    const index = { version: 1, image: large.digest, chunks: [], disk, config: { rootfs: { diff_ids: [] } } };
    const text = JSON.stringify(index);
    aws.s3.on(GetObjectCommand).callsFake(() => {
      return { Body: Readable.from([Buffer.from(text)], { objectMode: false }), ContentLength: text.length, ETag: 'e' };
    });
    return { ...aws, name };
  }

  it('uploads nothing of an image that is there, in whatever form', async () => {
    const { context, s3, lambda, name } = awsWithImage();
    await createFunction(context, { ...basic(), image: large.reference, ephemeralStorageMiB: 600 });
    expect(s3.commandCalls(PutObjectCommand).map((call) => call.args[0].input.Key)).toEqual([
      `scar/images/${large.digest.replace(':', '-')}/eu-west-1/gray`,
    ]);
    expect(s3.commandCalls(CreateMultipartUploadCommand)).toHaveLength(0);
    const { ZipFile } = lambda.commandCalls(CreateFunctionCommand)[0]?.args[0].input.Code ?? {};
    expect(unpackFunction(ZipFile ?? new Uint8Array()).spec.imageLocation).toMatchObject({
      archive: { key: `${name}.tar.gz` },
    });
  });

  it('refuses an image that does not fit the function, with the size that it needs', async () => {
    const { context, s3, lambda } = awsWithImage();
    const error = await failure(
      createFunction(context, { ...basic(), image: large.reference, ephemeralStorageMiB: 599 }),
    );
    expect(error).toMatchObject({
      code: 'no-space',
      message: expect.stringMatching(/needs 600\.0 MiB of the function's \/tmp.*is 599\. .*ephemeralStorageMiB: 662/),
      context: { neededMiB: 600, ephemeralStorageMiB: 599 },
    });
    expect(lambda.commandCalls(CreateFunctionCommand)).toHaveLength(0);
    expect(deletedKeys(s3)).toEqual([]);
  });

  it('puts a small image into the package, and nothing into a bucket', async () => {
    const { context, s3, lambda } = emptyAws();
    await createFunction(context, basic());
    expect(s3.calls()).toHaveLength(0);
    const created = lambda.commandCalls(CreateFunctionCommand)[0]?.args[0].input;
    const { spec, index, rootfs } = unpackFunction(created?.Code?.ZipFile ?? new Uint8Array());
    expect(spec.imageLocation).toEqual({ archive: { type: 'package' } });
    expect(index?.image).toBe(image.digest);
    expect(rootfs?.length).toBeGreaterThan(100);
    expect(created?.Tags).not.toHaveProperty('scar:image-store');
  });

  it('neither creates nor, when it fails, deletes an image bucket that was there', async () => {
    const { context, s3, lambda } = emptyAws();
    s3.on(HeadBucketCommand).callsFake(async () => ({}));
    lambda.on(CreateFunctionCommand).rejects(awsError('AccessDeniedException', 'no', {}, 403));
    await failure(createFunction(context, { ...basic(), image: large.reference }));
    expect(s3.commandCalls(HeadBucketCommand)).not.toHaveLength(0);
    expect(s3.commandCalls(CreateBucketCommand)).toHaveLength(0);
    expect(s3.commandCalls(DeleteBucketCommand)).toHaveLength(0);
  });

  it('makes the same package from the same content', async () => {
    const zips = [];
    for (let turn = 0; turn < 2; turn++) {
      const { context, lambda } = emptyAws();
      await createFunction(context, { ...basic(), script: { inline: 'true' } });
      zips.push(Buffer.from(lambda.commandCalls(CreateFunctionCommand)[0]?.args[0].input.Code?.ZipFile ?? []));
    }
    expect(zips[0]?.equals(zips[1] ?? Buffer.alloc(0))).toBe(true);
  });

  it('waits while the role is not yet known to Lambda, and says so', async () => {
    const { context, lambda, events } = emptyAws();
    const unknown = awsError(
      'InvalidParameterValueException',
      'The role defined for the function cannot be assumed by Lambda.',
    );
    lambda.on(CreateFunctionCommand).rejectsOnce(unknown).rejectsOnce(unknown).resolves(active);
    await createFunction(context, basic());
    expect(lambda.commandCalls(CreateFunctionCommand)).toHaveLength(3);
    expect(events.retry.map((event) => [event.attempt, event.error.code])).toEqual([
      [2, 'role-not-assumable'],
      [3, 'role-not-assumable'],
    ]);
  });

  it('does not wait for ever for the role', async () => {
    const { context, lambda, slept } = emptyAws();
    lambda.on(CreateFunctionCommand).rejects(awsError('InvalidParameterValueException', 'cannot be assumed by Lambda'));
    expect((await failure(createFunction(context, basic()))).code).toBe('role-not-assumable');
    const waited = slept.reduce((sum, ms) => sum + ms, 0);
    expect(waited).toBeGreaterThan(59_000);
    expect(waited).toBeLessThan(65_000);
  });

  it('waits while the function is Pending', async () => {
    const { context, lambda } = emptyAws();
    lambda
      .on(GetFunctionConfigurationCommand)
      .rejectsOnce(awsError('ResourceNotFoundException'))
      .resolvesOnce({ ...active, State: 'Pending' })
      .resolvesOnce({ ...active, State: 'Pending' })
      .resolves(active);
    expect((await createFunction(context, basic())).state).toBe('Active');
  });

  it('keeps what others configured in the bucket', async () => {
    const { context, s3 } = emptyAws();
    const theirs = {
      QueueConfigurations: [
        { Id: 'q', QueueArn: 'arn:aws:sqs:eu-west-1:1:q', Events: ['s3:ObjectRemoved:*' as const] },
      ],
      TopicConfigurations: [
        { Id: 't', TopicArn: 'arn:aws:sns:eu-west-1:1:t', Events: ['s3:ObjectRemoved:*' as const] },
      ],
      EventBridgeConfiguration: {},
      LambdaFunctionConfigurations: [
        { Id: 'f', LambdaFunctionArn: functionArn('other'), Events: ['s3:ObjectCreated:*' as const] },
      ],
    };
    s3.on(GetBucketNotificationConfigurationCommand).resolves(theirs);
    await createFunction(context, { ...basic(), trigger: { bucket: 'photos', prefix: 'input/' } });
    const put = s3.commandCalls(PutBucketNotificationConfigurationCommand)[0]?.args[0].input.NotificationConfiguration;
    const { LambdaFunctionConfigurations: functions, ...others } = put ?? {};
    const { LambdaFunctionConfigurations: before, ...othersBefore } = theirs;
    expect(others).toEqual(othersBefore);
    expect(functions).toHaveLength(2);
    expect(functions?.[0]).toEqual(before[0]);
  });

  it('waits until S3 sees the permission', async () => {
    const { context, s3 } = emptyAws();
    s3.on(PutBucketNotificationConfigurationCommand)
      .rejectsOnce(awsError('InvalidArgument', 'Unable to validate the following destination configurations'))
      .resolves({});
    await createFunction(context, { ...basic(), trigger: { bucket: 'photos', prefix: 'input/' } });
    expect(s3.commandCalls(PutBucketNotificationConfigurationCommand)).toHaveLength(2);
  });
});

describe('createFunction, when something fails', () => {
  it('refuses a name that is taken before it makes anything', async () => {
    const { context, lambda, logs, s3 } = emptyAws();
    lambda.on(GetFunctionConfigurationCommand).resolves(active);
    expect((await failure(createFunction(context, basic()))).code).toBe('function-exists');
    expect(logs.calls()).toHaveLength(0);
    expect(s3.calls()).toHaveLength(0);
  });

  it.each<[string, Partial<CreateFunctionOptions>]>([
    [
      'trigger.bucket',
      { trigger: { bucket: 'gone', prefix: 'in/' }, output: [{ bucket: 'here' }, { bucket: 'gone' }] },
    ],
    ['output[1].bucket', { output: [{ bucket: 'here' }, { bucket: 'gone' }, { bucket: 'gone', prefix: 'more/' }] }],
  ])('refuses a %s that does not exist before it makes anything', async (option, options) => {
    const { context, lambda, s3 } = emptyAws();
    s3.on(HeadBucketCommand, { Bucket: 'gone' }).rejects(awsError('NotFound', 'NotFound', {}, 404));
    const error = await failure(createFunction(context, { ...basic(), ...options }));
    expect(error).toMatchObject({
      code: 'bucket-not-found',
      message: `${option} must be a bucket that exists; received "gone". Create it, or correct its name`,
      context: { option, bucket: 'gone' },
    });
    expect(s3.commandCalls(HeadBucketCommand), 'one look at each').toHaveLength(2);
    expect(s3.calls()).toHaveLength(2);
    expect(lambda.commandCalls(CreateFunctionCommand)).toHaveLength(0);
  });

  it.each([
    ['must not be listed', awsError('Forbidden', 'no', {}, 403)],
    ['lies in another Region', awsError('PermanentRedirect', 'elsewhere', {}, 301)],
    ['cannot be asked for now', awsError('TimeoutError', 'too late', { $metadata: undefined })],
  ])('goes on with a bucket that %s: it may exist', async (_, answer) => {
    const { context, s3 } = emptyAws();
    s3.on(HeadBucketCommand, { Bucket: 'results' }).rejects(answer);
    expect(await createFunction(context, { ...basic(), output: [{ bucket: 'results' }] })).toMatchObject({
      name: 'gray',
    });
    expect(s3.commandCalls(HeadBucketCommand, { Bucket: 'results' })).toHaveLength(1);
  });

  it('ends with the reason of a signal that comes while it looks for a bucket', async () => {
    const { context, s3 } = emptyAws();
    const controller = new AbortController();
    s3.on(HeadBucketCommand, { Bucket: 'results' }).callsFake(async () => {
      controller.abort(new Error('enough'));
      throw awsError('AbortError', 'aborted', { $metadata: undefined });
    });
    const options = { ...basic(), output: [{ bucket: 'results' }], signal: controller.signal };
    await expect(createFunction(context, options)).rejects.toThrow('enough');
  });

  it.each([
    ['another image: removes its own', 'sha256:0', 1],
    ['the same image: leaves it, for it is the same in the bucket', undefined, 0],
  ])('when another was faster with the name, and has %s', async (_, digest, removals) => {
    const { context, lambda, logs, s3 } = emptyAws();
    lambda.on(CreateFunctionCommand).rejects(awsError('ResourceConflictException', 'exists', {}, 409));
    lambda.on(GetFunctionCommand).resolves({ Configuration: active, Tags: { 'scar:digest': digest ?? large.digest } });
    const Key = `scar/images/${large.digest.replace(':', '-')}/eu-west-1/gray`;
    listKeys(s3, Key);
    expect((await failure(createFunction(context, { ...basic(), image: large.reference }))).code).toBe(
      'function-exists',
    );
    const markers = s3.commandCalls(DeleteObjectsCommand, { Delete: { Objects: [{ Key }] } });
    expect(markers).toHaveLength(removals);
    expect(lambda.commandCalls(DeleteFunctionCommand), "the other's function stays").toHaveLength(0);
    expect(logs.calls(), "and the other's log group").toHaveLength(0);
  });

  it('removes everything when the trigger cannot be made: function, permission, log group, marker, image, bucket', async () => {
    const { context, lambda, logs, s3, events } = emptyAws();
    s3.on(PutBucketNotificationConfigurationCommand).rejects(awsError('AccessDenied', 'no', {}, 403));
    s3.on(ListObjectsV2Command).callsFake(({ Prefix = '' }) => {
      const puts = [...s3.commandCalls(PutObjectCommand), ...s3.commandCalls(CompleteMultipartUploadCommand)];
      const keys = puts.map((call) => call.args[0].input.Key ?? '');
      const left = keys.filter((key) => key.startsWith(Prefix) && !deletedKeys(s3).includes(key));
      return { Contents: left.map((Key) => ({ Key, Size: 1 })) };
    });
    const trigger = { bucket: 'photos', prefix: 'in/' };
    const error = await failure(createFunction(context, { ...basic(), image: large.reference, trigger }));
    expect(error.code).toBe('permission-denied');
    expect(error.message).toContain('s3:PutBucketNotification');
    expect(lambda.commandCalls(RemovePermissionCommand)).toHaveLength(1);
    expect(lambda.commandCalls(DeleteFunctionCommand)).toHaveLength(1);
    expect(logs.commandCalls(DeleteLogGroupCommand)).toHaveLength(1);
    const hex = large.digest.slice('sha256:'.length);
    const archive = bestCompression === 'zstd' ? 'tar.zst' : 'tar.gz';
    expect(deletedKeys(s3)).toEqual([
      `scar/images/sha256-${hex}/eu-west-1/gray`,
      `scar/rootfs/sha256-${hex}.v1.json`,
      `scar/rootfs/sha256-${hex}.v1.${archive}`,
    ]);
    expect(s3.commandCalls(DeleteBucketCommand)).toHaveLength(1);
    expect(events.warning).toEqual([]);
  });

  it('tells what it could not remove, and throws the first error', async () => {
    const { context, logs, events } = emptyAws();
    logs.on(PutRetentionPolicyCommand).rejects(awsError('AccessDeniedException', 'no', {}, 403));
    logs.on(DeleteLogGroupCommand).rejects(awsError('AccessDeniedException', 'no', {}, 403));
    const error = await failure(createFunction(context, basic()));
    expect(error.message).toContain('logs:PutRetentionPolicy');
    expect(events.warning).toMatchObject([{ code: 'rollback-incomplete', context: { functionName: 'gray' } }]);
    expect(events.warning[0]?.message).toContain('/aws/lambda/gray');
  });

  it('keeps a log group that was there', async () => {
    const { context, lambda, logs } = emptyAws();
    logs.on(CreateLogGroupCommand).rejects(awsError('ResourceAlreadyExistsException'));
    lambda
      .on(GetFunctionConfigurationCommand)
      .rejectsOnce(awsError('ResourceNotFoundException'))
      .resolves({ ...active, State: 'Failed' });
    expect((await failure(createFunction(context, basic()))).code).toBe('function-not-ready');
    expect(logs.commandCalls(CreateLogGroupCommand)).toHaveLength(1);
    expect(logs.commandCalls(DeleteLogGroupCommand)).toHaveLength(0);
    expect(logs.commandCalls(PutRetentionPolicyCommand)).toHaveLength(0);
  });

  it('deletes a function whose creation was cut off, if it is there and ours', async () => {
    const { context, lambda } = emptyAws();
    lambda.on(CreateFunctionCommand).callsFake(async (input) => {
      const { createHash } = await import('node:crypto');
      const CodeSha256 = createHash('sha256').update(input.Code.ZipFile).digest('base64');
      lambda.on(GetFunctionConfigurationCommand).resolves({ ...active, CodeSha256 });
      throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    });
    expect((await failure(createFunction(context, basic()))).code).toBe('service');
    expect(lambda.commandCalls(DeleteFunctionCommand)).toHaveLength(1);
  });

  it("throws the signal's reason and removes what it made", async () => {
    const { context, lambda, logs, s3 } = emptyAws();
    const abort = new AbortController();
    const reason = new Error('enough');
    lambda.on(CreateFunctionCommand).callsFake(() => {
      abort.abort(reason);
      throw Object.assign(new Error('Request aborted'), { name: 'AbortError' });
    });
    lambda.on(GetFunctionConfigurationCommand).rejects(awsError('ResourceNotFoundException'));
    await expect(createFunction(context, { ...basic(), image: large.reference, signal: abort.signal })).rejects.toBe(
      reason,
    );
    expect(logs.calls()).toHaveLength(0);
    expect(s3.commandCalls(DeleteBucketCommand)).toHaveLength(1);
  });

  it('refuses an image for another platform and makes nothing', async () => {
    const { context, lambda, logs } = emptyAws();
    const arm = await ociLayout(folder.path, { architecture: 'arm64' });
    const error = await failure(createFunction(context, { ...basic(), image: arm.reference }));
    expect(error.code).toBe('image-unsupported');
    expect(error.message).toContain('linux/amd64');
    expect(logs.calls()).toHaveLength(0);
    expect(lambda.commandCalls(CreateFunctionCommand)).toHaveLength(0);
  });

  it('makes a function for arm64: image, runner and processors', async () => {
    const { context, lambda } = emptyAws();
    const arm = await ociLayout(folder.path, { architecture: 'arm64' });
    await createFunction(context, { ...basic(), image: arm.reference, architecture: 'arm64' });
    const created = lambda.commandCalls(CreateFunctionCommand)[0]?.args[0].input;
    expect(created?.Architectures).toEqual(['arm64']);
    const zip = created?.Code?.ZipFile ?? new Uint8Array();
    expect(unpackFunction(zip).spec).toMatchObject({
      platform: { os: 'linux', architecture: 'arm64' },
      imageDigest: arm.digest,
    });
    const files = unzipSync(zip);
    expect(Object.keys(files).toSorted()).toEqual([
      'function.json',
      'index.mjs',
      'inroot-arm64',
      'rootfs',
      'rootfs.json',
    ]);
    expect(Buffer.from(files['inroot-arm64'] ?? []).toString()).toBe('\x7fELF arm64');
  });

  it('names the platforms that an image has when arm64 is not among them', async () => {
    const { context, lambda } = emptyAws();
    const error = await failure(createFunction(context, { ...basic(), architecture: 'arm64' }));
    expect(error).toBeInstanceOf(UnsupportedImageError);
    expect(error.message).toContain('no image for linux/arm64; it has linux/amd64');
    expect(error.context).toEqual({ platform: 'linux/arm64', offered: ['linux/amd64'] });
    expect(lambda.commandCalls(CreateFunctionCommand)).toHaveLength(0);
  });

  it('fails when Lambda gives up on it', async () => {
    const { context, lambda } = emptyAws();
    lambda
      .on(GetFunctionConfigurationCommand)
      .rejectsOnce(awsError('ResourceNotFoundException'))
      .resolves({ ...active, State: 'Failed', StateReasonCode: 'InvalidConfiguration', StateReason: 'bad' });
    const error = await failure(createFunction(context, basic()));
    expect(error.code).toBe('function-not-ready');
    expect(error.message).toContain('InvalidConfiguration: bad');
    expect(lambda.commandCalls(DeleteFunctionCommand)).toHaveLength(1);
  });

  it('says how to get the build when it is missing', async () => {
    const { context } = emptyAws({ supervisorDirectory: folder.path });
    const error = await failure(createFunction(context, basic()));
    expect(error).toBeInstanceOf(ValidationError);
    expect(error.message).toContain('npm run build');
  });

  it('never shows a credential', async () => {
    const { context, lambda } = emptyAws();
    lambda.on(CreateFunctionCommand).rejects(awsError('ExpiredTokenException', 'The security token is expired'));
    const error = await failure(createFunction(context, basic()));
    expect(JSON.stringify(error) + error.stack).not.toContain('mock-secret');
    expect(error.code).toBe('permission-denied');
  });
});

describe('createFunction refuses', () => {
  const cases: [string, Partial<Record<keyof CreateFunctionOptions | 'memory', unknown>>, RegExp][] = [
    ['a misspelt option', { memory: 512 }, /createFunction must have only the options .*; received "memory"/],
    ['a name with a dot', { name: 'a.b' }, /^name must be 1 to 64 letters.*; received "a\.b"/],
    ['no image', { image: undefined }, /^image must be a string/],
    [
      'a processor by its OCI name',
      { architecture: 'amd64' },
      /^architecture must be 'x86_64' or 'arm64'; received "amd64"/,
    ],
    ['64 MiB', { memoryMiB: 64 }, /^memoryMiB must be an integer from 128 to 10240; received 64/],
    ['half a MiB', { memoryMiB: 512.5 }, /^memoryMiB .* received 512\.5/],
    ['1,000 s', { timeoutSeconds: 1000 }, /^timeoutSeconds must be an integer from 1 to 900; received 1000/],
    ['little /tmp', { ephemeralStorageMiB: 100 }, /^ephemeralStorageMiB must be an integer from 512 to 10240/],
    [
      'a script that is missing',
      { script: '/no/such/script.sh' },
      /^script must be the path of a readable file.*ENOENT/,
    ],
    [
      'a script saved on Windows',
      { script: { inline: '#!/bin/sh\r\necho\r\n' } },
      /^script must not have a first line that ends in CRLF; received "#!\/bin\/sh\\r". Save it with LF line ends$/,
    ],
    [
      'a script with a byte order mark',
      { script: { inline: '\uFEFF#!/bin/sh\necho\n' } },
      /^script must not have a byte order mark before #!.*UTF-8 without one$/,
    ],
    ['a script without interpreter', { script: { inline: '#! \necho\n' } }, /^script must not have .*Name one/],
    ['an empty script', { script: { inline: '' } }, /^script must be a path, or \{ inline: text \}/],
    ['args that are a string', { args: '-v' }, /^args must be an array of strings; received "-v"/],
    ['an argument that is a number', { args: ['-n', 3] }, /^args\[1\] must be a string; received 3/],
    ['a variable that is a number', { environment: { N: 3 } }, /^environment\.N must be a string; received "a number"/],
    ['a variable with a dash', { environment: { 'a-b': '' } }, /^environment\.a-b must have a name of letters/],
    ['5 KB of variables', { environment: { BIG: 'x'.repeat(5000) } }, /^environment must have at most 4096 bytes/],
    ['an output that is a string', { output: ['s3://b/p'] }, /^output\[0\] must be an object/],
    [
      'an output bucket with a slash',
      { output: [{ bucket: 'b/p' }] },
      /^output\[0\]\.bucket must be the name of a bucket/,
    ],
    ['a trigger bucket as a URL', { trigger: { bucket: 's3://b' } }, /^trigger\.bucket .*separately/],
    ['an event that S3 has not', { trigger: { bucket: 'bkt', prefix: 'i/', events: ['put'] } }, /^trigger\.events/],
    ['a role that is a name', { roleArn: 'scar' }, /^roleArn must be the ARN of an IAM role/],
    ['a reserve of 0', { reserveSeconds: 0 }, /^reserveSeconds must be an integer from 1 to 300; received 0/],
    ['a root that is not true or false', { fakeRoot: 'no' }, /^fakeRoot must be true or false; received "no"/],
    ['a retention of 2 days', { logRetentionDays: 2 }, /^logRetentionDays must be one of 1, 3, 5/],
    ['a tag of ours', { tags: { createdby: 'me' } }, /^tags\.createdby must not be one of the package's own/],
    ['a tag with a bracket', { tags: { a: '[b]' } }, /^tags\.a must consist of/],
    ['half a login', { registry: { username: 'u' } }, /^registry must have both username and password/],
    ['another source', { imageSource: 'disk' }, /^imageSource must be 'cache' or 'registry'; received "disk"/],
    ['a registry for a layout', { registry: { insecure: true } }, /^registry must be left out/],
    ['a signal that is none', { signal: {} }, /^signal must be an AbortSignal/],
  ];
  it.each(cases)('%s', async (_, options, message) => {
    const { context, lambda, logs } = emptyAws();
    const call = async () => createFunction(context, { ...basic(), ...options } as CreateFunctionOptions);
    const error = await failure(call());
    expect(error.code).toBe('invalid-option');
    expect(error.message).toMatch(message);
    expect(lambda.commandCalls(CreateFunctionCommand)).toHaveLength(0);
    expect(logs.calls()).toHaveLength(0);
  });

  it('a missing role', async () => {
    const { context } = emptyAws();
    const without = { ...context, config: { ...context.config, roleArn: undefined } };
    await expect(async () => createFunction(without, basic())).rejects.toThrow(/SCAR_ROLE_ARN/);
  });

  const loops: [string, CreateFunctionOptions['trigger'], CreateFunctionOptions['output'], boolean][] = [
    ['outputs below the trigger', { bucket: 'bkt', prefix: 'in/' }, [{ bucket: 'bkt', prefix: 'in/out/' }], true],
    ['a trigger below the outputs', { bucket: 'bkt', prefix: 'out/a/' }, [{ bucket: 'bkt', prefix: 'out/' }], true],
    ['the whole bucket, by default outputs', { bucket: 'bkt' }, undefined, true],
    ['the whole bucket, without outputs', { bucket: 'bkt' }, [], false],
    ['another prefix', { bucket: 'bkt', prefix: 'in/' }, [{ bucket: 'bkt', prefix: 'out/' }], false],
    ['another bucket', { bucket: 'bkt', prefix: 'in/' }, [{ bucket: 'other', prefix: 'in/' }], false],
    ['other suffixes', { bucket: 'bkt', suffix: '.jpg' }, [{ bucket: 'bkt', prefix: '', suffixes: ['.txt'] }], false],
    ['a longer suffix', { bucket: 'bkt', suffix: '.gz' }, [{ bucket: 'bkt', prefix: '', suffixes: ['.tar.gz'] }], true],
  ];
  it.each(loops)('an endless loop: %s', async (_, trigger, output, refused) => {
    const { context } = emptyAws();
    const call = async () => createFunction(context, { ...basic(), trigger, output });
    if (refused) await expect(call()).rejects.toThrow(/invoke itself for ever/);
    else expect((await call()).name).toBe('gray');
  });
});
