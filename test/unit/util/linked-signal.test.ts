import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { linkSignals } from '../../../src/util/linked-signal.js';

const warnings: string[] = [];
const warn = ({ message }: Error) => void warnings.push(message);
beforeEach(() => {
  warnings.length = 0;
  process.on('warning', warn);
});
afterEach(() => void process.off('warning', warn));

describe('linkSignals', () => {
  it('lets any number of calls share a signal, which all follow it', async () => {
    const caller = new AbortController();
    const links = Array.from({ length: 50 }, () => linkSignals(caller.signal));
    // Node tells warnings in the next tick.
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
    const reason = new Error('enough');
    caller.abort(reason);
    expect(links.map(({ signal }) => signal.reason)).toEqual(links.map(() => reason));
  });

  it('lets go of it', () => {
    const caller = new AbortController();
    const links = Array.from({ length: 50 }, () => linkSignals(caller.signal));
    for (const link of links) link.release();
    expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
    caller.abort();
    expect(links.some(({ signal }) => signal.aborted)).toBe(false);
  });
});
