import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  type InvokeCommandInput,
  LambdaClient,
} from '@aws-sdk/client-lambda';
import { type Zippable, zipSync } from 'fflate';
import { Credentials } from '../../src/local/auth/credentials.js';
import { type EngineServer, serve } from '../../src/local/protocol/server.js';
import { type Lambda, type LambdaOptions, openLambda } from '../../src/local/services/lambda/index.js';
import { removeTree } from '../../src/util/remove-tree.js';

export const REGION = 'eu-west-1';
export const ACCOUNT = '000000000000';
export const ROLE = `arn:aws:iam::${ACCOUNT}:role/probe`;

type Files = Record<string, string | { text: string; mode: number }>;

/** A zip as the functions of tests need it. */
export function zip(files: Files): Uint8Array {
  const entries: Zippable = {};
  for (const [name, content] of Object.entries(files)) {
    const { text, mode } = typeof content === 'string' ? { text: content, mode: 0o644 } : content;
    entries[name] = [Buffer.from(text), { attrs: ((0o100000 | mode) << 16) >>> 0, os: 3 }];
  }
  return zipSync(entries);
}

/** The engine's Lambda alone, behind HTTP, with the official client in front of it; logs are kept in memory. */
export class LambdaBench implements AsyncDisposable {
  readonly client: LambdaClient;

  private constructor(
    readonly folder: string,
    readonly lambda: Lambda,
    private readonly server: EngineServer,
    readonly logs: { group: string; stream: string; message: string }[],
    credentials: Credentials,
    private readonly ownsFolder: boolean,
  ) {
    this.client = new LambdaClient({
      region: REGION,
      endpoint: server.endpoint,
      credentials: credentials.owner,
      maxAttempts: 1,
    });
  }

  static async open(options: Partial<LambdaOptions> = {}): Promise<LambdaBench> {
    const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'lambda-'));
    const credentials = new Credentials();
    const logs: LambdaBench['logs'] = [];
    const lambda = await openLambda({
      region: REGION,
      accountId: ACCOUNT,
      credentials,
      concurrency: 10,
      asyncRetryDelaysMs: [20, 40],
      readObject: () =>
        Promise.reject(Object.assign(new Error('The specified key does not exist.'), { name: 'NoSuchKey' })),
      logs: {
        open: (group, stream) => ({
          append: (lines) => lines.forEach(({ message }) => void logs.push({ group, stream, message })),
          close: () => {},
        }),
      },
      ...options,
      folder,
    });
    const server = await serve([lambda.service], { region: REGION, accountId: ACCOUNT, credentials });
    lambda.start(server.endpoint);
    return new LambdaBench(folder, lambda, server, logs, credentials, options.folder === undefined);
  }

  /** Makes a function of these files and waits until it is Active. */
  async create(
    name: string,
    files: Files | string,
    settings: Partial<CreateFunctionCommandInput> = {},
  ): Promise<string> {
    const created = await this.client.send(
      new CreateFunctionCommand({
        FunctionName: name,
        Role: ROLE,
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        MemorySize: 256,
        Timeout: 10,
        Code: { ZipFile: zip(typeof files === 'string' ? { 'index.mjs': files } : files) },
        ...settings,
      }),
    );
    await this.settled(name);
    return created.FunctionArn ?? '';
  }

  /** Waits until the function is Active and no update is in progress. */
  async settled(name: string): Promise<void> {
    for (;;) {
      const { State, LastUpdateStatus } = await this.client.send(
        new GetFunctionConfigurationCommand({ FunctionName: name }),
      );
      if (State !== 'Pending' && LastUpdateStatus !== 'InProgress') return;
    }
  }

  async invoke(name: string, event: unknown = {}, input: Partial<InvokeCommandInput> = {}) {
    const reply = await this.client.send(
      new InvokeCommand({ FunctionName: name, Payload: Buffer.from(JSON.stringify(event)), ...input }),
    );
    const text = Buffer.from(reply.Payload ?? []).toString();
    return {
      ...reply,
      result: text === '' ? undefined : JSON.parse(text),
      log: Buffer.from(reply.LogResult ?? '', 'base64').toString(),
    };
  }

  /** Ends the engine; the folder stays for a next one when it was given. */
  async close(): Promise<void> {
    this.client.destroy();
    await Promise.all([this.server.close(), this.lambda.close()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    if (this.ownsFolder) await removeTree(this.folder);
  }
}
