import { type ChildProcess, spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { getSystemErrorName } from 'node:util';
import { Failure } from '../failure.js';
import { encodeRequest, exitOf, REPORT, ReportReader } from './launcher-protocol.js';
import { kill } from './processes.js';
import type { HostCommand } from './runner.js';

/** A process that was started on the host. */
export interface Launched {
  pid: number;
  /** To be read to their ends. One that is destroyed before takes the launcher with it, so that nobody waits for a reader. */
  stdout: Readable;
  stderr: Readable;
  exited: Promise<Exit>;
}

export interface Exit {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** Why it never was the program that was asked for, or is to be killed, as its launcher has ended and nobody knows of its end. */
  failure?: Failure;
}

/**
 * Starts processes by a small one of its own, `inroot --launcher`: a fork of Node copies the page tables of 100 MB, which costs
 * more than all else of a short container. That one is started when it is needed, and again when it has ended.
 */
export class Launcher {
  readonly #executable: string;
  #connection: Connection | undefined;

  /** @param executable - host path of `inroot`, which is not that of containers: the launcher must not be found among their processes */
  constructor(executable: string) {
    this.#executable = executable;
  }

  /**
   * Starts a process in `/` and in a session of its own, with nothing on stdin, exactly the given environment, and no other
   * open files. One at a time.
   *
   * @throws Failure `not-started`
   */
  async launch(command: HostCommand): Promise<Launched> {
    if (!this.#connection?.isFree) {
      this.close();
      this.#connection = new Connection(this.#executable);
    }
    return this.#connection.launch(command);
  }

  /** Has the launcher go on if it was stopped: a container can do that to all processes of its user. */
  wake(): void {
    this.#connection?.wake();
  }

  /** Ends the launcher; it starts again when it is needed. */
  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }
}

/** A launcher from its start to its end. */
class Connection {
  readonly #child: ChildProcess;
  #answer: { resolve(launched: Launched): void; reject(failure: Failure): void } | undefined;
  #exited: ((exit: Exit) => void) | undefined;
  /** Of the process that was started last, as far as they have not ended. */
  readonly #outputs = new Map<number, Readable>();
  /** Those that wait to be read: the launcher, and so the process, waits with them. */
  readonly #full = new Set<Readable>();

  /** @throws Failure `not-started` */
  constructor(executable: string) {
    const reader = new ReportReader({
      report: (kind, value) => this.#report(kind, value),
      bytes: (kind, bytes) => this.#pass(this.#outputs.get(kind), bytes),
    });
    try {
      // libuv makes sockets of these pipes: nobody can open them by way of /proc (open(2), ENXIO).
      this.#child = spawn(executable, ['--launcher'], { env: {}, cwd: '/', stdio: ['pipe', 'pipe', 'ignore'] });
    } catch (error) {
      throw notStarted((error as Error).message, error);
    }
    this.#child.once('error', (error) => this.#over(null, notStarted(error.message, error)));
    this.#child.once('close', (code, signal) => this.#ended(signal ?? `exit code ${code}`));
    this.#child.stdin?.on('error', () => {}); // it has ended, as is told above
    this.#child.stdout?.on('data', (chunk: Buffer) => reader.push(chunk));
  }

  /** Whether a process can be started: what another one's outputs still had to say would be taken for its own. */
  get isFree(): boolean {
    return this.#isAlive && this.#outputs.size === 0 && !this.#exited && !this.#answer;
  }

  get #isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  launch(command: HostCommand): Promise<Launched> {
    const { file, args, environment } = command;
    const broken = [file, ...args, ...Object.entries(environment).flat()].find((text) => text.includes('\0'));
    if (broken !== undefined) {
      throw notStarted(`its arguments must have no NUL byte, received ${JSON.stringify(broken)}`);
    }
    return new Promise((resolve, reject) => {
      this.#answer = { resolve, reject };
      this.#child.stdin?.write(encodeRequest(command));
    });
  }

  wake(): void {
    if (this.#isAlive && this.#child.pid !== undefined) kill(this.#child.pid, 'SIGCONT');
  }

  close(): void {
    this.#child.kill('SIGKILL');
    this.#child.stdin?.destroy();
    this.#child.stdout?.destroy();
  }

  #report(kind: number, value: number): void {
    if (kind === REPORT.started) this.#started(value);
    else if (kind === REPORT.refused) this.#over(null, notStarted(`execve ${getSystemErrorName(-value)}`));
    else if (kind === REPORT.ended) this.#exit(exitOf(value));
    else if (value === 0) this.#endOutput(kind);
  }

  #started(pid: number): void {
    const [stdout, stderr] = [this.#output(REPORT.stdout), this.#output(REPORT.stderr)];
    const exited = new Promise<Exit>((resolve) => {
      this.#exited = resolve;
    });
    this.#answer?.resolve({ pid, stdout, stderr, exited });
    this.#answer = undefined;
  }

  #output(kind: number): Readable {
    const output: Readable = new Readable({
      read: () => this.#goOnWith(output),
      destroy: (error, callback) => {
        if (this.#outputs.get(kind) === output) this.close();
        callback(error);
      },
    });
    this.#outputs.set(kind, output);
    return output;
  }

  #pass(output: Readable | undefined, bytes: Buffer): void {
    if (!output || output.destroyed || output.push(bytes)) return;
    this.#full.add(output);
    this.#child.stdout?.pause();
  }

  #goOnWith(output: Readable): void {
    this.#full.delete(output);
    if (this.#full.size === 0) this.#child.stdout?.resume();
  }

  #endOutput(kind: number): void {
    const output = this.#outputs.get(kind);
    if (!output) return;
    this.#outputs.delete(kind);
    output.push(null);
    // Of an output that has ended, no more is asked for.
    this.#goOnWith(output);
  }

  #exit(exit: Exit): void {
    this.#exited?.(exit);
    this.#exited = undefined;
  }

  #ended(how: string): void {
    if (this.#answer) this.#over(null, notStarted(`its launcher has ended (${how})`));
    else this.#over('SIGKILL', launcherEnded(how));
  }

  /** Whoever still waits for something gets no other answer. */
  #over(signal: NodeJS.Signals | null, failure: Failure): void {
    this.#answer?.reject(failure);
    this.#answer = undefined;
    this.#exit({ exitCode: null, signal, failure });
    for (const kind of [...this.#outputs.keys()]) this.#endOutput(kind);
  }
}

function notStarted(why: string, cause?: unknown): Failure {
  return new Failure('not-started', `The runner could not be started: ${why}`, cause);
}

function launcherEnded(how: string): Failure {
  return new Failure(
    'signal',
    `The container was killed, as the process that had started it ended before it (${how}). Nothing here ends that process: ` +
      'what runs in a container must send signals only to processes of its own',
  );
}
