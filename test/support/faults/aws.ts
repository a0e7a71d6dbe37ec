import type { Socket } from 'node:net';
import { join } from 'node:path';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import pLimit from 'p-limit';
import { objectStore } from '../../../src/aws/s3.js';
import type { InvocationEvent } from '../../../src/contract/index.js';
import { Credentials } from '../../../src/local/auth/credentials.js';
import { serve } from '../../../src/local/protocol/server.js';
import {
  type Operation,
  type OperationContext,
  type Service,
  ServiceError,
} from '../../../src/local/protocol/service.js';
import { errors } from '../../../src/local/services/lambda/errors.js';
import { createS3 } from '../../../src/local/services/s3/index.js';
import { sleep } from '../../../src/util/sleep.js';
import { parseEvent } from '../../../supervisor/event.js';
import { Death, Environment, GRACE_MS, TIMEOUT_MS } from './environment.js';
import type { Fault, FaultSchedule, SmallFault } from './schedule.js';

const ACCOUNT = { region: 'us-east-1', accountId: '000000000000' };
/** Environments wait for each other's claims: as many connections as invocations. */
const SOCKETS = 512;

/** How an environment's end reads in Lambda's words. */
const LAST_WORDS = {
  exit: { errorType: 'Runtime.ExitError', errorMessage: 'Error: Runtime exited with error: exit status 1' },
  'out-of-memory': {
    errorType: 'Runtime.OutOfMemory',
    errorMessage: 'Error: Runtime exited with error: signal: killed',
  },
  timeout: {
    errorType: 'Sandbox.Timedout',
    errorMessage: `Error: Task timed out after ${TIMEOUT_MS / 1000}.00 seconds`,
  },
};

/** What happened on AWS's side of a run. */
export interface Witness {
  /** Effects by idempotency key. */
  readonly effects: ReadonlyMap<string, number>;
  /** Idempotency keys by object, in the order in which they came first. */
  readonly keys: ReadonlyMap<string, readonly string[]>;
  /** Keys that came although none of their object's had been answered with a failure. */
  readonly unasked: readonly string[];
  /** How often each fault came about. */
  readonly faults: Readonly<Record<string, number>>;
  readonly invocations: number;
  /** Failures of the server itself. */
  readonly errors: readonly unknown[];
}

/**
 * Lambda and S3 on a port of this machine, which fail as they are scheduled to. S3 is the embedded engine's, Lambda's protocol too; behind it are
 * {@link Environment}s, one for each invocation at a time, that live until they are killed.
 */
export class FaultyAws implements AsyncDisposable {
  readonly witness = {
    effects: new Map<string, number>(),
    keys: new Map<string, string[]>(),
    unasked: [] as string[],
    faults: {} as Record<string, number>,
    invocations: 0,
    errors: [] as unknown[],
  };
  readonly #schedule: FaultSchedule;
  readonly #failed = new Set<string>();
  readonly #objectOf = new Map<string, string>();
  readonly #idle: Environment[] = [];
  #environments = 0;
  #calm = true;
  #s3!: S3Client;
  #close!: () => Promise<void>;
  /** What a ScarClient is made with. */
  client!: { endpoint: string; region: string; credentials: { accessKeyId: string; secretAccessKey: string } };

  private constructor(schedule: FaultSchedule) {
    this.#schedule = schedule;
  }

  /** @param folder - for S3 */
  static async start(folder: string, schedule: FaultSchedule): Promise<FaultyAws> {
    const aws = new FaultyAws(schedule);
    const credentials = new Credentials();
    const s3 = createS3({ directory: join(folder, 's3'), recover: false, ...ACCOUNT });
    const onError = (error: unknown) => void aws.witness.errors.push(error);
    const server = await serve([aws.#faulty(s3.service), aws.#lambda()], { ...ACCOUNT, credentials, onError });
    aws.client = { endpoint: server.endpoint, region: ACCOUNT.region, credentials: credentials.owner };
    const requestHandler = new NodeHttpHandler({ httpAgent: { maxSockets: SOCKETS }, httpsAgent: {} });
    aws.#s3 = new S3Client({ ...aws.client, forcePathStyle: true, requestHandler });
    aws.#close = async () => {
      aws.#s3.destroy();
      await server.close();
      await s3.close();
    };
    return aws;
  }

  /** Makes a bucket, of empty objects, before anything fails. */
  async fill(bucket: string, keys: readonly string[] = []): Promise<void> {
    await this.#s3.send(new CreateBucketCommand({ Bucket: bucket }));
    const limit = pLimit(64);
    await limit.map(keys, (Key) =>
      this.#s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: new Uint8Array() })),
    );
  }

  /** From now on things fail. */
  begin(): void {
    this.#calm = false;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }

  #lambda(): Service {
    const limit = { ConcurrentExecutions: 1_000, UnreservedConcurrentExecutions: 1_000 };
    const arn = `arn:aws:lambda:${ACCOUNT.region}:${ACCOUNT.accountId}:function:work`;
    const facts = {
      FunctionName: 'work',
      FunctionArn: arn,
      MemorySize: 512,
      Timeout: TIMEOUT_MS / 1000,
      State: 'Active',
    };
    return this.#faulty({
      name: 'lambda',
      protocol: 'rest-json',
      schemas: () => import('@aws-sdk/client-lambda'),
      operations: {
        GetFunctionConfiguration: () => facts,
        GetFunctionConcurrency: () => ({}),
        GetAccountSettings: () => ({ AccountLimit: limit }),
        Invoke: (input: { Payload: Uint8Array }, context) => this.#invoke(input, context),
      },
    });
  }

  async #invoke({ Payload }: { Payload: Uint8Array }, context: OperationContext): Promise<object> {
    const { witness } = this;
    witness.invocations++;
    const storm = this.#schedule.storm();
    if (storm) {
      this.#count('storm');
      const { name, status, message, fields, headers } = errors.throttled('ConcurrentInvocationLimitExceeded');
      throw new ServiceError(name, status, message, { fields, headers: storm.retryAfter ? headers : {} });
    }
    const event = JSON.parse(Buffer.from(Payload).toString()) as InvocationEvent;
    const { records } = parseEvent(event);
    const keys = records.map(({ idempotencyKey = '' }) => idempotencyKey);
    const fault = this.#schedule.invocation(records[0]?.input?.key ?? '');
    if (fault) this.#count(fault.kind === 'death' ? `death: ${fault.cause}` : fault.kind);
    refuse(fault, context);
    for (const { input, idempotencyKey = '' } of records) this.#meet(input?.key ?? '', idempotencyKey);
    const environment = this.#idle.pop() ?? this.#environment();
    try {
      const response = await environment.invoke(context.requestId, event, fault);
      this.#idle.push(environment);
      for (const [index, key] of keys.entries())
        if (response.outcomes[index]?.status === 'failed') this.#failed.add(key);
      if (fault?.kind === 'reply-lost') reset(context);
      if (fault?.kind === 'reply-failed') throw unavailable(500);
      return { StatusCode: 200, Payload: Buffer.from(JSON.stringify(response)) };
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      return this.#unhandled(error, keys, fault, context);
    }
  }

  async #unhandled(
    error: unknown,
    keys: readonly string[],
    fault: Fault | undefined,
    context: OperationContext,
  ): Promise<object> {
    if (fault?.kind === 'death' && fault.told !== 'at-once') {
      // The network's end of it: so late that the claim is dead, too.
      if (fault.told === 'too-late') await sleep(TIMEOUT_MS + GRACE_MS + 1_000);
      reset(context);
      return {};
    }
    for (const key of keys) this.#failed.add(key);
    const { message } = error as Error;
    const words = error instanceof Death ? LAST_WORDS[error.reason] : { errorType: 'ScarError', errorMessage: message };
    if (!(error instanceof Death)) this.#count('answer not kept');
    return { StatusCode: 200, FunctionError: 'Unhandled', Payload: Buffer.from(JSON.stringify(words)) };
  }

  /** A key that runs something again may only come after a failure. */
  #meet(object: string, key: string): void {
    const keys = this.witness.keys.get(object) ?? [];
    this.witness.keys.set(object, keys);
    if (keys.includes(key)) return;
    if (keys.length > 0 && !this.#failed.has(keys.at(-1) as string)) this.witness.unasked.push(`${object}: ${key}`);
    keys.push(key);
    this.#objectOf.set(key, object);
  }

  #environment(): Environment {
    const { effects } = this.witness;
    return new Environment(`environment-${this.#environments++}`, objectStore(this.#s3), (key) =>
      effects.set(key, (effects.get(key) ?? 0) + 1),
    );
  }

  /** Everything but invocations, whose faults are their own. */
  #faulty(service: Service): Service {
    const operations = Object.entries(service.operations).map(([name, operation]): [string, Operation] => [
      name,
      name === 'Invoke' ? operation : (input, context) => this.#small(name, operation, input, context),
    ]);
    return { ...service, operations: Object.fromEntries(operations) };
  }

  async #small(name: string, operation: Operation, input: Record<string, string>, context: OperationContext) {
    const { Key: key = '', ContinuationToken: page = '' } = input;
    // The name of an answer is another in each run; that of its object is not.
    const what = this.#objectOf.get(key.slice(key.lastIndexOf('/') + 1)) ?? key;
    const part = key === '' ? 0.3 : 0.01;
    const fault = this.#calm ? undefined : this.#schedule.small(`${name} ${what} ${page}`, part);
    if (fault) this.#count(`${key === '' ? name : 'answers'}: ${fault}`);
    if (fault === 'error') throw unavailable(name === 'ListObjectsV2' ? 500 : 503);
    if (fault === 'reset') reset(context);
    const output = fault === 'reset' ? {} : await operation(input, context);
    if (fault) breakOff(fault, context);
    return output;
  }

  #count(what: string): void {
    this.witness.faults[what] = (this.witness.faults[what] ?? 0) + 1;
  }
}

function refuse(fault: Fault | undefined, context: OperationContext): void {
  if (fault?.kind === 'throttled') throw errors.throttled('ConcurrentInvocationLimitExceeded');
  if (fault?.kind === 'refused') throw unavailable(fault.status);
  if (fault?.kind !== 'reset') return;
  reset(context);
  throw unavailable(500);
}

function unavailable(status: number): ServiceError {
  return new ServiceError(status === 503 ? 'ServiceUnavailable' : 'ServiceException', status, 'Scheduled to fail');
}

function breakOff(fault: SmallFault, context: OperationContext): void {
  if (fault === 'cut') cut(context.request.socket);
  else reset(context);
}

function reset({ request }: OperationContext): void {
  request.socket.resetAndDestroy();
}

/** Lets the beginning of a reply through. */
function cut(socket: Socket): void {
  const { write } = socket;
  socket.write = ((chunk: Buffer | string, ...rest: []) => {
    const half = Buffer.from(chunk as string).subarray(0, Math.floor(chunk.length / 2));
    write.call(socket, half, ...rest);
    socket.destroySoon();
    return true;
  }) as typeof socket.write;
}
