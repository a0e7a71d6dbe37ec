import { readFileSync } from 'node:fs';

/**
 * Names this process so that no later one is taken for it: `<pid>-<start time>`. The start time is in clock ticks since
 * boot, field 22 of /proc/<pid>/stat (proc(5)); pids alone are used again.
 */
export function processIdentity(pid: number = process.pid): string {
  return `${pid}-${startTime(pid) ?? 0}`;
}

/** Whether the process of that identity still runs. What is no identity is not alive. */
export function isProcessAlive(identity: string): boolean {
  const match = /^(\d+)-(\d+)$/.exec(identity);
  if (!match) return false;
  return startTime(Number(match[1])) === match[2];
}

function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field, the program's name in parentheses, may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const state = fields[0];
    return state === 'Z' || state === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
