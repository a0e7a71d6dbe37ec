import {
  killQuietly,
  type ProcessRow,
  processesOf,
  readChildren,
  readMemory,
  readProcessTable,
  readUnreclaimableBytes,
} from './process-table.js';

/** What the monitor looks after: one environment while it works. */
export interface MonitoredGroup {
  /** pid of the runtime, which leads the process group; 0 as long as there is none. */
  leader: number;
  readonly limitBytes: number;
  /** The highest use seen since {@link MemoryMonitor.watch}, in bytes; the monitor writes it. */
  peakBytes: number;
  /** Told before a process is killed for lack of memory: who waits for its end can know then why it ended. */
  outOfMemory(victim: { isRuntime: boolean }): void;
}

/** How often memory is sampled, in ms: what grows faster than its limit allows within this time is seen late. */
const INTERVAL_MS = 100;

/** Every so many samples the whole process table is read, for processes that are not below the runtime. */
const WHOLE_TABLE_EVERY = 10;

/** At most this share of the engine's time goes into sampling; with very many processes the interval grows instead. */
const MAX_SHARE = 0.05;

interface Members {
  /** Those that the last pass over the whole table found. */
  pids: readonly number[];
  /** Those that were killed, {@link identity identified}; on a busy machine it takes a while until they are gone. */
  readonly killed: Set<string>;
}

/**
 * Samples the memory of all working environments, and enforces MemorySize as a memory cgroup would: the largest process
 * is killed, and the next one only when the rest is still too large without it.
 *
 * Counted are the pages that are each process's own, and the largest file mapping once: a cgroup, too, charges a page
 * that several processes share only once.
 */
export class MemoryMonitor {
  readonly #groups = new Map<MonitoredGroup, Members>();
  #samples = 0;
  #timer: NodeJS.Timeout | undefined;

  watch(group: MonitoredGroup): void {
    group.peakBytes = 0;
    this.#groups.set(group, { pids: [], killed: new Set() });
    this.#timer ??= this.#schedule(INTERVAL_MS);
  }

  /** Stops, after a last look at the runtime alone (a whole pass would cost more than a short invocation). */
  unwatch(group: MonitoredGroup): void {
    this.#groups.delete(group);
    const memory = group.leader === 0 ? undefined : readMemory(group.leader);
    if (memory) group.peakBytes = Math.max(group.peakBytes, memory.own + memory.shared);
    if (this.#groups.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
  }

  #schedule(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      const started = performance.now();
      this.#sample();
      const took = performance.now() - started;
      this.#timer = this.#groups.size > 0 ? this.#schedule(Math.max(INTERVAL_MS, took / MAX_SHARE)) : undefined;
    }, delayMs).unref();
  }

  #sample(): void {
    const table = this.#samples++ % WHOLE_TABLE_EVERY === 0 ? readProcessTable() : undefined;
    for (const [group, members] of this.#groups) {
      if (group.leader === 0) continue;
      if (table) members.pids = processesOf(table, group.leader).map((row) => row.pid);
      const bytes = usedBytes(withDescendants([group.leader, ...members.pids]));
      group.peakBytes = Math.max(group.peakBytes, bytes);
      if (bytes > group.limitBytes) enforceLimit(group, members.killed);
    }
  }
}

function withDescendants(pids: readonly number[]): Set<number> {
  const all = new Set(pids);
  // A set's iterator visits what is added meanwhile.
  for (const pid of all) for (const child of readChildren(pid)) all.add(child);
  return all;
}

/** Kills the largest process if the group is too large; looks anew, as a number seen before may be somebody else's now. */
function enforceLimit(group: MonitoredGroup, killed: Set<string>): void {
  const living = processesOf(readProcessTable(), group.leader).filter(
    (row) => !row.zombie && !killed.has(identity(row)),
  );
  if (usedBytes(living.map((row) => row.pid)) <= group.limitBytes) return;
  const sizes = living.map((row) => readUnreclaimableBytes(row.pid));
  const victim = living[sizes.indexOf(Math.max(...sizes))];
  if (!victim) return;
  killed.add(identity(victim));
  group.outOfMemory({ isRuntime: victim.pid === group.leader });
  killQuietly(victim.pid);
}

/** Numbers are used again, but not within one tick of the clock. */
const identity = ({ pid, started }: ProcessRow): string => `${pid}/${started}`;

function usedBytes(pids: Iterable<number>): number {
  let own = 0;
  let shared = 0;
  for (const pid of pids) {
    const memory = readMemory(pid);
    if (!memory) continue;
    own += memory.own;
    shared = Math.max(shared, memory.shared);
  }
  return own + shared;
}
