import { Writable } from 'node:stream';
import { EventEmitter } from 'eventemitter3';
import { afterEach, beforeEach, describe, expect, expectTypeOf, it, vi } from 'vitest';
import type { MapRun } from '../../../src/client/map/run.js';
import {
  type DrawnProgress,
  type DrawnRun,
  describeProgress,
  formatDuration,
  terminalProgress,
} from '../../../src/report/terminal-progress.js';

const START: DrawnProgress = {
  listed: 1_000,
  total: undefined,
  done: 1,
  failed: 0,
  running: 64,
  queued: 0,
  throttles: 0,
  bytes: 0,
  etaMs: undefined,
  costUsd: 0.00001234,
  withoutBill: 0,
};

/** A run that the test moves on, and what is written to its stream. */
function drawn(terminal: boolean) {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  // What a terminal has, and cli-progress asks it for.
  if (terminal) Object.assign(stream, { isTTY: true, columns: 200 });
  const run = new EventEmitter();
  terminalProgress(run as DrawnRun, { label: 'gray', stream });
  const progress = (more: Partial<DrawnProgress>) => run.emit('progress', { ...START, ...more });
  return { run, progress, text: () => text };
}

describe('terminalProgress', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('draws a bar that ends full, and leaves Ctrl-C alone', () => {
    const { run, progress, text } = drawn(true);
    progress({});
    expect(process.listenerCount('SIGINT')).toBe(0);
    expect(text()).toContain('gray ░░░░░░░░░░░░░░░░░░░░░░░░ 1/1,000 listed so far · 64 running · $0.000012');
    progress({
      listed: 2_500,
      total: 2_500,
      done: 1_250,
      failed: 3,
      etaMs: 65_000,
      bytes: 3 * 1024 ** 2,
      costUsd: 1.5,
    });
    vi.advanceTimersByTime(1_000);
    expect(text()).toContain(
      'gray ████████████░░░░░░░░░░░░ 1,250/2,500 · 3 failed · 64 running · 3.0 MiB · 1 min 5 s left · $1.50',
    );
    progress({ listed: 2_500, total: 2_500, done: 2_500, running: 0, etaMs: 0 });
    run.emit('end');
    expect(text()).not.toContain('\x1b[?25l');
    expect(text()).toContain(`gray ${'█'.repeat(24)} 2,500/2,500 · $0.000012`);
    expect(process.listenerCount('SIGINT')).toBe(0);
  });

  it('writes a line now and then where there is no terminal', () => {
    const { run, progress, text } = drawn(false);
    progress({});
    for (let done = 2; done < 100; done++) {
      progress({ done });
      vi.advanceTimersByTime(500);
    }
    run.emit('end');
    const lines = text().trim().split('\n');
    expect(lines.length).toBeGreaterThan(4);
    expect(lines.length).toBeLessThan(8);
    expect(text()).not.toContain('\x1b');
  });

  it('draws nothing for a run that ends before it began', () => {
    const { run, text } = drawn(true);
    run.emit('end');
    expect(text()).toBe('');
  });

  it('takes a run', () => {
    expectTypeOf<MapRun>().toExtend<DrawnRun>();
  });
});

describe('describeProgress', () => {
  it('leaves out what is zero', () => {
    expect(describeProgress({ ...START, listed: 5, total: 5, done: 5, running: 0, costUsd: 0 })).toBe('5/5 · $0.0');
    expect(describeProgress({ ...START, queued: 7, throttles: 12 })).toContain(' · 7 queued · 12 throttles · ');
  });

  it('does not take what is known of a bill for all of it', () => {
    expect(describeProgress({ ...START, costUsd: 1.5, withoutBill: 3 })).toMatch(/ · more than \$1\.50$/);
    expect(describeProgress({ ...START, costUsd: 0, withoutBill: 3 })).not.toContain('$');
  });

  it.each([
    [200, '1 s'],
    [59_001, '1 min 0 s'],
    [252_000, '4 min 12 s'],
    [7_500_000, '2 h 5 min'],
  ])('tells %d ms as %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
});
