import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readKernelFile } from './kernel-file.js';

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

  /** @param candidates - looks only at these; default all processes there are */
  pids(candidates: readonly number[] = allProcesses()): number[] {
    return candidates.filter((pid) => this.#isOurs(executableOf(pid)));
  }

  /**
   * Kills them all, also those that they fork meanwhile. Returns the pids of those that would not go.
   *
   * @param among - where to look first: if none is there, none is anywhere
   */
  async killAll(among?: readonly number[]): Promise<number[]> {
    const end = performance.now() + GONE_WITHIN_MS;
    for (let pids = this.pids(among); ; pids = this.pids()) {
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

/** More than any machine starts in a ms, all of them taking turns at one lock of the kernel's. */
const MOST_FORKS_PER_MS = 100;

/** So few IDs are looked at sooner than a list of all processes is read. */
const FEW = 16;

/**
 * Tells which processes were started after a given moment, so that the look for what a container left behind costs
 * next to nothing on a machine with many others.
 */
export class NewProcesses {
  readonly #startedAt = performance.now();

  /**
   * All processes started since that still run, and perhaps others.
   *
   * @param first - ID of the first process that was started since
   */
  since(first: number): number[] {
    const last = lastProcessId();
    // IDs are given out in a circle (Linux: alloc_pid, kernel/pid.c): until it may have closed, those since are one stretch of it.
    const forks = (performance.now() - this.#startedAt) * MOST_FORKS_PER_MS;
    if (last === 0 || forks > maxProcessId() / 2) return allProcesses();
    if (last >= first && last - first < FEW) return Array.from({ length: last - first + 1 }, (_, n) => first + n);
    const isNew =
      last >= first ? (pid: number) => pid >= first && pid <= last : (pid: number) => pid >= first || pid <= last;
    return allProcesses().filter(isNew);
  }
}

function allProcesses(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid));
}

/** The ID that was given out last (proc_loadavg(5)); 0 if the kernel does not say. */
function lastProcessId(): number {
  return Number(readKernelFile('/proc/loadavg').trimEnd().split(' ').at(-1));
}

function maxProcessId(): number {
  return Number(readKernelFile('/proc/sys/kernel/pid_max'));
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
