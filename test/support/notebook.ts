import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { sleep } from '../../src/util/sleep.js';
import { closedPort } from './closed-port.js';
import { isInstalled } from './installed.js';

/** Why there can be no notebook here, in one line; undefined if there can. */
export const notebookMissing: string | undefined = isInstalled('npm') ? undefined : 'needs npm';

const recipe = join(import.meta.dirname, 'tslab');

/** Installs tslab as its lockfile says, once; nothing of it runs at that. Its native part, ZeroMQ, is in its package. */
async function tslabFolder(): Promise<string> {
  const lock = readFileSync(join(recipe, 'package-lock.json'));
  const key = createHash('sha256').update(lock).digest('hex').slice(0, 12);
  const folder = resolve(import.meta.dirname, `../../.cache/tslab-${key}`);
  if (existsSync(folder)) return folder;
  const made = `${folder}.${process.pid}`;
  mkdirSync(made, { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) copyFileSync(join(recipe, name), join(made, name));
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: made, stdio: 'pipe' });
  renameSync(made, folder);
  return folder;
}

/** What one cell brought. */
export interface CellOutput {
  status: 'ok' | 'error';
  stdout: string;
  stderr: string;
  /** What `tslab.display` showed, by media type, one after the other. */
  displays: Record<string, string>[];
}

interface Message {
  parent: string;
  type: string;
  content: { status?: string; execution_state?: string; name?: string; text?: string; data?: Record<string, string> };
}

interface Socket {
  connect(address: string): void;
  close(): void;
  send(frames: string[]): Promise<void>;
  receive(): Promise<Buffer[]>;
}

/** A kernel of tslab for a project, spoken to as Jupyter does (https://jupyter-client.readthedocs.io/en/stable/messaging.html). */
export class Notebook implements AsyncDisposable {
  readonly #kernel: ChildProcess;
  readonly #shell: Socket;
  readonly #outputs: Socket & { subscribe(): void };
  readonly #key: string;
  readonly #session = randomUUID();

  private constructor(kernel: ChildProcess, shell: Socket, outputs: Socket & { subscribe(): void }, key: string) {
    this.#kernel = kernel;
    this.#shell = shell;
    this.#outputs = outputs;
    this.#key = key;
  }

  /** @param project - a folder with the `node_modules` that cells import from */
  static async open(project: string, variables: NodeJS.ProcessEnv = {}): Promise<Notebook> {
    const folder = await tslabFolder();
    const require = createRequire(join(folder, 'package.json'));
    symlinkSync(join(folder, 'node_modules/tslab'), join(project, 'node_modules/tslab'));
    const { Dealer, Subscriber } = require('zeromq');
    const [shell_port, iopub_port, stdin_port, control_port, hb_port] = await Promise.all(
      Array.from({ length: 5 }, closedPort),
    );
    const key = randomUUID();
    const ports = { shell_port, iopub_port, stdin_port, control_port, hb_port };
    const connection = { transport: 'tcp', ip: '127.0.0.1', signature_scheme: 'hmac-sha256', key, ...ports };
    const file = join(project, 'connection.json');
    writeFileSync(file, JSON.stringify(connection));
    const program = join(folder, 'node_modules/.bin/tslab');
    // A group of its own, as Jupyter gives it one to interrupt.
    const kernel = spawn(process.execPath, [program, 'kernel', '--config-path', file], {
      cwd: project,
      env: { ...process.env, ...variables },
      detached: true,
      stdio: 'ignore',
    });
    const outputs = new Subscriber();
    outputs.subscribe();
    outputs.connect(`tcp://127.0.0.1:${iopub_port}`);
    const dealer = new Dealer();
    dealer.connect(`tcp://127.0.0.1:${shell_port}`);
    const notebook = new Notebook(kernel, dealer, outputs, key);
    await notebook.#ready();
    return notebook;
  }

  /** What is published before the subscription has arrived is lost: so it asks until it hears something. */
  async #ready(): Promise<void> {
    const heard = this.#outputs.receive();
    const asking = setInterval(() => void this.#send('kernel_info_request', {}), 200);
    await heard;
    clearInterval(asking);
  }

  /** Runs a cell to its end. For a fifth of a second after an error tslab runs none, so that those in a queue end with it. */
  async run(code: string): Promise<CellOutput> {
    for (;;) {
      const { status, ...output } = await this.#execute(code);
      if (status !== 'abort') return { ...output, status: status === 'ok' ? 'ok' : 'error' };
      await sleep(50);
    }
  }

  async #execute(code: string): Promise<Omit<CellOutput, 'status'> & { status: string | undefined }> {
    const id = await this.#send('execute_request', { code, silent: false, store_history: true, allow_stdin: false });
    const output: Omit<CellOutput, 'status'> = { stdout: '', stderr: '', displays: [] };
    for (;;) {
      const { parent, type, content } = parse(await this.#outputs.receive());
      if (parent !== id) continue;
      if (type === 'stream') output[content.name as 'stdout' | 'stderr'] += content.text;
      else if (type.endsWith('display_data')) output.displays.push(content.data ?? {});
      else if (type === 'status' && content.execution_state === 'idle') break;
    }
    for (;;) {
      const { parent, content } = parse(await this.#shell.receive());
      if (parent === id) return { ...output, status: content.status };
    }
  }

  /** What the button "Interrupt" does. */
  interrupt(): void {
    process.kill(-(this.#kernel.pid as number), 'SIGINT');
  }

  /** What the button "Restart" does, and what happens to a notebook that is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#kernel.signalCode !== null || this.#kernel.exitCode !== null) return;
    const ended = once(this.#kernel, 'exit');
    process.kill(-(this.#kernel.pid as number), 'SIGKILL');
    await ended;
    this.#shell.close();
    this.#outputs.close();
  }

  async #send(type: string, content: object): Promise<string> {
    const id = randomUUID();
    const date = new Date().toISOString();
    const header = { msg_id: id, session: this.#session, username: 'test', date, msg_type: type, version: '5.3' };
    const parts = [header, {}, {}, content].map((part) => JSON.stringify(part));
    const signature = createHmac('sha256', this.#key).update(parts.join('')).digest('hex');
    await this.#shell.send(['<IDS|MSG>', signature, ...parts]);
    return id;
  }
}

function parse(frames: readonly Buffer[]): Message {
  const at = frames.findIndex((frame) => frame.toString() === '<IDS|MSG>');
  const [header, parent, , content] = frames.slice(at + 2).map((frame) => JSON.parse(frame.toString()));
  return { parent: parent.msg_id, type: header.msg_type, content };
}
