import { readFileSync } from 'node:fs';
import { readKernelFile } from './kernel-file.js';
import type { ContainerProcesses } from './processes.js';

/** Time between two looks at the container's memory, in ms; longer where there are so many processes that a look takes long. */
const SAMPLE_EVERY_MS = 100;
const MAX_SHARE = 0.02;

/** The part of the function's memory that counts as all of it, where nobody counts the kills. */
const NEARLY_ALL = 0.8;

/** Watches for a container that is killed because the function's memory is used up. */
export interface MemoryWatch {
  /** Largest memory of the container that was seen, in bytes; 0 if the container ended before the first look. */
  peakBytes(): number;
  /** Whether there is evidence that a process was killed for memory since the watch began. */
  ranOut(): boolean;
  stop(): void;
}

/**
 * The evidence is that one of the counts grew. Only where none can be read (a sandbox may hide /proc/vmstat) it is that
 * container and supervisor were seen with nearly all of the memory: a guess, but better than none.
 *
 * @param counters - files with a line `oom_kill <count>`, which grows before the process that is killed has ended
 */
export function watchMemory(
  processes: ContainerProcesses,
  limitBytes: number | undefined,
  counters: readonly string[],
): MemoryWatch {
  const before = counters.map((file) => ({ file, kills: countKills(file) })).filter(({ kills }) => kills >= 0);
  let peak = 0;
  let timer: NodeJS.Timeout;
  const look = () => {
    const started = performance.now();
    peak = Math.max(peak, processes.residentBytes());
    schedule(Math.max(SAMPLE_EVERY_MS, (performance.now() - started) / MAX_SHARE));
  };
  const schedule = (pauseMs: number) => {
    timer = setTimeout(look, pauseMs).unref();
  };
  schedule(SAMPLE_EVERY_MS);
  const hadNearlyAll = () => limitBytes !== undefined && peak + process.memoryUsage.rss() >= limitBytes * NEARLY_ALL;
  return {
    peakBytes: () => peak,
    ranOut: () => (before.length > 0 ? before.some(({ file, kills }) => countKills(file) > kills) : hadNearlyAll()),
    stop: () => clearTimeout(timer),
  };
}

/** -1 where they are not counted. */
function countKills(file: string): number {
  try {
    const text = file.startsWith('/proc/') ? readKernelFile(file) : readFileSync(file, 'latin1');
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? -1);
  } catch {
    return -1;
  }
}
