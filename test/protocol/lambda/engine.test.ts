import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  AddPermissionCommand,
  CreateFunctionCommand,
  GetFunctionCommand,
  InvokeCommand,
  LambdaClient,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { folderAtWork, readProcessTable } from '../../../src/local/environment/process-table.js';
import { type Engine, startEngine } from '../../../src/local/index.js';
import { removeTree } from '../../../src/util/remove-tree.js';
import { EngineProcess } from '../../support/engine-process.js';
import { ROLE, zip } from '../../support/lambda.js';

type Address = Omit<Engine, 'close'>;

/** The official clients for an engine. */
function clients({ endpoint, region, accessKeyId, secretAccessKey }: Address) {
  const config = { endpoint, region, credentials: { accessKeyId, secretAccessKey }, maxAttempts: 1 };
  return {
    lambda: new LambdaClient(config),
    s3: new S3Client({ ...config, forcePathStyle: true }),
    logs: new CloudWatchLogsClient(config),
  };
}

async function create({ lambda }: ReturnType<typeof clients>, name: string, code: Uint8Array | string) {
  const ZipFile = typeof code === 'string' ? zip({ 'index.mjs': code }) : code;
  const created = await lambda.send(
    new CreateFunctionCommand({
      FunctionName: name,
      Role: ROLE,
      Runtime: 'nodejs22.x',
      Handler: 'index.handler',
      MemorySize: 512,
      Timeout: 30,
      Code: { ZipFile },
    }),
  );
  await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 30, minDelay: 1 }, { FunctionName: name });
  return created.FunctionArn ?? '';
}

/** A function with the real SDK in it, which copies every object that it is told of, from `in/` to `out/`. */
async function copier(): Promise<Uint8Array> {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        import { CopyObjectCommand, S3Client } from '@aws-sdk/client-s3';
        import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
        const s3 = new S3Client({});
        export const handler = async (event) => {
          if (event.self) return (await new LambdaClient({}).send(new InvokeCommand({ FunctionName: process.env.AWS_LAMBDA_FUNCTION_NAME, Payload: '{"Records":[]}' }))).StatusCode;
          for (const { s3: { bucket, object } } of event.Records) {
            const key = decodeURIComponent(object.key.replaceAll('+', ' '));
            await s3.send(new CopyObjectCommand({ Bucket: bucket.name, Key: key.replace('in/', 'out/'), CopySource: encodeURI(bucket.name + '/' + key) }));
            console.log('copied', key);
          }
          return event.Records.length;
        };`,
      resolveDir: resolve(import.meta.dirname, '../../..'),
    },
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    write: false,
    logLevel: 'error',
  });
  return zip({ 'index.js': outputFiles[0]?.text ?? '' });
}

describe('a function in the engine', () => {
  let engine: Engine;
  let aws: ReturnType<typeof clients>;
  beforeEach(async () => {
    engine = await startEngine({ concurrentExecutions: 4, asyncRetryDelaysMs: [10, 10] });
    aws = clients(engine);
  });
  afterEach(() => engine.close());

  it('reaches S3 and Lambda by the SDK without any configuration, and is told of new objects', async () => {
    const { s3, lambda, logs } = aws;
    const code = await copier();
    await s3.send(new CreateBucketCommand({ Bucket: 'pictures' }));
    await s3.send(new PutObjectCommand({ Bucket: 'pictures', Key: 'copier.zip', Body: code }));
    await lambda.send(
      new CreateFunctionCommand({
        FunctionName: 'copier',
        Role: ROLE,
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        MemorySize: 512,
        Timeout: 30,
        Code: { S3Bucket: 'pictures', S3Key: 'copier.zip' },
      }),
    );
    await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 30, minDelay: 1 }, { FunctionName: 'copier' });
    const { Configuration, Code } = await lambda.send(new GetFunctionCommand({ FunctionName: 'copier' }));
    const download = await fetch(Code?.Location ?? '');
    expect(Buffer.from(await download.arrayBuffer()).equals(Buffer.from(code))).toBe(true);
    const NotificationConfiguration = {
      LambdaFunctionConfigurations: [
        {
          LambdaFunctionArn: Configuration?.FunctionArn,
          Events: ['s3:ObjectCreated:*' as const],
          Filter: { Key: { FilterRules: [{ Name: 'prefix' as const, Value: 'in/' }] } },
        },
      ],
    };
    const configure = () =>
      s3.send(new PutBucketNotificationConfigurationCommand({ Bucket: 'pictures', NotificationConfiguration }));
    await expect(configure()).rejects.toMatchObject({
      message: expect.stringContaining('Unable to validate the following destination configurations'),
    });
    await lambda.send(
      new AddPermissionCommand({
        FunctionName: 'copier',
        StatementId: 's3',
        Action: 'lambda:InvokeFunction',
        Principal: 's3.amazonaws.com',
        SourceArn: 'arn:aws:s3:::pictures',
      }),
    );
    await configure();
    await s3.send(new PutObjectCommand({ Bucket: 'pictures', Key: 'in/ä b+c.txt', Body: 'content' }));
    await vi.waitFor(async () => {
      const copied = await s3.send(new GetObjectCommand({ Bucket: 'pictures', Key: 'out/ä b+c.txt' }));
      expect(await copied.Body?.transformToString()).toBe('content');
    }, 20_000);
    await vi.waitFor(async () => {
      const { events } = await logs.send(
        new FilterLogEventsCommand({ logGroupName: '/aws/lambda/copier', filterPattern: 'copied' }),
      );
      expect(events?.map((event) => event.message?.split('\t')[3])).toEqual(['copied in/ä b+c.txt\n']);
    }, 10_000);
    const self = await lambda.send(new InvokeCommand({ FunctionName: 'copier', Payload: '{"self":true}' }));
    expect(Buffer.from(self.Payload ?? []).toString()).toBe('200');
  });

  it('cannot use its credentials when its environment has ended', async () => {
    await create(
      aws,
      'keys',
      `export const handler = async () => ({ accessKeyId: process.env.AWS_ACCESS_KEY_ID,
        secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY, sessionToken: process.env.AWS_SESSION_TOKEN, pid: process.pid })`,
    );
    const { Payload } = await aws.lambda.send(new InvokeCommand({ FunctionName: 'keys' }));
    const { pid, ...credentials } = JSON.parse(Buffer.from(Payload ?? []).toString());
    const { endpoint, region } = engine;
    const lambda = new LambdaClient({ endpoint, region, credentials, maxAttempts: 1 });
    const read = () => lambda.send(new GetFunctionCommand({ FunctionName: 'keys' }));
    expect((await read()).Configuration?.FunctionName).toBe('keys');
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(read()).rejects.toMatchObject({ name: 'UnrecognizedClientException' }), 5000);
    lambda.destroy();
  });
});

describe('an engine that is killed', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'killed-'));
  });
  const started: EngineProcess[] = [];
  const start = async () => {
    const engine = await EngineProcess.start(folder, ['--data', data()]);
    started.push(engine);
    return engine;
  };
  afterEach(async () => {
    for (const { process } of started.splice(0)) process.kill('SIGKILL');
    await removeTree(folder);
  });

  const data = () => join(folder, 'data');
  const isGuard = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('\0guard\0');
  /** Processes of environments of any engine that had this folder. */
  const atWork = () =>
    readProcessTable().filter(
      (row) => !row.zombie && folderAtWork(row, join(data(), 'lambda/run')) !== undefined && !isGuard(row.pid),
    );

  const BUSY = `import { spawn } from 'node:child_process';
    export const handler = async (event) => {
      spawn('sleep', ['1000'], { stdio: 'ignore' });
      spawn('setsid', ['sleep', '1000'], { stdio: 'ignore' });
      await new Promise((resolve) => setTimeout(resolve, event.ms)); return process.pid }`;

  it('leaves no process, neither of busy nor of frozen environments', async () => {
    const { engine, process: child } = await start();
    const aws = clients(engine);
    await create(aws, 'busy', BUSY);
    const invoke = (ms: number) =>
      aws.lambda.send(new InvokeCommand({ FunctionName: 'busy', Payload: JSON.stringify({ ms }) }));
    await Promise.all([invoke(100), invoke(100)]);
    const running = invoke(60_000).catch(() => {});
    await vi.waitFor(() => expect(atWork().length).toBeGreaterThanOrEqual(8), 10_000);
    child.kill('SIGKILL');
    await running;
    await vi.waitFor(() => expect(atWork()).toEqual([]), 10_000);
    await vi.waitFor(() => expect(readdirSync(join(data(), 'lambda/run'))).toEqual([]), 10_000);
  });

  it('is succeeded by one that knows its functions, and delivers what was queued', async () => {
    const first = await start();
    const before = clients(first.engine);
    await create(
      before,
      'keep',
      `import { appendFileSync } from 'node:fs';
       export const handler = async (event) => { appendFileSync(event.file, 'x'); await new Promise((r) => setTimeout(r, event.ms)); return 'kept' }`,
    );
    const file = join(folder, 'deliveries');
    const queued = {
      FunctionName: 'keep',
      InvocationType: 'Event',
      Payload: JSON.stringify({ file, ms: 1000 }),
    } as const;
    await before.lambda.send(new InvokeCommand(queued));
    await vi.waitFor(() => expect(readFileSync(file, 'utf8')).toBe('x'), 10_000);
    await first.kill('SIGKILL');

    const second = await start();
    const after = clients(second.engine);
    await vi.waitFor(() => expect(readFileSync(file, 'utf8')).toBe('xx'), 10_000);
    const { Payload } = await after.lambda.send(
      new InvokeCommand({ FunctionName: 'keep', Payload: JSON.stringify({ file, ms: 0 }) }),
    );
    expect(Buffer.from(Payload ?? []).toString()).toBe('"kept"');
    await vi.waitFor(() => expect(readdirSync(join(data(), 'lambda/queue'))).toEqual([]), 10_000);
    await second.kill('SIGTERM');
    expect(atWork()).toEqual([]);
    expect(readdirSync(join(data(), 'lambda/run'))).toEqual([]);
  });

  it('together with its guard is cleaned up behind by the next one', async () => {
    const first = await start();
    const aws = clients(first.engine);
    await create(aws, 'busy', BUSY);
    await aws.lambda.send(new InvokeCommand({ FunctionName: 'busy', Payload: '{"ms":100}' }));
    const guard = readProcessTable().find((row) => row.parent === first.process.pid && isGuard(row.pid));
    process.kill(guard?.pid ?? Number.NaN, 'SIGKILL');
    await first.kill('SIGKILL');
    expect(atWork().length).toBeGreaterThanOrEqual(2);
    const second = await start();
    expect(atWork()).toEqual([]);
    await second.kill('SIGTERM');
  });
});
