import { join } from 'node:path';
import * as sdk from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Credentials } from '../../../src/local/auth/credentials.js';
import { type EngineServer, serve } from '../../../src/local/protocol/server.js';
import { createS3, type NotificationTarget, type S3 } from '../../../src/local/services/s3/index.js';
import { temporaryFolder } from '../../support/temporary.js';

const region = 'eu-west-1';
const accountId = '000000000000';
const arn = (name: string) => `arn:aws:lambda:${region}:${accountId}:function:${name}`;
const Bucket = 'notifying';

interface Event {
  readonly Records: {
    eventName: string;
    s3: { object: { key: string; size?: number; eTag?: string; sequencer: string } };
  }[];
}

/** Functions that are known, and what they were told. */
const delivered: { functionArn: string; event: Event }[] = [];
const target: NotificationTarget = {
  refusal: (functionArn) => (functionArn.endsWith(':unknown') ? 'the function does not exist' : undefined),
  deliver: (functionArn, event) => void delivered.push({ functionArn, event: event as Event }),
};

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let s3: S3;
let server: EngineServer;
let client: sdk.S3Client;

async function start() {
  const credentials = new Credentials();
  s3 = createS3({ directory: join(folder.path, 's3'), region, accountId, recover: false, notifications: target });
  server = await serve([s3.service], { region, accountId, credentials });
  const options = { endpoint: server.endpoint, region, forcePathStyle: true, maxAttempts: 1 };
  client = new sdk.S3Client({ ...options, credentials: credentials.owner });
}

async function stop() {
  client.destroy();
  await server.close();
  await s3.close();
}

beforeAll(async () => {
  folder = await temporaryFolder();
  await start();
  const location = { LocationConstraint: region } as const;
  await client.send(new sdk.CreateBucketCommand({ Bucket, CreateBucketConfiguration: location }));
});

afterAll(async () => {
  await stop();
  await folder[Symbol.asyncDispose]();
});

const configure = (configurations: sdk.LambdaFunctionConfiguration[], more: object = {}) =>
  client.send(
    new sdk.PutBucketNotificationConfigurationCommand({
      Bucket,
      NotificationConfiguration: { LambdaFunctionConfigurations: configurations },
      ...more,
    }),
  );
const read = () => client.send(new sdk.GetBucketNotificationConfigurationCommand({ Bucket }));
const put = (Key: string, Body = 'x') => client.send(new sdk.PutObjectCommand({ Bucket, Key, Body }));
const rule = (name: string, Events: string[], filters: [string, string][] = []): sdk.LambdaFunctionConfiguration => ({
  Id: name,
  LambdaFunctionArn: arn(name),
  Events: Events as sdk.Event[],
  ...(filters.length > 0 && {
    Filter: { Key: { FilterRules: filters.map(([Name, Value]) => ({ Name: Name as sdk.FilterRuleName, Value })) } },
  }),
});
const heard = () =>
  delivered.map(({ functionArn, event }) => [
    functionArn.split(':').at(-1),
    event.Records[0]?.eventName,
    event.Records[0]?.s3.object.key,
  ]);

beforeEach(() => {
  delivered.length = 0;
});

describe('configuration', () => {
  it('is none at first, and replaced as a whole', async () => {
    expect((await read()).LambdaFunctionConfigurations).toBeUndefined();
    const rules = [
      rule(
        'one',
        ['s3:ObjectCreated:*'],
        [
          ['prefix', 'in/'],
          ['suffix', '.jpg'],
        ],
      ),
    ];
    await configure(rules);
    expect((await read()).LambdaFunctionConfigurations).toEqual(rules);
    await configure([rule('two', ['s3:ObjectRemoved:*'])]);
    expect((await read()).LambdaFunctionConfigurations).toEqual([rule('two', ['s3:ObjectRemoved:*'])]);
    await configure([]);
    expect((await read()).LambdaFunctionConfigurations).toBeUndefined();
  });

  it('gets an ID when it has none', async () => {
    const { Id, ...rest } = rule('one', ['s3:ObjectCreated:*']);
    await configure([rest]);
    expect((await read()).LambdaFunctionConfigurations?.[0]?.Id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([
    ['a function that does not exist', [rule('unknown', ['s3:ObjectCreated:*'])], /the function does not exist/],
    ['an ARN that is none', [{ ...rule('f', ['s3:ObjectCreated:*']), LambdaFunctionArn: 'f' }], /ARN/],
    ['an event that does not exist', [rule('f', ['s3:ObjectEaten:*'])], /s3:ObjectEaten/],
    ['a filter by something else', [rule('f', ['s3:ObjectCreated:*'], [['infix', 'x']])], /prefix or suffix/],
    [
      'two prefixes',
      [
        rule(
          'f',
          ['s3:ObjectCreated:*'],
          [
            ['prefix', 'a'],
            ['Prefix', 'b'],
          ],
        ),
      ],
      /more than one prefix/,
    ],
    ['an ID twice', [rule('f', ['s3:ObjectCreated:Put']), rule('f', ['s3:ObjectRemoved:*'])], /Same ID/],
    ['rules for the same event', [rule('f', ['s3:ObjectCreated:*']), rule('g', ['s3:ObjectCreated:Put'])], /overlap/],
    [
      'rules for the same keys',
      [
        rule('f', ['s3:ObjectCreated:*'], [['prefix', 'a/']]),
        rule(
          'g',
          ['s3:ObjectCreated:*'],
          [
            ['prefix', 'a/b'],
            ['suffix', '.x'],
          ],
        ),
      ],
      /overlap/,
    ],
  ])('refuses %s', async (_, rules, message) => {
    await expect(configure(rules)).rejects.toMatchObject({ name: 'InvalidArgument', message });
  });

  it('takes rules that differ in prefix, suffix or event', async () => {
    await configure([
      rule('a', ['s3:ObjectCreated:*'], [['prefix', 'a/']]),
      rule(
        'b',
        ['s3:ObjectCreated:*'],
        [
          ['prefix', 'b/'],
          ['suffix', '.x'],
        ],
      ),
      rule(
        'c',
        ['s3:ObjectCreated:*'],
        [
          ['prefix', 'b/'],
          ['suffix', '.y'],
        ],
      ),
      rule('d', ['s3:ObjectRemoved:*'], [['prefix', 'a/']]),
    ]);
    expect((await read()).LambdaFunctionConfigurations).toHaveLength(4);
  });

  it('does not look at functions when told not to', async () => {
    await configure([rule('unknown', ['s3:ObjectCreated:*'])], { SkipDestinationValidation: true });
    expect((await read()).LambdaFunctionConfigurations).toHaveLength(1);
  });

  it('refuses other destinations by name', async () => {
    const queue = { QueueArn: `arn:aws:sqs:${region}:${accountId}:q`, Events: ['s3:ObjectCreated:*' as const] };
    const NotificationConfiguration = { QueueConfigurations: [queue] };
    const command = new sdk.PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration });
    await expect(client.send(command)).rejects.toMatchObject({
      name: 'NotImplemented',
      message: expect.stringMatching(/SQS/),
    });
  });

  it('outlives the engine', async () => {
    await configure([rule('kept', ['s3:ObjectCreated:*'])]);
    await stop();
    await start();
    expect((await read()).LambdaFunctionConfigurations).toEqual([rule('kept', ['s3:ObjectCreated:*'])]);
  });
});

describe('events', () => {
  it('have the form of S3, with the key URL-encoded', async () => {
    await configure([rule('f', ['s3:ObjectCreated:*'])]);
    const { ETag } = await put("in/a b+c&é!'()*~.txt", 'hello');
    expect(delivered).toHaveLength(1);
    expect(delivered[0]).toEqual({
      functionArn: arn('f'),
      event: {
        Records: [
          {
            eventVersion: '2.1',
            eventSource: 'aws:s3',
            awsRegion: region,
            eventTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
            eventName: 'ObjectCreated:Put',
            userIdentity: { principalId: expect.any(String) },
            requestParameters: { sourceIPAddress: '127.0.0.1' },
            responseElements: { 'x-amz-request-id': expect.any(String), 'x-amz-id-2': expect.any(String) },
            s3: {
              s3SchemaVersion: '1.0',
              configurationId: 'f',
              bucket: {
                name: Bucket,
                ownerIdentity: { principalId: expect.any(String) },
                arn: `arn:aws:s3:::${Bucket}`,
              },
              object: {
                key: 'in/a+b%2Bc%26%C3%A9%21%27%28%29*%7E.txt',
                size: 5,
                eTag: ETag?.replaceAll('"', ''),
                sequencer: expect.stringMatching(/^[0-9A-F]{18}$/),
              },
            },
          },
        ],
      },
    });
  });

  it('go to the functions that want them', async () => {
    await configure([
      rule(
        'pictures',
        ['s3:ObjectCreated:*'],
        [
          ['prefix', 'in/'],
          ['suffix', '.jpg'],
        ],
      ),
      rule('removed', ['s3:ObjectRemoved:Delete']),
      rule('copies', ['s3:ObjectCreated:Copy'], [['prefix', 'copies/']]),
    ]);
    await put('in/a.jpg');
    await put('in/a.png');
    await put('out/a.jpg');
    await client.send(new sdk.CopyObjectCommand({ Bucket, Key: 'copies/a', CopySource: `${Bucket}/in/a.jpg` }));
    await client.send(new sdk.DeleteObjectCommand({ Bucket, Key: 'in/a.png' }));
    await client.send(new sdk.DeleteObjectCommand({ Bucket, Key: 'never/was' }));
    const Objects = [{ Key: 'in/a.jpg' }, { Key: 'out/a.jpg' }, { Key: 'neither' }];
    await client.send(new sdk.DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(heard()).toEqual([
      ['pictures', 'ObjectCreated:Put', 'in/a.jpg'],
      ['copies', 'ObjectCreated:Copy', 'copies/a'],
      ['removed', 'ObjectRemoved:Delete', 'in/a.png'],
      ['removed', 'ObjectRemoved:Delete', 'in/a.jpg'],
      ['removed', 'ObjectRemoved:Delete', 'out/a.jpg'],
    ]);
  });

  it('tell a completed upload once', async () => {
    await configure([rule('f', ['s3:ObjectCreated:*'])]);
    const place = { Bucket, Key: 'uploaded' };
    const { UploadId } = await client.send(new sdk.CreateMultipartUploadCommand(place));
    const part = await client.send(new sdk.UploadPartCommand({ ...place, UploadId, PartNumber: 1, Body: 'x' }));
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: part.ETag }] };
    await client.send(new sdk.CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload }));
    expect(heard()).toEqual([['f', 'ObjectCreated:CompleteMultipartUpload', 'uploaded']]);
  });

  it('do not tell what did not happen', async () => {
    await configure([rule('f', ['s3:ObjectCreated:*'])]);
    await put('once');
    delivered.length = 0;
    const again = new sdk.PutObjectCommand({ Bucket, Key: 'once', Body: 'y', IfNoneMatch: '*' });
    await expect(client.send(again)).rejects.toMatchObject({ name: 'PreconditionFailed' });
    const broken = new sdk.PutObjectCommand({ Bucket, Key: 'broken', Body: 'y', ChecksumCRC32: 'AAAAAA==' });
    await expect(client.send(broken)).rejects.toMatchObject({ name: 'BadDigest' });
    expect(delivered).toEqual([]);
  });

  it('of one key are in order by their sequencer', async () => {
    await configure([rule('f', ['s3:ObjectCreated:*', 's3:ObjectRemoved:*'])]);
    for (let round = 0; round < 20; round++) {
      await put('key');
      await client.send(new sdk.DeleteObjectCommand({ Bucket, Key: 'key' }));
    }
    const sequencers = delivered.map(({ event }) => event.Records[0]?.s3.object.sequencer ?? '');
    expect(sequencers).toEqual([...new Set(sequencers)].sort());
    expect(sequencers).toHaveLength(40);
  });
});
