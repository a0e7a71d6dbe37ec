import { freemem, totalmem } from 'node:os';
import type { FunctionVersion } from '../../environment/function-version.js';
import {
  type EnvironmentHost,
  ExecutionEnvironment,
  type InvocationRequest,
  type InvocationResult,
} from '../../execution-environment.js';

/** Below this share of the machine's memory, idle environments make room before another one starts. */
const LOW_MEMORY_SHARE = 0.05;

interface Idle {
  readonly environment: ExecutionEnvironment;
  /** From performance.now(). */
  readonly since: number;
}

/**
 * All environments of an engine. One works on one invocation; the most recently used idle one of the same version is
 * taken first, so that the others can be reaped. There are never more than `capacity`: the least recently used idle one
 * of any function makes room.
 */
export class EnvironmentPool {
  readonly #host: EnvironmentHost;
  readonly #capacity: number;
  readonly #idleTimeoutMs: number;
  /** Per function, oldest first. */
  readonly #idle = new Map<string, Idle[]>();
  readonly #current = new Map<string, FunctionVersion>();
  readonly #alive = new Set<ExecutionEnvironment>();
  readonly #endings = new Set<Promise<void>>();
  readonly #reaping: NodeJS.Timeout;
  #closed = false;

  /**
   * @param capacity - the most environments there may be, busy and idle
   * @param idleTimeoutMs - how long an environment may be idle
   */
  constructor(host: EnvironmentHost, capacity: number, idleTimeoutMs: number) {
    this.#host = host;
    this.#capacity = capacity;
    this.#idleTimeoutMs = idleTimeoutMs;
    const everyMs = Math.min(MAX_REAP_INTERVAL_MS, Math.max(MIN_REAP_INTERVAL_MS, idleTimeoutMs / 4));
    this.#reaping = setInterval(() => this.#reap(), everyMs).unref();
  }

  /** Runs an invocation in an environment of this version, a new one if none is free. */
  async invoke(version: FunctionVersion, request: InvocationRequest): Promise<InvocationResult> {
    const environment = this.#take(version);
    try {
      return await environment.invoke(request);
    } finally {
      if (this.#closed || this.#current.get(version.name) !== version) this.#end(environment);
      else if (!environment.ended) this.#putBack(environment);
    }
  }

  /**
   * From now on this version serves its function: idle environments of another one end, busy ones after their work.
   *
   * @returns when none of the others is left
   */
  serve(version: FunctionVersion): Promise<void> {
    this.#current.set(version.name, version);
    return this.#endOthers(version.name);
  }

  /** The function is gone: as {@link serve}, without another version. */
  retire(name: string): Promise<void> {
    this.#current.delete(name);
    return this.#endOthers(name);
  }

  /** Ends all environments, busy ones too; resolves when none of their processes and folders is left. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#reaping);
    for (const environment of this.#alive) this.#end(environment);
    await Promise.all(this.#endings);
  }

  #take(version: FunctionVersion): ExecutionEnvironment {
    const idle = this.#idle.get(version.name);
    for (let last = idle?.pop(); last; last = idle?.pop()) {
      if (!last.environment.ended && last.environment.function === version) return last.environment;
    }
    if (freemem() < totalmem() * LOW_MEMORY_SHARE) this.#makeRoom(this.#alive.size);
    else this.#makeRoom(this.#alive.size + 1 - this.#capacity);
    const environment = new ExecutionEnvironment(this.#host, version);
    this.#alive.add(environment);
    environment.onEnd = () => this.#end(environment);
    return environment;
  }

  #putBack(environment: ExecutionEnvironment): void {
    const { name } = environment.function;
    const idle = this.#idle.get(name) ?? [];
    idle.push({ environment, since: performance.now() });
    this.#idle.set(name, idle);
  }

  async #endOthers(name: string): Promise<void> {
    const others = [...this.#alive].filter((environment) => environment.function.name === name);
    for (const { environment } of this.#idle.get(name) ?? []) this.#end(environment);
    this.#idle.delete(name);
    await Promise.all(others.map((environment) => environment.finished));
  }

  /** Ends up to this many idle environments, least recently used first. */
  #makeRoom(count: number): void {
    if (count <= 0) return;
    const oldest = [...this.#idle.values()].flat().sort((a, b) => a.since - b.since);
    for (const { environment } of oldest.slice(0, count)) this.#end(environment);
  }

  #reap(): void {
    const before = performance.now() - this.#idleTimeoutMs;
    for (const idle of this.#idle.values()) {
      for (const { environment, since } of idle) if (since < before) this.#end(environment);
    }
  }

  /** Its end is waited for by {@link close}; meanwhile it no longer counts. */
  #end(environment: ExecutionEnvironment): void {
    if (!this.#alive.delete(environment)) return;
    const { name } = environment.function;
    const idle = this.#idle.get(name)?.filter((entry) => entry.environment !== environment);
    if (idle) this.#idle.set(name, idle);
    const ending = environment.end().finally(() => this.#endings.delete(ending));
    this.#endings.add(ending);
  }
}

const MIN_REAP_INTERVAL_MS = 50;
const MAX_REAP_INTERVAL_MS = 30_000;
