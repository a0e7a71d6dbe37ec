import { join } from 'node:path';
import { ScarError, ValidationError } from '../errors.js';
import { Credentials } from './auth/credentials.js';
import { openDataFolder } from './data-folder.js';
import { type EngineServer, serve } from './protocol/server.js';
import { openLambda } from './services/lambda/index.js';
import { openLogs } from './services/logs/index.js';
import { createS3 } from './services/s3/index.js';

/** How an embedded engine is started. */
export interface EngineOptions {
  /** Where buckets and functions are kept, also when the engine closes. Default: a temporary folder that goes with it. */
  readonly dataDir?: string;
  /** TCP port on 127.0.0.1; default 0, any free one. */
  readonly port?: number;
  /** The Region that it plays; default `us-east-1`. */
  readonly region?: string;
  /**
   * The account's concurrency limit: how many invocations run at a time, and how many execution environments there are
   * at most. Default: twice the machine's processors, at least 4.
   */
  readonly concurrentExecutions?: number;
  /** How long an execution environment may be idle before it ends, in ms. Default 10 minutes. */
  readonly environmentIdleMs?: number;
  /** The wait before each retry of an asynchronous invocation, in ms. Default 1 and 2 minutes, as on Lambda. */
  readonly asyncRetryDelaysMs?: readonly number[];
  /** Told of failures that are the engine's own fault; the caller of the operation gets a 500 besides. */
  readonly onError?: (error: unknown) => void;
}

/** A running engine: Lambda, S3 and CloudWatch Logs on one endpoint. */
export interface Engine {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Aborts what is under way, waits for it, and leaves no process and no temporary file behind. */
  close(): Promise<void>;
}

/** As AWS's documentation and other emulators have it: an account that cannot exist. */
const ACCOUNT_ID = '000000000000';

/**
 * Starts an engine in this process. Its credentials are random: nobody else on the machine can use it.
 *
 * @throws ValidationError for an option that breaks a rule, ScarError `engine` when port or folder cannot be had
 */
export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  const settings = checkOptions(options);
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (let closer = closers.pop(); closer; closer = closers.pop()) await closer();
  };
  try {
    const { endpoint, credentials } = await open(settings, closers);
    const { accessKeyId, secretAccessKey } = credentials.owner;
    let closed: Promise<void> | undefined;
    return {
      endpoint,
      region: settings.region,
      accessKeyId,
      secretAccessKey,
      close() {
        closed ??= close();
        return closed;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

type Settings = ReturnType<typeof checkOptions>;

/** Opens the parts of an engine, and adds to `closers` what closes each; the last one is to be closed first. */
async function open(settings: Settings, closers: (() => Promise<void>)[]) {
  const { region, port, onError } = settings;
  const credentials = new Credentials();
  const data = openDataFolder(settings.dataDir);
  closers.push(data.close);
  const at = (service: string) => join(data.path, service);
  const logs = openLogs(at('logs'), onError);
  closers.push(async () => logs.close());
  const lambda = await openLambda({
    ...settings.lambda,
    onError,
    folder: at('lambda'),
    ...(data.temporary && { temporaryFolder: data.path }),
    region,
    accountId: ACCOUNT_ID,
    credentials,
    logs: logs.sink,
    readObject: (...object) => s3.readObject(...object),
  });
  closers.push(lambda.close);
  const { recover } = data;
  const s3 = createS3({ directory: at('s3'), recover, region, accountId: ACCOUNT_ID, notifications: lambda });
  closers.push(s3.close);
  const services = [s3.service, lambda.service, logs.service];
  const server = await listen(services, { port, region, credentials, accountId: ACCOUNT_ID, onError });
  // The server waits for the invocations under way, and they for their environments.
  closers.push(async () => void (await Promise.all([server.close(), lambda.close()])));
  lambda.start(server.endpoint);
  return { endpoint: server.endpoint, credentials };
}

async function listen(...[services, options]: Parameters<typeof serve>): Promise<EngineServer> {
  try {
    return await serve(services, options);
  } catch (cause) {
    throw listenError(options.port ?? 0, cause);
  }
}

function checkOptions(options: EngineOptions) {
  const { port = 0, region = 'us-east-1', dataDir, onError = () => {} } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new ValidationError('port', 'be an integer from 0 to 65535', port);
  }
  if (!/^[a-z]{2}(-[a-z]+)+-\d+$/.test(region)) {
    throw new ValidationError('region', 'be the name of a Region, such as eu-west-1', region);
  }
  const { concurrentExecutions: concurrency, environmentIdleMs: idleTimeoutMs, asyncRetryDelaysMs } = options;
  checkNumber('concurrentExecutions', concurrency, 1);
  checkNumber('environmentIdleMs', idleTimeoutMs, 0);
  for (const [index, delay] of (asyncRetryDelaysMs ?? []).entries()) {
    checkNumber(`asyncRetryDelaysMs[${index}]`, delay, 0);
  }
  return { port, region, dataDir, onError, lambda: { concurrency, idleTimeoutMs, asyncRetryDelaysMs } };
}

function checkNumber(option: string, value: number | undefined, least: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least)) return;
  throw new ValidationError(option, `be an integer of at least ${least}`, value);
}

function listenError(port: number, cause: unknown): ScarError {
  const code = (cause as NodeJS.ErrnoException).code;
  const context = { port };
  if (code === 'EADDRINUSE') {
    const message = `Port ${port} of 127.0.0.1 is in use. Give another one, or 0 for any that is free.`;
    return new ScarError('engine', message, { context, cause });
  }
  if (code === 'EACCES') {
    const message = `Port ${port} of 127.0.0.1 may not be used by this user. Give one above 1023, or 0 for any that is free.`;
    return new ScarError('engine', message, { context, cause });
  }
  return new ScarError('engine', `The engine cannot listen on 127.0.0.1:${port}: ${(cause as Error).message}`, {
    context,
    cause,
  });
}
