import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isProcessAlive, processIdentity } from './process-identity.js';
import { sleep } from './sleep.js';

/** How often a waiting process looks again, in ms: holders keep the lock for seconds. */
const POLL_MS = 20;

let sequence = 0;

/**
 * Holds a lock, across processes, while `action` runs. The lock is a file with its holder's identity in it, made whole by
 * link(2), which fails if it exists; that of a process that was killed is taken over.
 *
 * @throws the signal's reason when it aborts while waiting
 */
export async function withFileLock<T>(file: string, action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  while (!tryLock(file)) await sleep(POLL_MS, signal);
  try {
    return await action();
  } finally {
    rmSync(file, { force: true });
  }
}

/**
 * Takes a lock for as long as the process wants, without waiting. Returns what lets go of it, or undefined when another
 * process that is alive holds it.
 */
export function tryFileLock(file: string): (() => void) | undefined {
  return tryLock(file) ? () => rmSync(file, { force: true }) : undefined;
}

function tryLock(file: string): boolean {
  const own = `${file}.${processIdentity()}.${sequence++}`;
  writeFileSync(own, processIdentity());
  try {
    if (linked(own, file)) return true;
    const holder = readHolder(file);
    if (holder === undefined || isProcessAlive(holder)) return false;
    discardStale(file, own, holder);
    return linked(own, file);
  } finally {
    rmSync(own, { force: true });
  }
}

/**
 * Removes the lock of a dead holder. Between reading and renaming, another process may have done so and locked anew:
 * then what was renamed is its lock, and goes back.
 */
function discardStale(file: string, own: string, holder: string): void {
  const aside = `${own}.stale`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (readHolder(aside) !== holder) linked(aside, file);
  rmSync(aside, { force: true });
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
