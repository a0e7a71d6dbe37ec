import { describe, expect, it } from 'vitest';
import { Fifo } from '../../../src/util/fifo.js';

describe('Fifo', () => {
  it('gives what came first, also across the moves of what is left', () => {
    const fifo = new Fifo<number>();
    let [pushed, taken] = [0, 0];
    for (let round = 0; round < 50; round++) {
      for (let n = 0; n < 100; n++) fifo.push(pushed++);
      for (let n = 0; n < 90; n++) expect(fifo.shift()).toBe(taken++);
      expect(fifo.length).toBe(pushed - taken);
    }
    while (fifo.length > 0) {
      expect(fifo.first).toBe(taken);
      expect(fifo.shift()).toBe(taken++);
    }
    expect(taken).toBe(pushed);
    expect([fifo.first, fifo.shift(), fifo.length]).toEqual([undefined, undefined, 0]);
  });
});
