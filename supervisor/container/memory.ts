import { readFileSync } from 'node:fs';
import type { ContainerProcesses } from './processes.js';

/** Time between two looks at the container's memory, in ms. A look costs about 1 ms of CPU. */
const SAMPLE_EVERY_MS = 1_000;

/**
 * A container that was last seen with this part of the function's memory, and was then killed by nobody that we know, was
 * killed for its memory: the supervisor itself holds some of the rest.
 */
const NEARLY_ALL = 0.8;

/** Watches for a container that is killed because the function's memory is used up. */
export interface MemoryWatch {
  /** Largest memory seen, in bytes; 0 if the container ended before the first look. */
  peakBytes(): number;
  /** Whether there is evidence that the kernel killed a process for memory since the watch began. */
  ranOut(): boolean;
  stop(): void;
}

/**
 * The evidence: the kernel's own count of such kills, which on Lambda, one virtual machine per environment, is of this
 * environment alone; or memory that was nearly all in use, where what enforces the limit is not the kernel.
 */
export function watchMemory(processes: ContainerProcesses, limitBytes: number | undefined): MemoryWatch {
  const killsBefore = countOutOfMemoryKills();
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, processes.residentBytes());
  }, SAMPLE_EVERY_MS);
  timer.unref();
  return {
    peakBytes: () => peak,
    ranOut: () =>
      countOutOfMemoryKills() > killsBefore || (limitBytes !== undefined && peak >= limitBytes * NEARLY_ALL),
    stop: () => clearInterval(timer),
  };
}

/** `oom_kill` of /proc/vmstat, since Linux 4.13: kills by a cgroup's limit are counted too. 0 where it is not there. */
function countOutOfMemoryKills(): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'latin1'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
