import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FunctionVersion } from '../../src/local/environment/function-version.js';
import { Guard } from '../../src/local/environment/guard.js';
import type { LogSink } from '../../src/local/environment/log-sink.js';
import { MemoryMonitor } from '../../src/local/environment/memory-monitor.js';
import { claimRunFolder } from '../../src/local/environment/orphans.js';
import { Reaper } from '../../src/local/environment/reaper.js';
import { type EnvironmentHost, ExecutionEnvironment } from '../../src/local/execution-environment.js';
import { nodeRuntimePath } from '../../src/local/node-runtime-path.js';
import { RuntimeApiServer } from '../../src/local/runtime-api/server.js';
import { removeTree } from '../../src/util/remove-tree.js';

/** Environments without an engine around them: real processes, logs in memory. */
export class EnvironmentBench implements AsyncDisposable {
  readonly logs: string[] = [];
  readonly #environments: ExecutionEnvironment[] = [];

  private constructor(
    readonly folder: string,
    readonly host: EnvironmentHost,
    sink: { write: (line: string) => void },
  ) {
    sink.write = (line) => this.logs.push(line);
  }

  static async open(overrides: Partial<EnvironmentHost> = {}): Promise<EnvironmentBench> {
    const folder = mkdtempSync(join(tmpdir(), 'environments-'));
    const runFolder = await claimRunFolder(join(folder, 'run'));
    const sink = { write: (_line: string) => {} };
    const logs: LogSink = {
      open: () => ({
        append: (events) => events.forEach((event) => void sink.write(event.message)),
        close: () => {},
      }),
    };
    const host: EnvironmentHost = {
      region: 'us-east-1',
      endpoint: 'http://127.0.0.1:9',
      credentials: {
        issueSession: () => ({ accessKeyId: 'ASIATEST', secretAccessKey: 'secret', sessionToken: 'token' }),
        revoke: () => {},
      },
      runFolder,
      memory: new MemoryMonitor(),
      logs,
      nodeRuntime: nodeRuntimePath(),
      initLimitMs: 10_000,
      runtimeApi: new RuntimeApiServer(),
      guard: new Guard(runFolder),
      reaper: new Reaper(runFolder),
      ...overrides,
    };
    return new EnvironmentBench(folder, host, sink);
  }

  /** An environment for a function of these files. */
  environment(
    files: Record<string, string | { text: string; mode: number }>,
    settings: Partial<FunctionVersion> = {},
  ): ExecutionEnvironment {
    const codeFolder = mkdtempSync(join(this.folder, 'code-'));
    for (const [name, content] of Object.entries(files)) {
      const { text, mode } = typeof content === 'string' ? { text: content, mode: 0o644 } : content;
      writeFileSync(join(codeFolder, name), text, { mode });
    }
    const environment = new ExecutionEnvironment(this.host, {
      name: 'probe',
      version: '$LATEST',
      arn: 'arn:aws:lambda:us-east-1:000000000000:function:probe',
      runtime: 'nodejs22.x',
      handler: 'index.handler',
      memoryMiB: 512,
      timeoutMs: 10_000,
      variables: {},
      logGroup: '/aws/lambda/probe',
      codeFolder,
      ...settings,
    });
    this.#environments.push(environment);
    return environment;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#environments.map((environment) => environment.end()));
    await this.host.guard.close();
    await removeTree(this.folder);
  }
}

let sequence = 0;

/** Invokes and parses what came back. */
export async function invoke(
  environment: ExecutionEnvironment,
  event: unknown = {},
  requestId = `request-${sequence++}`,
) {
  const result = await environment.invoke({ requestId, payload: Buffer.from(JSON.stringify(event)) });
  return {
    requestId,
    payload: JSON.parse(result.payload.toString()),
    functionError: result.functionError,
    tail: Buffer.from(result.logTail, 'base64').toString(),
  };
}
