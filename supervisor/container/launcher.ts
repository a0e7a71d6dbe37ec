import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { Readable } from 'node:stream';
import { getSystemErrorName } from 'node:util';
import { Failure } from '../failure.js';
import { kill } from './processes.js';
import type { HostCommand } from './runner.js';

/** A process that runs on the host. */
export interface Launched {
  pid: number;
  /** One that is destroyed before its end takes the launcher with it: whoever still writes to it finds nobody. */
  stdout: Readable;
  stderr: Readable;
  exited: Promise<Exit>;
}

export interface Exit {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** What happened to the launcher, if that is why nothing else is known of the end. */
  failure?: Failure;
}

/** As `supervisor/inroot/launcher.c` numbers them. */
const STARTED = 0;
const REFUSED = 1;
const ENDED = 2;
const WROTE_STDOUT = 3;
const WROTE_STDERR = 4;

const HEADER_BYTES = 8;
/** Linux's highest signal (signal(7)). */
const SIGNAL_BITS = 0x7f;

/**
 * Starts processes by a small one of its own, `inroot --launcher`: a fork of Node copies the page tables of 100 MB, which
 * costs more than all else of a short container. The launcher is started when it is first needed, and again when it has died.
 */
export class Launcher {
  readonly #executable: string;
  #connection: Connection | undefined;

  /** @param executable - host path of `inroot`, under a name of its own: who looks for a container's processes must not find it */
  constructor(executable: string) {
    this.#executable = executable;
  }

  /**
   * Starts a process: in `/` and a session of its own, with nothing on stdin, exactly the environment that is given, and no other
   * open files. One at a time, with its outputs read to their end.
   *
   * @throws Failure `not-started` if it cannot be started
   */
  async launch(command: HostCommand): Promise<Launched> {
    if (!this.#connection?.isOpen) this.#connection = new Connection(this.#executable);
    return this.#connection.launch(command);
  }

  /** Lets it go on if the container has stopped it: it may do so to all processes of its user. */
  wake(): void {
    this.#connection?.wake();
  }

  /** Ends the launcher and what it runs. */
  close(): void {
    this.#connection?.close();
  }
}

/** One process of the launcher, from its start to its end. */
class Connection {
  readonly #child: ChildProcess;
  /** Of outputs that nobody has read so far; while there is any, the launcher has to wait. */
  readonly #full = new Set<Readable>();
  #answer: { resolve(launched: Launched): void; reject(failure: Failure): void } | undefined;
  #outputs: readonly [Readable, Readable] | undefined;
  #exited: ((exit: Exit) => void) | undefined;
  /** The beginning of a header whose rest has not come. */
  #rest = Buffer.alloc(0);
  /** Output that is still to come, in bytes, and whose. */
  #left = 0;
  #writer: Readable | undefined;

  /** @throws Failure `not-started` */
  constructor(executable: string) {
    try {
      // As sockets, which libuv makes of pipes, they cannot be opened by way of /proc (open(2), ENXIO).
      this.#child = spawn(executable, ['--launcher'], { env: {}, cwd: '/', stdio: ['pipe', 'pipe', 'ignore'] });
    } catch (error) {
      throw notStarted((error as Error).message, error);
    }
    this.#child.once('error', (error) => this.#answered()?.reject(notStarted(error.message, error)));
    this.#child.once('close', (code, signal) => this.#ended(signal ?? `exit code ${code}`));
    this.#child.stdin?.on('error', () => {}); // it has ended, which is told above
    this.#child.stdout?.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  get isOpen(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.#child.stdin?.writable === true;
  }

  launch(command: HostCommand): Promise<Launched> {
    const request = encode(command);
    return new Promise((resolve, reject) => {
      this.#answer = { resolve, reject };
      this.#child.stdin?.write(request);
    });
  }

  wake(): void {
    if (this.isOpen && this.#child.pid !== undefined) kill(this.#child.pid, 'SIGCONT');
  }

  close(): void {
    this.#child.kill('SIGKILL');
    this.#child.stdin?.destroy();
    this.#child.stdout?.destroy();
  }

  /** Takes the launcher's reports apart: each is two numbers, and for outputs the bytes that the second one counts. */
  #read(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        const bytes = chunk.subarray(at, at + this.#left);
        at += bytes.length;
        this.#left -= bytes.length;
        this.#pass(bytes);
        continue;
      }
      const more = chunk.subarray(at, at + HEADER_BYTES - this.#rest.length);
      at += more.length;
      this.#rest = Buffer.concat([this.#rest, more]);
      if (this.#rest.length < HEADER_BYTES) return;
      this.#report(this.#rest.readUInt32LE(0), this.#rest.readUInt32LE(4));
      this.#rest = Buffer.alloc(0);
    }
  }

  #report(kind: number, value: number): void {
    if (kind === STARTED) this.#started(value);
    else if (kind === REFUSED) this.#answered()?.reject(notStarted(`execve ${getSystemErrorName(-value)}`));
    else if (kind === ENDED) this.#exit(exitOf(value));
    else if (kind === WROTE_STDOUT || kind === WROTE_STDERR) {
      this.#writer = this.#outputs?.[kind === WROTE_STDOUT ? 0 : 1];
      this.#left = value;
      if (value === 0) this.#pass(null);
    }
  }

  #started(pid: number): void {
    const [stdout, stderr] = [this.#output(), this.#output()];
    this.#outputs = [stdout, stderr];
    const exited = new Promise<Exit>((resolve) => {
      this.#exited = resolve;
    });
    this.#answered()?.resolve({ pid, stdout, stderr, exited });
  }

  #output(): Readable {
    const output: Readable = new Readable({
      read: () => {
        this.#full.delete(output);
        if (this.#full.size === 0) this.#child.stdout?.resume();
      },
      destroy: (error, callback) => {
        if (!output.readableEnded) this.close();
        callback(error);
      },
    });
    return output;
  }

  #pass(bytes: Buffer | null): void {
    const output = this.#writer;
    if (!output || output.destroyed || output.push(bytes) || bytes === null) return;
    this.#full.add(output);
    this.#child.stdout?.pause();
  }

  #answered() {
    const answer = this.#answer;
    this.#answer = undefined;
    return answer;
  }

  #exit(exit: Exit): void {
    this.#exited?.(exit);
    this.#exited = undefined;
  }

  /** Whoever still waits for something gets no other answer. What was running is without outputs now, and is to be killed. */
  #ended(how: string): void {
    this.#answered()?.reject(notStarted(`its launcher has ended (${how})`));
    this.#exit({ exitCode: null, signal: 'SIGKILL', failure: launcherEnded(how) });
    for (const output of this.#outputs ?? []) if (!output.readableEnded && !output.destroyed) output.push(null);
    this.#outputs = undefined;
  }
}

function encode({ file, args, environment }: HostCommand): Buffer {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const strings = [file, ...args, ...variables];
  const broken = strings.find((text) => text.includes('\0'));
  if (broken !== undefined) {
    throw notStarted(`an argument must be without NUL bytes, received ${JSON.stringify(broken)}`);
  }
  const text = Buffer.from(`${strings.join('\0')}\0`);
  const header = new Uint32Array([text.length, 1 + args.length, variables.length]);
  return Buffer.concat([Buffer.from(header.buffer), text]);
}

/** @param status - as wait(2) has it */
function exitOf(status: number): Exit {
  const number = status & SIGNAL_BITS;
  if (number === 0) return { exitCode: (status >> 8) & 0xff, signal: null };
  const [name = `SIG${number}`] = Object.entries(constants.signals).find(([, own]) => own === number) ?? [];
  return { exitCode: null, signal: name as NodeJS.Signals };
}

function notStarted(why: string, cause?: unknown): Failure {
  return new Failure('not-started', `The runner could not be started: ${why}`, cause);
}

function launcherEnded(how: string): Failure {
  return new Failure(
    'signal',
    `The container was killed, as the process that had started it ended before it (${how}). Nothing here ends that one: ` +
      'a container must not send signals to processes that are not its own',
  );
}
