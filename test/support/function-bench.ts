import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { CreateBucketCommand, type S3Client } from '@aws-sdk/client-s3';
import { objectStore } from '../../src/aws/s3.js';
import {
  CONTAINER_VARIABLE_PREFIX,
  encodeEventKey,
  type FunctionSpec,
  type InvocationEvent,
  type InvocationResponse,
  type Platform,
  ROOTFS_INDEX_FILE,
  runnerFile,
  SCRIPT_FILE,
  SPEC_FILE,
} from '../../src/contract/index.js';
import type { RootfsIndex } from '../../src/oci/archive/index.js';
import { openImage, resolveImage } from '../../src/oci/index.js';
import { removeTree } from '../../src/util/remove-tree.js';
import { jailed } from './jail/jail.js';
import type { MemoryImage } from './memory-image.js';
import { rootfsArchive } from './oci/rootfs-archive.js';
import { type S3Engine, startS3Engine } from './s3-engine.js';

const repository = resolve(import.meta.dirname, '../..');
const built = join(repository, 'dist/supervisor');

/** Why the built supervisor cannot run here, in one line; undefined when it can. */
export const supervisorMissing = existsSync(join(built, runnerFile('amd64')))
  ? undefined
  : 'needs dist/: npm run build';

export const IMAGES_BUCKET = 'images';

export interface FunctionOptions {
  /** In memory, or a reference to a layout on the disk: `oci:DIR:TAG`. */
  image: MemoryImage | string;
  script?: string | Buffer;
  spec?: Partial<FunctionSpec>;
  /** The user's variables. */
  variables?: Record<string, string>;
  /** Others of the environment's, as Lambda sets them. */
  environment?: Record<string, string>;
  /** Folder for `/tmp`. Default: a new one. */
  tmp?: string;
  /** Runs the environment under Lambda's restrictions; needs root. */
  jailed?: boolean;
  /** What the image is made for, and the runner that is in the package. Default: amd64. */
  architecture?: Platform['architecture'];
  /** Puts the environment's process under other programs. */
  under?: (command: readonly string[]) => readonly string[];
}

export interface InvokeOptions {
  requestId?: string;
  /** Time until Lambda's deadline, in ms. Default 30 s. */
  timeoutMs?: number;
}

/** A real S3 and functions made of the built supervisor, each environment a process as on Lambda. */
export class FunctionBench implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'scar-function-'));
  readonly #environments: FunctionEnvironment[] = [];
  #functions = 0;

  private constructor(readonly s3: S3Engine) {}

  static async open(): Promise<FunctionBench> {
    const bench = new FunctionBench(await startS3Engine());
    chmodSync(bench.folder, 0o755);
    await bench.createBucket(IMAGES_BUCKET);
    return bench;
  }

  get client(): S3Client {
    return this.s3.client;
  }

  get store() {
    return objectStore(this.s3.client);
  }

  async createBucket(name: string): Promise<void> {
    await this.client.send(new CreateBucketCommand({ Bucket: name }));
  }

  /** All keys of a bucket. */
  async keys(bucket: string, prefix = ''): Promise<string[]> {
    const keys: string[] = [];
    for await (const page of this.store.list(bucket, { prefix })) keys.push(...page.map(({ key }) => key));
    return keys;
  }

  async text(bucket: string, key: string): Promise<string> {
    const { body } = await this.store.read({ bucket, key });
    return Buffer.concat(await body.toArray()).toString();
  }

  /** Makes a function and starts an environment for it. */
  async start(options: FunctionOptions): Promise<FunctionEnvironment> {
    const { image, script, spec, variables = {}, under = (command) => command } = options;
    const platform = platformOf(options);
    const id = `f${this.#functions++}`;
    const folder = join(this.folder, id);
    const tmp = options.tmp ?? join(this.folder, `${id}-tmp`);
    for (const path of [folder, tmp]) mkdirSync(path, { recursive: true });
    chmodSync(tmp, 0o1777);
    const index = await this.#upload(image, id, platform);
    writeFileSync(join(folder, ROOTFS_INDEX_FILE), JSON.stringify(index));
    writeFileSync(join(folder, SPEC_FILE), JSON.stringify(makeSpec(options, index.image, id, spec)));
    if (script !== undefined) writeFileSync(join(folder, SCRIPT_FILE), script, { mode: 0o755 });
    copyFileSync(join(built, 'index.mjs'), join(folder, 'index.mjs'));
    const runner = runnerFile(platform.architecture);
    copyFileSync(join(built, runner), join(folder, runner));
    const { engine } = this.s3;
    const prefixed = Object.entries(variables).map(([name, value]) => [`${CONTAINER_VARIABLE_PREFIX}${name}`, value]);
    const environment = {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      // On Lambda TMPDIR is not set, and the package is where the user cannot write.
      ...(options.jailed ? { LAMBDA_TASK_ROOT: '/tmp/task' } : { LAMBDA_TASK_ROOT: folder, TMPDIR: tmp }),
      AWS_LAMBDA_FUNCTION_NAME: id,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
      AWS_LAMBDA_LOG_STREAM_NAME: `2026/01/01/[$LATEST]${id}`,
      AWS_REGION: engine.region,
      AWS_ACCESS_KEY_ID: engine.accessKeyId,
      AWS_SECRET_ACCESS_KEY: engine.secretAccessKey,
      AWS_ENDPOINT_URL: engine.endpoint,
      ...Object.fromEntries(prefixed),
      ...options.environment,
    };
    // Beside the package, as the jail's user may not be let into the folders above this repository.
    copyFileSync(join(import.meta.dirname, 'function-host.mjs'), join(folder, 'function-host.mjs'));
    const command = [process.execPath, join(environment.LAMBDA_TASK_ROOT, 'function-host.mjs')];
    const launched = options.jailed ? jailed({ tmp, mounts: [{ source: folder, name: 'task' }] }, command) : command;
    const started = await FunctionEnvironment.start(tmp, under(launched), environment);
    this.#environments.push(started);
    return started;
  }

  /** Puts an image's archive where a function looks for it, as the client does. Returns what its package says of it. */
  async #upload(image: MemoryImage | string, key: string, platform: Platform): Promise<RootfsIndex> {
    const source = typeof image === 'string' ? openImage(image) : image;
    const { bytes, index } = await rootfsArchive(await resolveImage(source, platform), source);
    await this.store.write({ bucket: IMAGES_BUCKET, key }, bytes);
    await source.close();
    return index;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#environments.map((environment) => environment.kill()));
    await this.s3.close();
    await removeTree(this.folder);
  }
}

const platformOf = ({ architecture = 'amd64' }: FunctionOptions): Platform => ({ os: 'linux', architecture });

function makeSpec(
  options: FunctionOptions,
  digest: string,
  key: string,
  spec: Partial<FunctionSpec> = {},
): FunctionSpec {
  const { image, script } = options;
  return {
    version: 1,
    imageReference: typeof image === 'string' ? image : image.reference,
    imageDigest: digest,
    imageLocation: { archive: { type: 's3', bucket: IMAGES_BUCKET, key } },
    platform: platformOf(options),
    hasScript: script !== undefined,
    reserveMs: 1_000,
    ...spec,
  };
}

interface Reply {
  id: number;
  response?: InvocationResponse;
  error?: { message: string; code?: string };
}

/** One execution environment: a process that serves one event after the other. */
export class FunctionEnvironment {
  readonly #log: () => string;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  readonly #socket: Socket;
  #sequence = 0;

  private constructor(
    /** Its `/tmp` on the host. */
    readonly tmp: string,
    readonly process: ChildProcess,
    socket: Socket,
    log: () => string,
  ) {
    this.#log = log;
    this.#socket = socket;
    const lines = createInterface({ input: socket });
    lines.on('line', (line) => {
      const reply = JSON.parse(line) as Reply;
      this.#waiting.get(reply.id)?.(reply);
    });
    // Of a process that was killed; that it ended is told below. The lines have an error of their own.
    for (const emitter of [socket, lines]) emitter.on('error', () => {});
    process.on('exit', () => {
      for (const [id, answer] of this.#waiting) answer({ id, error: { message: 'The environment ended' } });
    });
  }

  /** All that the function logged so far. */
  get log(): string {
    return this.#log();
  }

  static async start(
    tmp: string,
    [program = '', ...args]: readonly string[],
    environment: Record<string, string>,
  ): Promise<FunctionEnvironment> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const child = spawn(program, [...args, String(port)], {
      env: environment,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let log = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        log += text;
      });
    }
    const [first] = (await Promise.race([once(server, 'connection'), once(child, 'exit')])) as [unknown];
    server.close();
    if (!(first instanceof Socket)) throw new Error(`The function did not start:\n${log}`);
    return new FunctionEnvironment(tmp, child, first, () => log);
  }

  /** Sends an event and gives what the handler answers; what it throws is thrown. */
  async invoke(event: unknown, options: InvokeOptions = {}): Promise<InvocationResponse> {
    const id = this.#sequence++;
    const { requestId = `request-${id}`, timeoutMs = 30_000 } = options;
    const reply = await new Promise<Reply>((resolve) => {
      if (this.#hasEnded) resolve({ id, error: { message: 'The environment has ended' } });
      this.#waiting.set(id, resolve);
      this.#socket.write(`${JSON.stringify({ id, event, requestId, timeoutMs })}\n`);
    });
    if (reply.response) return reply.response;
    throw Object.assign(new Error(`${reply.error?.message}\nIts log:\n${this.log}`), { code: reply.error?.code });
  }

  /** Invokes with one container to run, and gives its outcome. */
  async run(event: Partial<NonNullable<InvocationEvent['scar']>> = {}, options: InvokeOptions = {}) {
    const { outcomes } = await this.invoke({ scar: { version: 1, ...event } }, options);
    const [outcome] = outcomes;
    if (!outcome || outcomes.length > 1) throw new Error(`Expected one outcome: ${JSON.stringify(outcomes)}`);
    return outcome;
  }

  get #hasEnded(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** Ends it as a crash or Lambda does. */
  async kill(): Promise<void> {
    if (this.#hasEnded) return;
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
  }
}

/** An S3 notification for these objects, as S3 sends it; with `scar`, as the client does. */
export function notification(bucket: string, keys: readonly string[], scar?: InvocationEvent['scar']): InvocationEvent {
  return {
    Records: keys.map((key) => ({
      eventSource: 'aws:s3',
      eventName: 'ObjectCreated:Put',
      eventTime: '2026-01-02T03:04:05.678Z',
      awsRegion: 'us-east-1',
      s3: { bucket: { name: bucket }, object: { key: encodeEventKey(key) } },
    })),
    ...(scar && { scar }),
  };
}
