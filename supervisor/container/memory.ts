import { readFileSync } from 'node:fs';
import type { ContainerProcesses } from './processes.js';

/**
 * Time between two looks at the container's memory, in ms: a program that fills half a gigabyte in a second must be seen
 * when it nears its limit. Where there are so many processes that a look takes long, they are fewer.
 */
const SAMPLE_EVERY_MS = 100;
const MAX_SHARE = 0.02;

/**
 * When container and supervisor were last seen with this part of the function's memory, and then somebody whom we do not
 * know killed a process, it was killed for its memory.
 */
const NEARLY_ALL = 0.8;

/** Watches for a container that is killed because the function's memory is used up. */
export interface MemoryWatch {
  /** Largest memory of the container that was seen, in bytes; 0 if the container ended before the first look. */
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
  let peakOfAll = 0;
  let timer: NodeJS.Timeout;
  const look = () => {
    const started = performance.now();
    const resident = processes.residentBytes();
    peak = Math.max(peak, resident);
    peakOfAll = Math.max(peakOfAll, resident + process.memoryUsage.rss());
    schedule((performance.now() - started) / MAX_SHARE);
  };
  const schedule = (pauseMs: number) => {
    timer = setTimeout(look, Math.max(SAMPLE_EVERY_MS, pauseMs)).unref();
  };
  schedule(0);
  return {
    peakBytes: () => peak,
    ranOut: () =>
      countOutOfMemoryKills() > killsBefore || (limitBytes !== undefined && peakOfAll >= limitBytes * NEARLY_ALL),
    stop: () => clearTimeout(timer),
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
