import { readFileSync } from 'node:fs';
import type { ContainerProcesses } from './processes.js';

/**
 * Time between two looks at the container's memory, in ms: the first ones are closer together, so that a program that fills
 * its memory at once is seen growing. Where there are so many processes that a look takes long, they are fewer.
 */
const FIRST_LOOK_MS = 25;
const SAMPLE_EVERY_MS = 100;
const MAX_SHARE = 0.02;

/**
 * When container and supervisor had, or at their pace would have had by now, this part of the function's memory, and
 * somebody whom we do not know killed a process, it was killed for its memory.
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
 * environment alone; or memory that was nearly all in use or about to be, where what enforces the limit is not the kernel.
 */
export function watchMemory(processes: ContainerProcesses, limitBytes: number | undefined): MemoryWatch {
  const killsBefore = countOutOfMemoryKills();
  let peak = 0;
  let peakOfAll = 0;
  let last: Look = { at: performance.now(), bytes: process.memoryUsage.rss(), bytesPerMs: 0 };
  let timer: NodeJS.Timeout;
  const look = () => {
    const started = performance.now();
    const resident = processes.residentBytes();
    const bytes = resident + process.memoryUsage.rss();
    peak = Math.max(peak, resident);
    peakOfAll = Math.max(peakOfAll, bytes);
    const interval = started - last.at;
    last = { at: started, bytes, bytesPerMs: Math.max(0, bytes - last.bytes) / interval };
    schedule(Math.max(Math.min(2 * interval, SAMPLE_EVERY_MS), (performance.now() - started) / MAX_SHARE));
  };
  const schedule = (pauseMs: number) => {
    timer = setTimeout(look, pauseMs).unref();
  };
  schedule(FIRST_LOOK_MS);
  const mayHaveHad = () => {
    // A look that was due and did not come is no reason to believe in more growth.
    const since = Math.min(performance.now() - last.at, SAMPLE_EVERY_MS);
    return Math.max(peakOfAll, last.bytes + last.bytesPerMs * since);
  };
  return {
    peakBytes: () => peak,
    ranOut: () =>
      countOutOfMemoryKills() > killsBefore || (limitBytes !== undefined && mayHaveHad() >= limitBytes * NEARLY_ALL),
    stop: () => clearTimeout(timer),
  };
}

/** What container and supervisor held together when they were looked at, and how fast that grew. */
interface Look {
  at: number;
  bytes: number;
  bytesPerMs: number;
}

/** `oom_kill` of /proc/vmstat, since Linux 4.13: kills by a cgroup's limit are counted too. 0 where it is not there. */
function countOutOfMemoryKills(): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'latin1'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
