import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import type { RuntimeApiPort, RuntimeApiServer } from '../runtime-api/server.js';
import { type RuntimeAnswer, type RuntimeInvocation, RuntimeSession } from '../runtime-api/session.js';
import type { Guard } from './guard.js';
import type { InvocationLog } from './invocation-log.js';
import { killQuietly, lives, type ProcessRow, stopThoseWhoLeft } from './process-table.js';
import type { Reaper } from './reaper.js';

/** What happens to a runtime while somebody waits for it. */
export type RuntimeSignal =
  | { readonly kind: 'ready' }
  | { readonly kind: 'init-error'; readonly errorType: string; readonly payload: Buffer }
  | { readonly kind: 'exit'; readonly code: number | null; readonly signal: NodeJS.Signals | null }
  | { readonly kind: 'not-started'; readonly reason: string }
  | { readonly kind: 'timeout' };

export interface RuntimeCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** How the runtime reaches the Runtime API: by a socket on descriptor 3, or by TCP. */
  readonly channel: 'inherited' | 'tcp';
  /** The process's whole environment, given the Runtime API's address (undefined: inherited). */
  variables(runtimeApi: string | undefined): Record<string, string>;
}

export interface RuntimeServices {
  readonly runtimeApi: RuntimeApiServer;
  readonly guard: Guard;
  readonly reaper: Reaper;
}

/** Output that is still in the pipes of a dead process is read within this time, in ms. */
const DRAIN_MS = 200;

/** One runtime: a process that leads a group of its own, and its session of the Runtime API. */
export class RuntimeProcess {
  /** What the runtime answered to the event at hand. */
  answer: RuntimeAnswer | undefined;
  readonly #services: RuntimeServices;
  readonly #name: string;
  readonly #session: RuntimeSession;
  readonly #child: ChildProcess;
  readonly #port: RuntimeApiPort | undefined;
  #pending: RuntimeSignal | undefined;
  #waiter: ((signal: RuntimeSignal) => void) | undefined;
  #over: RuntimeSignal | undefined;
  #ending: Promise<void> | undefined;
  /** Stopped one by one, as they left the process group. */
  #stopped: readonly ProcessRow[] = [];

  /**
   * Starts a runtime. A program that cannot be started is reported by {@link next}.
   *
   * @param name - the environment's folder below the run folder
   */
  static async start(
    services: RuntimeServices,
    name: string,
    command: RuntimeCommand,
    log: InvocationLog,
  ): Promise<RuntimeProcess> {
    const session = new RuntimeSession();
    const port = command.channel === 'tcp' ? await services.runtimeApi.listen(session, ownUser()) : undefined;
    return new RuntimeProcess(services, name, session, command, port, log);
  }

  private constructor(
    services: RuntimeServices,
    name: string,
    session: RuntimeSession,
    command: RuntimeCommand,
    port: RuntimeApiPort | undefined,
    log: InvocationLog,
  ) {
    this.#services = services;
    this.#name = name;
    this.#session = session;
    this.#port = port;
    session.listener = {
      ready: () => this.#signal({ kind: 'ready' }),
      initFailed: (errorType, payload) => this.#signal({ kind: 'init-error', errorType, payload }),
      answered: (answer) => {
        this.answer = answer;
      },
    };
    const child = spawn(command.file, command.args, {
      cwd: command.cwd,
      env: command.variables(port?.address),
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', ...(port ? [] : (['pipe'] as const))],
    });
    this.#child = child;
    child.once('error', (cause) => this.#finish({ kind: 'not-started', reason: cause.message }));
    if (child.stdout) log.capture(child.stdout);
    if (child.stderr) log.capture(child.stderr);
    if (!port && child.stdio[3]) services.runtimeApi.attach(child.stdio[3] as Duplex, session);
    if (child.pid !== undefined) services.guard.add(child.pid);
    child.once('exit', (code, signal) => void this.#drain().then(() => this.#finish({ kind: 'exit', code, signal })));
  }

  /** pid of the runtime, which is also the number of its process group; 0 when it never started. */
  get leader(): number {
    return this.#child.pid ?? 0;
  }

  /** Whether the process has ended. */
  get over(): boolean {
    return this.#over !== undefined;
  }

  /** Told once when the process ends by itself while nobody waits for it. */
  onEnd: (() => void) | undefined;

  /** The next thing that happens, or `timeout` at `deadlineMs` (epoch). */
  next(deadlineMs: number): Promise<RuntimeSignal> {
    const ready = this.#pending ?? this.#over;
    this.#pending = undefined;
    if (ready) return Promise.resolve(ready);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#signal({ kind: 'timeout' }), Math.max(0, deadlineMs - Date.now()));
      this.#waiter = (signal) => {
        clearTimeout(timer);
        resolve(signal);
      };
    });
  }

  dispatch(invocation: RuntimeInvocation): void {
    this.answer = undefined;
    this.#session.dispatch(invocation);
  }

  /** Between invocations nothing of a function runs. */
  freeze(): void {
    if (this.#ending !== undefined || !this.leader) return;
    killQuietly(-this.leader, 'SIGSTOP');
    this.#stopped = stopThoseWhoLeft(this.leader);
  }

  thaw(): void {
    if (this.#ending !== undefined || !this.leader) return;
    for (const row of this.#stopped) if (lives(row)) killQuietly(row.pid, 'SIGCONT');
    killQuietly(-this.leader, 'SIGCONT');
  }

  /** Kills the runtime and all that it started; resolves when they are gone. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    this.#session.end();
    this.#port?.close();
    if (this.leader === 0) return;
    const exited = this.#child.exitCode !== null || this.#child.signalCode !== null;
    const exit = exited ? undefined : new Promise((resolve) => this.#child.once('exit', resolve));
    await this.#services.reaper.end(this.leader, this.#name);
    await exit;
    this.#services.guard.remove(this.leader);
    this.#child.stdio.forEach((stream) => {
      stream?.destroy();
    });
  }

  /** Whoever inherited the pipes may hold them open for ever: wait for their end only briefly. */
  #drain(): Promise<void> {
    if (this.leader) killQuietly(-this.leader);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, DRAIN_MS);
      this.#child.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #finish(signal: RuntimeSignal): void {
    this.#over ??= signal;
    this.#pending = undefined;
    if (this.#waiter) this.#signal(signal);
    else if (this.#ending === undefined) this.onEnd?.();
  }

  #signal(signal: RuntimeSignal): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter) waiter(signal);
    else this.#pending = signal;
  }
}

/** Who may speak to a loopback port of ours: the user that the runtime runs as. */
const ownUser = (): ReadonlySet<number> => new Set([process.getuid?.() ?? -1]);
