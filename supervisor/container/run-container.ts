import type { Readable, Writable } from 'node:stream';
import type { OutputTail } from '../../src/contract/index.js';
import type { Budget } from '../budget.js';
import { Failure } from '../failure.js';
import { causeOfEnd } from './cause.js';
import type { Launcher } from './launcher.js';
import { watchMemory } from './memory.js';
import { forwardOutput } from './output.js';
import { type ContainerProcesses, kill, NewProcesses } from './processes.js';
import type { HostCommand } from './runner.js';

/** How long the outputs may stay open once no process of the container is left to write to them, in ms. */
const DRAIN_MS = 1_000;

/** How a container ended. `failure` is the first cause, unless it succeeded. */
export interface ContainerEnd {
  /** Null if the program never started, or a signal ended it. */
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: OutputTail;
  stderr: OutputTail;
  failure?: Failure;
}

/** What a container runs in. */
export interface Surroundings {
  budget: Budget;
  launcher: Launcher;
  /** Gets both outputs, in whole lines. */
  log: Writable;
  processes: ContainerProcesses;
  /** The function's memory, in bytes. */
  memoryBytes: number | undefined;
  /** Files that count the processes that were killed for memory. */
  killCounters: readonly string[];
  /** What `/tmp` has left, in bytes. */
  freeBytes(): number;
}

/**
 * Runs one container to its end: streams its output to the log, stops it when its time is up (SIGTERM, then SIGKILL), and
 * leaves no process of it behind: as in `docker run`, all of them end with the first one.
 *
 * @param program - names it in messages
 * @throws Failure `not-started` if the runner itself cannot be started
 */
export async function runContainer(
  command: HostCommand,
  program: string,
  surroundings: Surroundings,
): Promise<ContainerEnd> {
  const { processes, log, memoryBytes, killCounters } = surroundings;
  const memory = watchMemory(processes, memoryBytes, killCounters);
  const started = new NewProcesses();
  const { pid, stdout, stderr, exited } = await surroundings.launcher.launch(command);
  const forwarded = Promise.all([forwardOutput(stdout, log), forwardOutput(stderr, log)]);
  forwarded.catch(() => {}); // looked at when the container has ended
  const stop = stopInTime(pid, surroundings);
  try {
    const { exitCode, signal, failure: lost } = await exited;
    // Of one that succeeded nobody asks.
    const ranOutOfMemory = exitCode !== 0 && memory.ranOut();
    // Its launcher has ended its group, and it has waited for it.
    if (lost) kill(-pid, 'SIGKILL');
    const others = started.since(pid);
    await killLeftovers(processes, log, lost ? others : others.filter((other) => other !== pid));
    const [out, err] = await drained(forwarded, [stdout, stderr]);
    const end: ContainerEnd = { exitCode, signal, stdout: out, stderr: err };
    const peakBytes = memory.peakBytes();
    const freeBytes = surroundings.freeBytes();
    const facts = { ...end, program, ranOutOfMemory, memoryBytes, peakBytes, freeBytes };
    const failure = stop.reason() ?? lost ?? causeOfEnd(facts);
    if (!failure) return end;
    return { ...end, exitCode: failure.reason === 'not-started' ? null : exitCode, failure };
  } finally {
    stop.cancel();
    memory.stop();
  }
}

/** Ends the container when its time is up, first politely; `reason` then tells. */
function stopInTime(pid: number, { budget, processes, log, launcher }: Surroundings) {
  let reason: Failure | undefined;
  let timer = setTimeout(
    () => {
      reason = new Failure(
        'timeout',
        "The container was stopped because the function's time ran out. Raise its timeout, or its memory, which brings more CPU",
      );
      kill(-pid, 'SIGTERM');
      timer = setTimeout(() => {
        launcher.wake();
        kill(-pid, 'SIGKILL');
        void killLeftovers(processes, log);
      }, budget.killGraceMs);
    },
    Math.max(0, budget.containerEnd - performance.now()),
  );
  return { reason: () => reason, cancel: () => clearTimeout(timer) };
}

async function killLeftovers(processes: ContainerProcesses, log: Writable, among?: readonly number[]): Promise<void> {
  const survivors = await processes.killAll(among);
  if (survivors.length > 0) log.write(`scar: processes ${survivors.join(', ')} of the container cannot be killed\n`);
}

/** The ends of both outputs; what a process that could not be killed keeps open is closed. */
async function drained(
  forwarded: Promise<[OutputTail, OutputTail]>,
  outputs: readonly Readable[],
): Promise<[OutputTail, OutputTail]> {
  const timer = setTimeout(() => {
    for (const output of outputs) output.destroy();
  }, DRAIN_MS);
  try {
    return await forwarded;
  } finally {
    clearTimeout(timer);
  }
}
