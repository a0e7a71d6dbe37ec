import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long killed processes may take to go away, in ms; one that waits for a disk or a device can take for ever. */
const GONE_WITHIN_MS = 2_000;

/** Memory pages are 4 KiB on both of Lambda's architectures (Amazon Linux 2023 on arm64 too). */
const PAGE_BYTES = 4_096;

/**
 * The processes of containers, found by their executable: the runner replaces itself by the program without execve(2), so
 * /proc/<pid>/exe of every process of a container, whatever session or parent it moved to, is the runner's file. The
 * supervisor gives each runner a path of its own, which tells its containers from another environment's.
 */
export class ContainerProcesses {
  readonly #isOurs: (executable: string) => boolean;

  /** @param isOurs - tells from the path of an executable */
  constructor(isOurs: (executable: string) => boolean) {
    this.#isOurs = isOurs;
  }

  pids(): number[] {
    return readdirSync('/proc').flatMap((name) => {
      const pid = Number(name);
      return Number.isInteger(pid) && this.#isOurs(executableOf(pid)) ? [pid] : [];
    });
  }

  /** Kills them all, also those that they fork meanwhile. Returns the pids of those that would not go. */
  async killAll(): Promise<number[]> {
    const end = performance.now() + GONE_WITHIN_MS;
    for (let pids = this.pids(); ; pids = this.pids()) {
      if (pids.length === 0 || performance.now() > end) return pids;
      for (const pid of pids) kill(pid, 'SIGKILL');
      await sleep(1);
    }
  }

  /** Memory that they hold together, in bytes: what is resident, shared pages counted for each. */
  residentBytes(): number {
    return this.pids().reduce((sum, pid) => sum + residentBytesOf(pid), 0);
  }
}

/**
 * Whether any process was started after one that has just been waited for. Exact: Linux hands out process IDs in a circle
 * and passes over those in use, so no other process can have had this one's, and the last one given out is in
 * /proc/loadavg (proc_loadavg(5)).
 */
export function isLastProcess(pid: number): boolean {
  return readFileSync('/proc/loadavg', 'latin1').trimEnd().endsWith(` ${pid}`);
}

/** Sends a signal to a process, or with a negative pid to a process group; fine if it has ended. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Empty for kernel threads, zombies, and processes that are not ours to look at. */
function executableOf(pid: number): string {
  try {
    // The kernel marks a file that was removed meanwhile (proc_pid_exe(5)).
    return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
  } catch {
    return '';
  }
}

function residentBytesOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * PAGE_BYTES;
  } catch {
    return 0;
  }
}
