import type { Writable } from 'node:stream';
import { SingleBar } from 'cli-progress';
import { formatBytes } from '../util/format-bytes.js';

/** The state that is drawn: a run's `progress` event has it. */
export interface DrawnProgress {
  listed: number;
  total: number | undefined;
  done: number;
  failed: number;
  running: number;
  queued: number;
  throttles: number;
  bytes: number;
  etaMs: number | undefined;
  costUsd: number;
  withoutBill: number;
}

/** What draws itself: a `MapRun`. */
export interface DrawnRun {
  on(event: 'progress', listener: (progress: DrawnProgress) => void): unknown;
  once(event: 'end', listener: () => void): unknown;
}

export interface TerminalProgressOptions {
  /** What stands before the bar. Default: nothing. */
  label?: string;
  /** Where it is drawn. Default: standard error, so that results can go to standard output. */
  stream?: NodeJS.WriteStream | Writable;
}

/** Where nobody sees a line being redrawn: a line this often, in ms. */
const LINE_MS = 10_000;

/**
 * Draws a run as a bar that follows it until its end; where there is no terminal, as a line every ten seconds. Until all objects are
 * listed, the bar is of those listed so far.
 *
 * @example
 * const run = scar.mapOverBucket('gray', { bucket: 'photos' });
 * terminalProgress(run, { label: 'gray' });
 * for await (const item of run) if (item.status === 'failed') failures.push(item);
 */
export function terminalProgress(
  run: DrawnRun,
  { label = '', stream = process.stderr }: TerminalProgressOptions = {},
): void {
  const format = `${label}${label && ' '}{bar} {state}`;
  const bar = new SingleBar({
    format,
    stream: stream as NodeJS.WritableStream,
    barsize: 24,
    fps: 10,
    // A hidden cursor would need a listener to SIGINT to come back, and with one Ctrl-C would not end the process any more.
    hideCursor: false,
    gracefulExit: false,
    noTTYOutput: true,
    notTTYSchedule: LINE_MS,
    emptyOnZero: true,
    barCompleteChar: '█',
    barIncompleteChar: '░',
  });
  let last: DrawnProgress | undefined;
  run.on('progress', (progress) => {
    const total = Math.max(1, progress.total ?? progress.listed);
    const state = { state: describeProgress(progress) };
    if (last === undefined) bar.start(total, progress.done, state);
    else {
      bar.setTotal(total);
      bar.update(progress.done, state);
    }
    last = progress;
  });
  run.once('end', () => {
    if (last !== undefined) bar.stop();
  });
}

/**
 * Says in one line how far a run is, for what is no terminal: what has a number, and nothing that is zero and means nothing.
 *
 * @example
 * run.on('progress', (progress) => display.text(describeProgress(progress))); // display = tslab.newDisplay(), in a notebook
 */
export function describeProgress(progress: DrawnProgress): string {
  const { done, listed, total, failed, running, queued, throttles, bytes, etaMs, costUsd, withoutBill } = progress;
  const parts = [`${count(done)}/${count(total ?? listed)}${total === undefined ? ' listed so far' : ''}`];
  if (failed > 0) parts.push(`${count(failed)} failed`);
  if (running > 0) parts.push(`${count(running)} running`);
  if (queued > 0) parts.push(`${count(queued)} queued`);
  if (throttles > 0) parts.push(`${count(throttles)} throttles`);
  if (bytes > 0) parts.push(formatBytes(bytes));
  if (etaMs !== undefined && done < (total ?? listed)) parts.push(`${formatDuration(etaMs)} left`);
  const cost = `$${costUsd < 0.01 ? costUsd.toPrecision(2) : costUsd.toFixed(2)}`;
  if (withoutBill === 0) parts.push(cost);
  else if (costUsd > 0) parts.push(`more than ${cost}`);
  return parts.join(' · ');
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}

/** `9 s`, `4 min 12 s`, `2 h 5 min`. */
export function formatDuration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
