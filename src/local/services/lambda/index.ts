import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { removeTree } from '../../../util/remove-tree.js';
import { Guard } from '../../environment/guard.js';
import type { LogSink } from '../../environment/log-sink.js';
import { MemoryMonitor } from '../../environment/memory-monitor.js';
import { claimRunFolder } from '../../environment/orphans.js';
import { Reaper } from '../../environment/reaper.js';
import type { SessionIssuer } from '../../environment/variables.js';
import type { EnvironmentHost } from '../../execution-environment.js';
import { nodeRuntimePath } from '../../node-runtime-path.js';
import type { Operation, Service } from '../../protocol/service.js';
import { RuntimeApiServer } from '../../runtime-api/server.js';
import { AsyncQueue } from './async-queue.js';
import { CodeStore } from './code-store.js';
import { ConcurrencyLedger } from './concurrency.js';
import type { LambdaContext, ReadObject } from './context.js';
import { Downloads } from './downloads.js';
import { EnvironmentPool } from './environment-pool.js';
import { parseFunctionName } from './function-name.js';
import { FunctionStore } from './function-store.js';
import { Functions } from './functions.js';
import { Invoker } from './invoker.js';
import {
  deleteFunctionConcurrency,
  getAccountSettings,
  getFunctionConcurrency,
  putFunctionConcurrency,
} from './operations/concurrency.js';
import {
  createFunction,
  deleteFunction,
  getFunction,
  getFunctionConfiguration,
  listFunctions,
  updateFunctionCode,
  updateFunctionConfiguration,
} from './operations/functions.js';
import { invoke } from './operations/invoke.js';
import { addPermission, getPolicy, permits, removePermission } from './operations/policy.js';
import { listTags, tagResource, untagResource } from './operations/tags.js';

export interface LambdaOptions {
  /** Functions, their code, queued events and the folders of environments; made when it does not exist. */
  readonly folder: string;
  /** A folder that goes with the engine also when it is killed. Default: none. */
  readonly temporaryFolder?: string | undefined;
  readonly region: string;
  readonly accountId: string;
  readonly credentials: SessionIssuer;
  readonly logs: LogSink;
  readonly readObject: ReadObject;
  /**
   * The account's concurrency limit: how many invocations run at a time, and how many environments there are. Default
   * twice the machine's processors, at least 4: an invocation waits for the network as often as it computes.
   */
  readonly concurrency?: number | undefined;
  /** How long an environment may be idle before it ends, in ms. Default 10 minutes. */
  readonly idleTimeoutMs?: number | undefined;
  /** The wait before each retry of an asynchronous invocation, in ms. Default 1 and 2 minutes, as on Lambda. */
  readonly asyncRetryDelaysMs?: readonly number[] | undefined;
  /** How long the init phase may take, in ms. Default 10 s, as on Lambda. */
  readonly initLimitMs?: number | undefined;
  /** Told of failures that are the engine's own fault and have no caller to be told. Default: nobody. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** How long a function is at least Pending, and an update InProgress, in ms. Default 20. */
  readonly stateDelayMs?: number | undefined;
}

/** The engine's Lambda. */
export interface Lambda {
  readonly service: Service;
  /** Begins to deliver queued events; functions reach the engine at this address. */
  start(endpoint: string): void;
  /** Why a bucket may not invoke that function; undefined if it may. */
  refusal(functionArn: string, source: { bucketArn: string; accountId: string }): string | undefined;
  /** Puts an event into the queue of asynchronous invocations. An unknown function is ignored, as by then it is gone. */
  deliver(functionArn: string, event: object): void;
  /** Kills all environments; invocations under way end with an error, queued events wait for the next engine. */
  close(): Promise<void>;
}

const DEFAULTS = {
  temporaryFolder: '',
  idleTimeoutMs: 10 * 60_000,
  asyncRetryDelaysMs: [60_000, 120_000],
  initLimitMs: 10_000,
  stateDelayMs: 20,
  onError: () => {},
};

/** Lambda's limit for a request that carries a zip, which base64 makes a third larger. */
const MAX_REQUEST_BYTES = 70_167_211;

/** Twice the processors, at least 4. */
const defaultConcurrency = (): number => Math.max(4, 2 * availableParallelism());

/** Opens the engine's Lambda on its folder, after cleaning up behind an engine that was killed there. */
export async function openLambda(options: LambdaOptions): Promise<Lambda> {
  const settings = { ...DEFAULTS, concurrency: defaultConcurrency(), ...withoutUndefined(options) };
  const runFolder = await claimRunFolder(join(options.folder, 'run'));
  const host = createHost(settings, runFolder);
  const store = new FunctionStore(join(options.folder, 'functions'));
  const code = await CodeStore.open(join(options.folder, 'code'));
  const pool = new EnvironmentPool(host, settings.concurrency, settings.idleTimeoutMs);
  const functions = new Functions(store, code, pool, settings);
  const concurrency = new ConcurrencyLedger(settings.concurrency, {
    of: (name) => store.find(name)?.reservedConcurrency,
    total: () => store.all().reduce((sum, record) => sum + (record.reservedConcurrency ?? 0), 0),
  });
  const invoker = new Invoker(functions, concurrency, pool);
  const queue = new AsyncQueue(join(options.folder, 'queue'), settings.asyncRetryDelaysMs, invoker, settings.onError);
  invoker.onRoom = () => queue.pump();
  functions.onActive = () => queue.pump();
  const downloads = new Downloads(code);
  const context = { functions, code, downloads, concurrency, invoker, queue, readObject: options.readObject };
  await functions.restore();
  const close = async () => {
    queue.close();
    await Promise.all([pool.close(), downloads.close(), functions.settle()]);
    await host.guard.close();
    await removeTree(runFolder);
  };
  let closed: Promise<void> | undefined;

  return {
    service: createService(context),
    start(endpoint) {
      host.endpoint = endpoint;
      queue.start();
    },
    ...notificationTarget(context),
    close() {
      closed ??= close();
      return closed;
    },
  };
}

type Settings = { readonly [Option in keyof LambdaOptions]-?: NonNullable<LambdaOptions[Option]> };

/** Passing `undefined` means the default. */
const withoutUndefined = <T extends object>(options: T) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [Option in keyof T]: NonNullable<T[Option]>;
  };

function createHost(settings: Settings, runFolder: string): EnvironmentHost & { endpoint: string } {
  return {
    region: settings.region,
    endpoint: '',
    credentials: settings.credentials,
    runFolder,
    memory: new MemoryMonitor(),
    logs: settings.logs,
    nodeRuntime: nodeRuntimePath(),
    initLimitMs: settings.initLimitMs,
    runtimeApi: new RuntimeApiServer(),
    guard: new Guard(runFolder, settings.temporaryFolder || undefined),
    reaper: new Reaper(runFolder),
  };
}

/** How S3 reaches functions. */
function notificationTarget({ functions, queue }: LambdaContext): Pick<Lambda, 'refusal' | 'deliver'> {
  const find = (arn: string) => functions.all().find((record) => record.name === parseFunctionName(arn).name);
  return {
    refusal(functionArn, source) {
      const record = find(functionArn);
      if (!record) return 'the function does not exist';
      const request = { service: 's3.amazonaws.com', sourceArn: source.bucketArn, sourceAccount: source.accountId };
      return permits(record, request)
        ? undefined
        : "the function's policy does not permit s3.amazonaws.com to invoke it";
    },
    deliver(functionArn, event) {
      const record = find(functionArn);
      const payload = Buffer.from(JSON.stringify(event));
      if (record) queue.add({ functionName: record.name, requestId: randomUUID(), payload });
    },
  };
}

function createService(lambda: LambdaContext): Service {
  const bind =
    <Input, Output extends object>(
      operation: (lambda: LambdaContext, input: Input) => Promise<Output> | Output,
    ): Operation =>
    (input: Input) =>
      operation(lambda, input);
  return {
    name: 'lambda',
    protocol: 'rest-json',
    schemas: () => import('@aws-sdk/client-lambda'),
    maxBodyBytes: MAX_REQUEST_BYTES,
    operations: {
      CreateFunction: bind(createFunction),
      GetFunction: bind(getFunction),
      GetFunctionConfiguration: bind(getFunctionConfiguration),
      ListFunctions: bind(listFunctions),
      UpdateFunctionConfiguration: bind(updateFunctionConfiguration),
      UpdateFunctionCode: bind(updateFunctionCode),
      DeleteFunction: bind(deleteFunction),
      Invoke: (input, context) => invoke(lambda, input, context),
      AddPermission: bind(addPermission),
      RemovePermission: bind(removePermission),
      GetPolicy: bind(getPolicy),
      TagResource: bind(tagResource),
      UntagResource: bind(untagResource),
      ListTags: bind(listTags),
      PutFunctionConcurrency: bind(putFunctionConcurrency),
      GetFunctionConcurrency: bind(getFunctionConcurrency),
      DeleteFunctionConcurrency: bind(deleteFunctionConcurrency),
      GetAccountSettings: bind(getAccountSettings),
    },
  };
}
