import * as logs from '@aws-sdk/client-cloudwatch-logs';
import * as lambda from '@aws-sdk/client-lambda';
import * as s3 from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Credentials } from '../../../src/local/auth/credentials.js';
import { type EngineServer, serve } from '../../../src/local/protocol/server.js';
import { type Service, ServiceError } from '../../../src/local/protocol/service.js';

const lambdaService: Service = {
  name: 'lambda',
  protocol: 'rest-json',
  schemas: lambda,
  operations: {
    Invoke({ FunctionName, Payload }: lambda.InvokeCommandInput) {
      if (FunctionName === 'busy') {
        throw new ServiceError('TooManyRequestsException', 429, 'Rate Exceeded.', {
          fields: { Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded', retryAfterSeconds: '3', Type: 'User' },
        });
      }
      return { StatusCode: 202, Payload, LogResult: FunctionName };
    },
    GetFunction() {
      throw new ServiceError('ResourceNotFoundException', 404, 'Function not found: f', { fields: { Type: 'User' } });
    },
    CreateFunction: ({ FunctionName, Code, Environment }: lambda.CreateFunctionCommandInput) => ({
      FunctionName,
      CodeSize: Code?.ZipFile?.length,
      Environment,
    }),
    DeleteFunction: () => ({}),
    ListFunctions() {
      throw new TypeError('a bug');
    },
  },
};

const s3Service: Service = {
  name: 's3',
  protocol: 'rest-xml',
  schemas: s3,
  operations: {
    GetObject() {
      throw new ServiceError('NoSuchKey', 404, 'The specified key does not exist.', { fields: { Key: 'a&b' } });
    },
    HeadObject() {
      throw new ServiceError('NoSuchKey', 404, 'The specified key does not exist.');
    },
  },
};

const logsService: Service = {
  name: 'logs',
  protocol: 'json-1.1',
  schemas: logs,
  operations: {
    DescribeLogGroups: () => ({ logGroups: [{ logGroupName: 'g', creationTime: 1_700_000_000_000 }] }),
    CreateLogGroup() {
      throw new ServiceError('ResourceAlreadyExistsException', 400, 'The specified log group already exists');
    },
  },
};

describe('the three protocols, spoken to by the official clients', () => {
  const credentials = new Credentials();
  const failures: unknown[] = [];
  let server: EngineServer;
  let lambdaClient: lambda.LambdaClient;
  let s3Client: s3.S3Client;
  let logsClient: logs.CloudWatchLogsClient;

  beforeAll(async () => {
    server = await serve([lambdaService, s3Service, logsService], {
      region: 'eu-west-1',
      accountId: '000000000000',
      credentials,
      onError: (error) => failures.push(error),
    });
    const options = {
      endpoint: server.endpoint,
      region: 'eu-west-1',
      credentials: credentials.owner,
      maxAttempts: 1,
    };
    lambdaClient = new lambda.LambdaClient(options);
    s3Client = new s3.S3Client({ ...options, forcePathStyle: true });
    logsClient = new logs.CloudWatchLogsClient(options);
  });

  afterAll(() => server.close());

  it('REST-JSON: labels that hold an ARN, a blob payload, headers and the status', async () => {
    const FunctionName = 'arn:aws:lambda:eu-west-1:000000000000:function:f';
    const output = await lambdaClient.send(new lambda.InvokeCommand({ FunctionName, Payload: '{"a":1}' }));
    expect(output.Payload?.transformToString()).toBe('{"a":1}');
    expect(output).toMatchObject({ StatusCode: 202, LogResult: FunctionName });
    expect(output.$metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('REST-JSON: blobs and maps in a document', async () => {
    const input = {
      FunctionName: 'f',
      Role: 'arn:aws:iam::000000000000:role/r',
      Code: { ZipFile: Buffer.alloc(1000, 1) },
    };
    const output = await lambdaClient.send(
      new lambda.CreateFunctionCommand({ ...input, Environment: { Variables: { A: 'é' } } }),
    );
    expect(output).toMatchObject({ FunctionName: 'f', CodeSize: 1000, Environment: { Variables: { A: 'é' } } });
    expect(output.$metadata.httpStatusCode).toBe(201);
  });

  it('REST-JSON: an error becomes its class, with members from body and headers', async () => {
    const error = await lambdaClient.send(new lambda.InvokeCommand({ FunctionName: 'busy' })).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(lambda.TooManyRequestsException);
    expect(error).toMatchObject({
      message: 'Rate Exceeded.',
      Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
      retryAfterSeconds: '3',
      Type: 'User',
    });
    const missing = lambdaClient.send(new lambda.GetFunctionCommand({ FunctionName: 'f' }));
    await expect(missing).rejects.toBeInstanceOf(lambda.ResourceNotFoundException);
    await expect(missing).rejects.toThrow('Function not found: f');
  });

  it('refuses by name what it does not implement', async () => {
    const refusal = (name: string) => ({
      name: 'NotImplemented',
      message: `The embedded engine does not implement ${name}`,
      $metadata: { httpStatusCode: 501 },
    });
    await expect(lambdaClient.send(new lambda.PublishVersionCommand({ FunctionName: 'f' }))).rejects.toMatchObject(
      refusal('PublishVersion'),
    );
    await expect(s3Client.send(new s3.PutBucketPolicyCommand({ Bucket: 'b', Policy: '{}' }))).rejects.toMatchObject(
      refusal('PutBucketPolicy'),
    );
    await expect(logsClient.send(new logs.ListTagsForResourceCommand({ resourceArn: 'a' }))).rejects.toMatchObject(
      refusal('ListTagsForResource'),
    );
  });

  it('REST-XML: an error with a body, and one to HEAD without', async () => {
    const missing = await s3Client.send(new s3.GetObjectCommand({ Bucket: 'b', Key: 'a&b' })).catch((thrown) => thrown);
    expect(missing).toBeInstanceOf(s3.NoSuchKey);
    expect(missing).toMatchObject({ Key: 'a&b', message: 'The specified key does not exist.' });
    const head = s3Client.send(new s3.HeadObjectCommand({ Bucket: 'b', Key: 'k' }));
    await expect(head).rejects.toBeInstanceOf(s3.NotFound);
  });

  it('JSON 1.1: documents and errors', async () => {
    const output = await logsClient.send(new logs.DescribeLogGroupsCommand({}));
    expect(output.logGroups).toEqual([{ logGroupName: 'g', creationTime: 1_700_000_000_000 }]);
    const taken = logsClient.send(new logs.CreateLogGroupCommand({ logGroupName: 'g' }));
    await expect(taken).rejects.toBeInstanceOf(logs.ResourceAlreadyExistsException);
  });

  it('checks types and required members against the schema', async () => {
    const wrong = lambdaClient.send(new lambda.CreateFunctionCommand({ FunctionName: 5, Code: {} } as never));
    await expect(wrong).rejects.toMatchObject({ name: expect.stringMatching(/Validation|Serialization/) });
  });

  it('answers 500 to a bug of its own and reports it', async () => {
    await expect(lambdaClient.send(new lambda.ListFunctionsCommand({}))).rejects.toMatchObject({
      name: 'ServiceException',
      message: 'The embedded engine failed: a bug',
      $metadata: { httpStatusCode: 500 },
    });
    expect(failures).toEqual([new TypeError('a bug')]);
  });
});
