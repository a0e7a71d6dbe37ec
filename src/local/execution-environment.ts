import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { removeTree } from '../util/remove-tree.js';
import { bringsItsOwnRuntime, type FunctionVersion } from './environment/function-version.js';
import { InvocationLog } from './environment/invocation-log.js';
import type { LogSink } from './environment/log-sink.js';
import { MemoryEvents } from './environment/memory-events.js';
import type { MemoryMonitor, MonitoredGroup } from './environment/memory-monitor.js';
import { endLine, exitText, reportLine, startLine, timeoutText } from './environment/report.js';
import {
  type RuntimeCommand,
  RuntimeProcess,
  type RuntimeServices,
  type RuntimeSignal,
} from './environment/runtime-process.js';
import { type EngineCredentials, environmentVariables, type SessionIssuer } from './environment/variables.js';
import { MAX_RESPONSE_BYTES, type RuntimeAnswer } from './runtime-api/session.js';

/** What all environments of an engine share. */
export interface EnvironmentHost extends RuntimeServices {
  readonly region: string;
  readonly endpoint: string;
  readonly credentials: SessionIssuer;
  /** Each environment gets a folder of its own in this one. */
  readonly runFolder: string;
  readonly memory: MemoryMonitor;
  readonly logs: LogSink;
  /** Path of the built runtime client, `node-runtime.js`. */
  readonly nodeRuntime: string;
  /** How long the init phase may take, in ms; on Lambda 10,000. */
  readonly initLimitMs: number;
}

/** One event for one environment. */
export interface InvocationRequest {
  readonly requestId: string;
  readonly payload: Uint8Array;
  readonly clientContext?: string;
}

/** How an invocation ended, as Invoke reports it. */
export interface InvocationResult {
  readonly payload: Buffer;
  /** Present when the function failed. */
  readonly functionError?: 'Unhandled';
  /** The last 4 KB of the log, in base64. */
  readonly logTail: string;
}

interface Started {
  readonly runtime: RuntimeProcess;
  readonly signal: RuntimeSignal;
}

interface Failure {
  readonly errorType: string;
  readonly payload: Buffer;
}

/**
 * Lambda's execution environment: one runtime process in a group of its own with a temporary folder of its own, both of
 * which last as long as the environment. It works on one invocation at a time and stands still in between.
 *
 * https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
 */
export class ExecutionEnvironment {
  readonly function: FunctionVersion;
  /** Told once when the environment ends, for whatever reason. */
  onEnd: (() => void) | undefined;
  readonly #host: EnvironmentHost;
  readonly #name = randomBytes(4).toString('hex');
  readonly #folder: string;
  readonly #logStream = logStreamName(new Date());
  readonly #log: InvocationLog;
  readonly #memoryEvents: MemoryEvents;
  readonly #credentials: EngineCredentials;
  #runtime: RuntimeProcess | undefined;
  #phase: 'new' | 'busy' | 'frozen' | 'ended' = 'new';
  #ending: Promise<void> | undefined;
  #finish: () => void = () => {};
  /** Resolves when the environment has ended and nothing of it is left. */
  readonly finished = new Promise<void>((resolve) => {
    this.#finish = resolve;
  });
  #outOfMemory = false;

  constructor(host: EnvironmentHost, target: FunctionVersion) {
    this.#host = host;
    this.function = target;
    this.#folder = join(host.runFolder, this.#name);
    this.#credentials = host.credentials.issueSession();
    mkdirSync(join(this.#folder, 'tmp'), { recursive: true, mode: 0o700 });
    this.#memoryEvents = new MemoryEvents(this.#folder);
    this.#log = new InvocationLog(host.logs.open(target.logGroup, this.#logStream));
  }

  get ended(): boolean {
    return this.#phase === 'ended';
  }

  /**
   * Runs one invocation; the first one starts the runtime. Never throws for what the function does.
   *
   * @throws Error when the environment is busy or has ended: its owner must not let that happen
   */
  async invoke(request: InvocationRequest): Promise<InvocationResult> {
    if (this.#phase === 'busy' || this.#phase === 'ended') throw new Error(`the environment is ${this.#phase}`);
    const cold = this.#phase === 'new';
    this.#phase = 'busy';
    const group = this.#monitor();
    const init = cold ? await this.#initialise(group) : undefined;
    this.#log.line(startLine(request.requestId, this.function.version));
    const started = performance.now();
    const signal = init?.failed ?? (await this.#run(request, group));
    const durationMs = performance.now() - started;
    const answer = this.#runtime?.answer;
    const survives = signal.kind === 'ready';
    if (survives) this.#freeze();
    // One turn of the event loop reads what the function wrote before it answered.
    await new Promise(setImmediate);
    this.#host.memory.unwatch(group);
    this.#log.flush();
    const failure = this.#failure(signal, answer, request.requestId);
    this.#log.line(endLine(request.requestId));
    this.#log.line(
      reportLine({
        requestId: request.requestId,
        durationMs: signal.kind === 'timeout' ? this.function.timeoutMs : durationMs,
        ...(init?.initMs === undefined ? {} : { initMs: init.initMs }),
        memoryMiB: this.function.memoryMiB,
        peakBytes: group.peakBytes,
        ...statusOf(signal, failure),
      }),
    );
    if (!survives) {
      await this.#kill();
      void this.end();
    }
    return {
      payload: failure?.payload ?? (answer?.kind === 'response' ? answer.payload : Buffer.from('null')),
      ...(failure ? { functionError: 'Unhandled' as const } : {}),
      logTail: this.#log.takeTail(),
    };
  }

  /** Kills whatever runs in it, and resolves when its folder is gone too. */
  end(): Promise<void> {
    this.#ending ??= this.#kill().then(async () => {
      this.#log.close();
      this.#host.credentials.revoke(this.#credentials.accessKeyId);
      // What cannot be removed now is removed when the next engine starts here.
      await removeTree(this.#folder).catch(() => {});
      this.#finish();
    });
    return this.#ending;
  }

  async #kill(): Promise<void> {
    if (this.#phase !== 'ended') {
      this.#phase = 'ended';
      this.onEnd?.();
    }
    await this.#runtime?.end();
  }

  /** Starts the runtime and waits until it asks for its first event, for 10 s at most. */
  async #initialise(group: MonitoredGroup): Promise<{ initMs?: number; failed?: RuntimeSignal }> {
    const started = performance.now();
    const { runtime, signal } = await this.#start(group, Date.now() + this.#host.initLimitMs);
    const initMs = performance.now() - started;
    if (signal.kind === 'ready') return { initMs };
    if (signal.kind !== 'timeout') return { initMs, failed: signal };
    // Lambda ends the runtime and starts another one as part of the invocation, within the function's own timeout.
    this.#log.line(`INIT_REPORT Init Duration: ${initMs.toFixed(2)} ms\tPhase: init\tStatus: timeout\t`);
    await runtime.end();
    this.#runtime = undefined;
    return {};
  }

  async #start(group: MonitoredGroup, deadlineMs: number): Promise<Started> {
    const runtime = await RuntimeProcess.start(this.#host, this.#name, this.#command(), this.#log);
    this.#runtime = runtime;
    runtime.onEnd = () => void this.end();
    group.leader = runtime.leader;
    return { runtime, signal: await runtime.next(deadlineMs) };
  }

  /** The event's way through the runtime; `ready` when the runtime asks for another one. */
  async #run(request: InvocationRequest, group: MonitoredGroup): Promise<RuntimeSignal> {
    const deadlineMs = Date.now() + this.function.timeoutMs;
    let runtime = this.#runtime;
    if (runtime === undefined) {
      const started = await this.#start(group, deadlineMs);
      if (started.signal.kind !== 'ready') return started.signal;
      runtime = started.runtime;
    }
    runtime.thaw();
    runtime.dispatch({
      requestId: request.requestId,
      deadlineMs,
      functionArn: this.function.arn,
      traceId: traceId(),
      payload: request.payload,
      ...(request.clientContext === undefined ? {} : { clientContext: request.clientContext }),
    });
    return runtime.next(deadlineMs);
  }

  #freeze(): void {
    this.#runtime?.freeze();
    this.#phase = 'frozen';
  }

  #monitor(): MonitoredGroup {
    this.#outOfMemory = false;
    const group = {
      leader: this.#runtime?.leader ?? 0,
      limitBytes: this.function.memoryMiB * 1024 ** 2,
      peakBytes: 0,
      outOfMemory: (victim: { isRuntime: boolean }) => {
        this.#memoryEvents.countKill();
        if (victim.isRuntime) this.#outOfMemory = true;
      },
    };
    this.#host.memory.watch(group);
    return group;
  }

  /** Undefined when the function succeeded; otherwise what Invoke answers. The log says it too. */
  #failure(signal: RuntimeSignal, answer: RuntimeAnswer | undefined, requestId: string): Failure | undefined {
    if (signal.kind === 'timeout') {
      const text = timeoutText(this.function.timeoutMs);
      this.#log.line(`${new Date().toISOString()} ${requestId} ${text}\n`);
      return failure('Sandbox.Timedout', `RequestId: ${requestId} Error: ${text}`);
    }
    if (signal.kind === 'init-error') return { errorType: signal.errorType, payload: signal.payload };
    if (signal.kind === 'not-started') {
      return this.#report(requestId, 'Runtime.InvalidEntrypoint', signal.reason);
    }
    if (signal.kind === 'exit' && answer === undefined) {
      const type = this.#outOfMemory ? 'Runtime.OutOfMemory' : 'Runtime.ExitError';
      return this.#report(requestId, type, exitText(signal.code, signal.signal));
    }
    if (answer?.kind === 'error') return answer;
    if (answer?.kind === 'too-large') {
      const text = `Response payload size exceeded maximum allowed payload size (${MAX_RESPONSE_BYTES} bytes).`;
      return failure('Function.ResponseSizeTooLarge', text);
    }
    return undefined;
  }

  #report(requestId: string, errorType: string, text: string): Failure {
    const message = `RequestId: ${requestId} Error: ${text}`;
    this.#log.line(`${message}\n${errorType}`);
    return failure(errorType, message);
  }

  #command(): RuntimeCommand {
    const target = this.function;
    const own = bringsItsOwnRuntime(target.runtime);
    const heapMiB = Math.floor(target.memoryMiB * HEAP_SHARE);
    return {
      file: own ? join(target.codeFolder, 'bootstrap') : process.execPath,
      args: own ? [] : [`--max-old-space-size=${heapMiB}`, this.#host.nodeRuntime],
      cwd: target.codeFolder,
      channel: own ? 'tcp' : 'inherited',
      variables: (runtimeApi) =>
        environmentVariables({
          function: target,
          region: this.#host.region,
          endpoint: this.#host.endpoint,
          credentials: this.#credentials,
          logStream: this.#logStream,
          runtimeFolder: dirname(this.#host.nodeRuntime),
          programFolder: dirname(process.execPath),
          temporaryFolder: join(this.#folder, 'tmp'),
          memoryEvents: this.#memoryEvents.file,
          ...(runtimeApi === undefined ? {} : { runtimeApi }),
        }),
    };
  }
}

/** Lambda gives V8 nine tenths of the function's memory, so that it collects garbage before the kernel steps in. */
const HEAP_SHARE = 0.9;

const failure = (errorType: string, errorMessage: string): Failure => ({
  errorType,
  payload: Buffer.from(JSON.stringify({ errorType, errorMessage })),
});

function statusOf(
  signal: RuntimeSignal,
  failed: Failure | undefined,
): { status?: 'timeout' | 'error'; errorType?: string } {
  if (signal.kind === 'timeout') return { status: 'timeout' };
  return signal.kind === 'ready' || failed === undefined ? {} : { status: 'error', errorType: failed.errorType };
}

/** `YYYY/MM/DD/[$LATEST]<32 hex>`, in UTC. */
function logStreamName(now: Date): string {
  return `${now.toISOString().slice(0, 10).replaceAll('-', '/')}/[$LATEST]${randomBytes(16).toString('hex')}`;
}

/** The form of an X-Ray trace header that is not sampled. */
function traceId(): string {
  const seconds = Math.floor(Date.now() / 1000).toString(16);
  return `Root=1-${seconds}-${randomBytes(12).toString('hex')};Parent=${randomBytes(8).toString('hex')};Sampled=0`;
}
