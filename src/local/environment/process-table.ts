import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** One row of the kernel's process table (proc_pid_stat(5)). */
export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Whether it has a controlling terminal: somebody works with it. */
  readonly terminal: boolean;
  /** In clock ticks since boot. */
  readonly started: number;
  readonly zombie: boolean;
}

/** Every process that can be seen now. Empty where there is no /proc: groups are then all that can be found. */
export function readProcessTable(): ProcessRow[] {
  const rows: ProcessRow[] = [];
  for (const name of listProc()) {
    const row = readProcess(Number(name));
    if (row) rows.push(row);
  }
  return rows;
}

function listProc(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** One process, or undefined when it is gone. */
export function readProcess(pid: number): ProcessRow | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The second field is the program's name in parentheses, and may hold spaces and parentheses itself.
  const [state, parent, group, session, terminal, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    terminal: terminal !== '0',
    started: Number(rest[14]),
    zombie: state === 'Z' || state === 'X',
  };
}

/**
 * The processes of an environment: its process group, its session, and their descendants.
 *
 * @param leader - pid of the runtime's process, which leads group and session
 */
export function processesOf(table: readonly ProcessRow[], leader: number): ProcessRow[] {
  const members = new Set<number>([leader]);
  for (const row of table) if (row.group === leader || row.session === leader) members.add(row.pid);
  for (let before = -1; before !== members.size; ) {
    before = members.size;
    for (const row of table) if (members.has(row.parent)) members.add(row.pid);
  }
  return table.filter((row) => members.has(row.pid));
}

/**
 * The name of the folder below `parent` in which a process is at work: it runs a program from there, stands in it, or
 * has a path of it in its environment or arguments. That finds the daemons that left their group, session and parents.
 * A process with a terminal is somebody's who looks around there; functions have none.
 *
 * @returns undefined for a process that has nothing to do with `parent`, and for this one
 */
export function folderAtWork({ pid, terminal }: ProcessRow, parent: string): string | undefined {
  if (pid === process.pid || terminal) return undefined;
  const traces = [
    () => readlinkSync(`/proc/${pid}/cwd`),
    () => readlinkSync(`/proc/${pid}/exe`),
    () => readFileSync(`/proc/${pid}/environ`, 'latin1'),
    () => readFileSync(`/proc/${pid}/cmdline`, 'latin1'),
  ];
  for (const trace of traces) {
    try {
      const text = trace();
      const at = text.indexOf(`${parent}/`);
      if (at !== -1) return /^[^/\0 ]*/.exec(text.slice(at + parent.length + 1))?.[0];
    } catch {
      // Somebody else's process, or gone.
    }
  }
  return undefined;
}

/** Kills one process; that it is gone already, or not ours, is no error. */
export function killQuietly(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone in between, or not ours.
  }
}

/** The children that a process's main thread has forked (proc_pid_task(5)); none where the kernel does not tell. */
export function readChildren(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/**
 * Stops the descendants of a stopped process group that have left it, and gives them back. Whoever has a signal pending forks
 * no more (copy_process, kernel/fork.c), so that none is missed that a main thread has forked.
 */
export function stopThoseWhoLeft(leader: number): ProcessRow[] {
  const stopped: ProcessRow[] = [];
  const found = new Set([leader]);
  // A set's iterator visits what is added meanwhile.
  for (const pid of found) {
    for (const child of readChildren(pid)) {
      const row = readProcess(child);
      if (!row || row.zombie) continue;
      if (row.group !== leader) {
        killQuietly(child, 'SIGSTOP');
        stopped.push(row);
      }
      found.add(child);
    }
  }
  return stopped;
}

/** Whether it still runs: its number alone may be somebody else's by now. */
export function lives({ pid, started }: ProcessRow): boolean {
  return readProcess(pid)?.started === started;
}

/** Memory of one process in bytes (proc_pid_statm(5)): what is its own, and what it maps from files or shares. */
export function readMemory(pid: number): { own: number; shared: number } | undefined {
  try {
    const [, resident, shared] = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ');
    const pages = Number(shared);
    return { own: (Number(resident) - pages) * PAGE_BYTES, shared: pages * PAGE_BYTES };
  } catch {
    return undefined;
  }
}

/**
 * What only the end of a process gives back, in bytes (proc_pid_status(5)). By that the kernel takes its victim for lack of
 * memory (oom_badness, mm/oom_kill.c): pages of files count there too, but were taken back before it came to that.
 */
export function readUnreclaimableBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return [...status.matchAll(/^(?:RssAnon|RssShmem|VmSwap):\s*(\d+) kB$/gm)].reduce(
      (sum, [, kibibytes]) => sum + Number(kibibytes) * 1024,
      0,
    );
  } catch {
    return 0;
  }
}

/** The page size of Linux on x86-64, and of nearly every arm64 kernel. */
const PAGE_BYTES = 4096;
