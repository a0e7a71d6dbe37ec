import { killQuietly, processesOf, readChildren, readMemory, readProcessTable } from './process-table.js';

/** What the monitor looks after: one environment while it works. */
export interface MonitoredGroup {
  /** pid of the runtime, which leads the process group; 0 as long as there is none. */
  leader: number;
  readonly limitBytes: number;
  /** The highest use seen since {@link MemoryMonitor.watch}, in bytes; the monitor writes it. */
  peakBytes: number;
  /** Told after the largest process was killed for lack of memory. */
  outOfMemory(victim: { pid: number; isRuntime: boolean }): void;
}

/** How often memory is sampled, in ms: what grows faster than its limit allows within this time is seen late. */
const INTERVAL_MS = 100;

/** Every so many samples the whole process table is read, for processes that are not below the runtime. */
const WHOLE_TABLE_EVERY = 10;

/** At most this share of the engine's time goes into sampling; with very many processes the interval grows instead. */
const MAX_SHARE = 0.05;

/**
 * Samples the memory of all working environments, and enforces MemorySize as a memory cgroup would: the largest process
 * is killed.
 *
 * Counted are the pages that are each process's own, and the largest file mapping once: a cgroup, too, charges a page
 * that several processes share only once.
 */
export class MemoryMonitor {
  /** With the processes that the last pass over the whole table found. */
  readonly #groups = new Map<MonitoredGroup, readonly number[]>();
  #samples = 0;
  #timer: NodeJS.Timeout | undefined;

  watch(group: MonitoredGroup): void {
    group.peakBytes = 0;
    this.#groups.set(group, []);
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
    for (const group of [...this.#groups.keys()]) {
      if (group.leader === 0) continue;
      if (table) this.#groups.set(group, pidsOf(table, group.leader));
      const { usedBytes, largest } = measure(withDescendants([group.leader, ...(this.#groups.get(group) ?? [])]));
      group.peakBytes = Math.max(group.peakBytes, usedBytes);
      if (usedBytes > group.limitBytes && largest !== undefined) killLargest(group, largest);
    }
  }
}

const pidsOf = (...arguments_: Parameters<typeof processesOf>): number[] =>
  processesOf(...arguments_).map((row) => row.pid);

function withDescendants(pids: readonly number[]): Set<number> {
  const all = new Set(pids);
  // A set's iterator visits what is added meanwhile.
  for (const pid of all) for (const child of readChildren(pid)) all.add(child);
  return all;
}

/** Numbers are used again: what is killed must be in the group now. */
function killLargest(group: MonitoredGroup, pid: number): void {
  if (!pidsOf(readProcessTable(), group.leader).includes(pid)) return;
  killQuietly(pid);
  group.outOfMemory({ pid, isRuntime: pid === group.leader });
}

function measure(pids: Iterable<number>): { usedBytes: number; largest: number | undefined } {
  let own = 0;
  let shared = 0;
  let largest: number | undefined;
  let most = -1;
  for (const pid of pids) {
    const memory = readMemory(pid);
    if (!memory) continue;
    own += memory.own;
    shared = Math.max(shared, memory.shared);
    if (memory.own > most) {
      most = memory.own;
      largest = pid;
    }
  }
  return { usedBytes: own + shared, largest };
}
