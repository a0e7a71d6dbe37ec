import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { BucketService } from '../aws/buckets.js';
import { FunctionService } from '../aws/lambda.js';
import { LogService } from '../aws/logs.js';
import type { ObjectStore } from '../aws/object-store.js';
import { objectStore } from '../aws/s3.js';
import { linkSignals } from '../util/linked-signal.js';
import { sleep } from '../util/sleep.js';
import type { ClientConfig } from './config.js';
import type { ProgressEvent, RetryEvent, WarningEvent } from './events.js';

/** All that a verb works with. Tests build one with clients of their own; nothing in it is global. */
export interface ClientContext {
  readonly config: ClientConfig;
  readonly functions: FunctionService;
  readonly objects: ObjectStore;
  readonly buckets: BucketService;
  readonly logs: LogService;
  /** The Region in which the Lambda client works. */
  region(): Promise<string>;
  readonly notify: Notifier;
  /** A clock that never goes back, in ms. */
  readonly now: () => number;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
  /** Aborted by `close()`. */
  readonly closing: AbortSignal;
  /** Work that `close()` waits for. */
  readonly running: Set<Promise<unknown>>;
}

/** The clients of the AWS SDK that a context works with. */
export interface SdkClients {
  lambda: LambdaClient;
  s3: S3Client;
  logs: CloudWatchLogsClient;
}

/** Where a verb's events go. */
export interface Notifier {
  progress(event: ProgressEvent): void;
  warning(event: WarningEvent): void;
  retry(event: RetryEvent): void;
}

/** Runs a call under the caller's signal and the client's life: `close()` aborts it and waits for it. */
export async function underClient<T>(
  context: ClientContext,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const linked = linkSignals(signal, context.closing);
  const running = (async () => {
    linked.signal.throwIfAborted();
    return await work(linked.signal);
  })();
  const forget = track(context, running);
  try {
    return await running;
  } finally {
    forget();
    linked.release();
  }
}

/** Lets `close()` wait for a promise. Returns the way to forget it. */
export function track(context: ClientContext, work: Promise<unknown>): () => void {
  const settled = work.catch(() => {});
  context.running.add(settled);
  return () => context.running.delete(settled);
}

/** A context over the configured clients, and what closes those that were made here. */
export function makeContext(
  config: ClientConfig,
  notify: Notifier,
  closing: AbortSignal,
): { context: ClientContext; clients: SdkClients; destroyClients: () => void } {
  const made: { destroy(): void }[] = [];
  const own = <Client extends { destroy(): void }>(client: Client): Client => {
    made.push(client);
    return client;
  };
  const given = config.clients;
  const lambda = isClient<LambdaClient>(given.lambda)
    ? given.lambda
    : own(new LambdaClient({ ...common(config), ...connections(config.sockets), ...given.lambda }));
  const s3 = isClient<S3Client>(given.s3)
    ? given.s3
    : own(
        new S3Client({
          ...common(config),
          ...connections(S3_SOCKETS),
          // Names of buckets do not resolve as hosts anywhere but on AWS.
          forcePathStyle: config.endpoint !== undefined,
          ...given.s3,
        }),
      );
  const logs = isClient<CloudWatchLogsClient>(given.logs)
    ? given.logs
    : own(
        new CloudWatchLogsClient({
          ...common(config),
          ...connections(LOGS_SOCKETS),
          // Live Tail goes to a host of its own, which nothing but AWS has.
          disableHostPrefix: config.endpoint !== undefined,
          ...given.logs,
        }),
      );
  const context: ClientContext = {
    config,
    functions: new FunctionService(lambda),
    objects: objectStore(s3),
    buckets: new BucketService(s3),
    logs: new LogService(logs),
    region: () => lambda.config.region(),
    notify,
    now: () => performance.now(),
    sleep,
    random: Math.random,
    closing,
    running: new Set(),
  };
  return {
    context,
    clients: { lambda, s3, logs },
    destroyClients: () => {
      for (const client of made) client.destroy();
    },
  };
}

const S3_SOCKETS = 64;
const LOGS_SOCKETS = 16;

/** Lambda and CloudWatch Logs allow 15 and 5-10 control calls a second: more patience than the SDK's three attempts. */
const CONTROL_ATTEMPTS = 6;

function common({ region, credentials, endpoint }: ClientConfig) {
  return {
    maxAttempts: CONTROL_ATTEMPTS,
    ...(region !== undefined && { region }),
    ...(credentials !== undefined && { credentials }),
    ...(endpoint !== undefined && { endpoint }),
  };
}

/**
 * A keep-alive agent of `sockets` connections, which keeps them all: of those that are free at once, Node by itself closes all but 256. No limit on silence or on the wait for a connection: an invocation lasts up
 * to 15 minutes without a byte, and the one behind it in the agent's queue waits as long. `keepAlive` also switches on TCP keep-alive, without which NAT gateways drop an idle connection after
 * 350 s (https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html).
 */
function connections(sockets: number) {
  const agent = { keepAlive: true, keepAliveMsecs: 1_000, maxSockets: sockets, maxFreeSockets: sockets };
  return {
    requestHandler: {
      socketTimeout: 0,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
  };
}

function isClient<Client>(value: unknown): value is Client {
  return typeof (value as { send?: unknown } | undefined)?.send === 'function';
}
