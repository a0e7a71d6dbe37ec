import type { OutputTail } from '../../src/contract/index.js';
import { formatBytes } from '../../src/util/format-bytes.js';
import { Failure } from '../failure.js';

/** What is known about a container that has ended, and about its surroundings at that moment. */
export interface EndFacts {
  /** The program, for messages. */
  program: string;
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: OutputTail;
  stderr: OutputTail;
  /** Evidence that a process was killed for the memory that it used. */
  ranOutOfMemory: boolean;
  /** The function's memory, and the most that the container was seen to hold. */
  memoryBytes: number | undefined;
  peakBytes: number;
  /** What `/tmp` had left. */
  freeBytes: number;
}

/** Less than this left in `/tmp` counts as full: file systems keep some blocks back. */
const FULL_BELOW_BYTES = 256 * 1024;

/** strerror(ENOSPC), as every libc words it; programs print it when a write fails, and may then clean up. */
const DISK_FULL_TEXT = 'No space left on device';

/** Exit codes of the runner's own failures: it then writes one line to standard error and nothing else. */
const RUNNER_FAILURES: Readonly<Record<number, string>> = {
  125: 'the runner failed',
  126: 'it cannot be executed',
  127: 'the image has no such program',
};
const RUNNER_LINE = /^inroot: ([^\n]*)\n?$/;

/** What a shell answers when SIGKILL ended the program that it waited for (POSIX sh: 128 + signal). */
const KILLED_BEHIND_SHELL = 128 + 9;

const UNEXPLAINED_KILL = "Nothing here sent it: perhaps the memory ran out unseen; then raise the function's memory";

/** Why a container failed, from how it ended; undefined if it succeeded. */
export function causeOfEnd(facts: EndFacts): Failure | undefined {
  const { program, exitCode, signal, stderr } = facts;
  if (exitCode === 0) return undefined;
  const runnerLine = facts.stdout.bytes === 0 ? RUNNER_LINE.exec(stderr.text)?.[1] : undefined;
  const runnerFailure = exitCode === null ? undefined : RUNNER_FAILURES[exitCode];
  if (runnerLine !== undefined && runnerFailure !== undefined) {
    return new Failure('not-started', `${program} could not be started: ${runnerFailure} (${runnerLine})`);
  }
  const killed = signal === 'SIGKILL' || exitCode === KILLED_BEHIND_SHELL;
  if (killed && facts.ranOutOfMemory) return new Failure('out-of-memory', describeMemory(facts));
  if (facts.freeBytes < FULL_BELOW_BYTES || stderr.text.includes(DISK_FULL_TEXT)) {
    return new Failure(
      'no-space',
      `${program} ended with ${describeEnd(facts)} when /tmp was full (${formatBytes(facts.freeBytes)} left). ` +
        "Raise the function's ephemeral storage",
    );
  }
  if (signal !== null) {
    const hint = killed ? `. ${UNEXPLAINED_KILL}` : '';
    return new Failure('signal', `${program} was ended by ${signal}${hint}`);
  }
  if (killed) {
    return new Failure(
      'exit',
      `${program} ended with ${describeEnd(facts)}: a program that it ran was killed. ${UNEXPLAINED_KILL}`,
    );
  }
  return new Failure('exit', `${program} ended with ${describeEnd(facts)}; its output says why`);
}

function describeEnd({ exitCode, signal }: EndFacts): string {
  return signal ?? `exit code ${exitCode}`;
}

function describeMemory({ program, memoryBytes, peakBytes }: EndFacts): string {
  const limit =
    memoryBytes === undefined ? 'the memory there is' : `the function's ${formatBytes(memoryBytes)} of memory`;
  const peak = peakBytes > 0 ? `; it was last seen with ${formatBytes(peakBytes)}` : '';
  return `${program} was killed because ${limit} ran out${peak}. Raise the function's memory`;
}
