import { PassThrough, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { sleep } from '../../../../src/util/sleep.js';
import { forwardOutput, LineBuffer, TAIL_BYTES, TailBuffer } from '../../../../supervisor/container/output.js';

/** A log that keeps what it gets, and can be made to wait. */
class SlowLog extends Writable {
  readonly writes: string[] = [];
  readonly #delayMs: number;

  constructor(delayMs = 0) {
    super({ highWaterMark: 1 });
    this.#delayMs = delayMs;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(chunk.toString('latin1'));
    setTimeout(done, this.#delayMs);
  }
}

describe('forwardOutput', () => {
  it('passes lines on as they appear, and the last one without its newline', async () => {
    const [output, log] = [new PassThrough(), new SlowLog()];
    const tail = forwardOutput(output, log);
    output.write('one\ntw');
    await sleep(10);
    expect(log.writes).toEqual(['one\n']);
    output.write('o\n');
    await sleep(10);
    expect(log.writes).toEqual(['one\n', 'two\n']);
    output.end('rest');
    expect(await tail).toEqual({ text: 'one\ntwo\nrest', bytes: 12 });
    expect(log.writes).toEqual(['one\n', 'two\n', 'rest\n']);
  });

  it('never mixes two outputs within a line', async () => {
    const [out, err, log] = [new PassThrough(), new PassThrough(), new SlowLog()];
    const tails = Promise.all([forwardOutput(out, log), forwardOutput(err, log)]);
    for (let i = 0; i < 50; i++) {
      out.write('oo');
      err.write('ee');
      await sleep(0);
      out.write('oo\n');
      err.write('ee\n');
    }
    out.end();
    err.end();
    await tails;
    const lines = log.writes.join('').trimEnd().split('\n');
    expect(lines).toHaveLength(100);
    expect(new Set(lines)).toEqual(new Set(['oooo', 'eeee']));
  });

  it('waits while the log is full, so that nothing piles up', async () => {
    const [output, log] = [new PassThrough({ highWaterMark: 16 }), new SlowLog(5)];
    const tail = forwardOutput(output, log);
    let written = 0;
    while (output.write('0123456789abcde\n') && written < 1_000) written++;
    expect(written).toBeLessThan(10);
    output.end();
    await tail;
  });

  it('ends with what came when the stream is closed from outside', async () => {
    const [output, log] = [new PassThrough(), new SlowLog()];
    const tail = forwardOutput(output, log);
    output.write('half');
    await sleep(5);
    output.destroy();
    expect(await tail).toEqual({ text: 'half', bytes: 4 });
  });

  it('leaves bytes as they are', async () => {
    const [output, log] = [new PassThrough(), new SlowLog()];
    const tail = forwardOutput(output, log);
    output.end(Buffer.from([0xff, 0x00, 0xc3, 0x0a]));
    await tail;
    expect(log.writes).toEqual(['\xff\x00\xc3\n']);
  });
});

describe('LineBuffer', () => {
  it('cuts a line that is too long instead of keeping it', () => {
    const lines = new LineBuffer(10);
    expect(lines.push(Buffer.from('12345')).toString()).toBe('');
    expect(lines.push(Buffer.from('6789012')).toString()).toBe('123456789012\n');
    expect(lines.push(Buffer.from('3\n4')).toString()).toBe('3\n');
    expect(lines.end().toString()).toBe('4\n');
    expect(lines.end().toString()).toBe('');
  });
});

describe('TailBuffer', () => {
  it('keeps the end and counts all', () => {
    const tail = new TailBuffer(8);
    for (let i = 0; i < 1_000; i++) tail.push(Buffer.from(String(i % 10)));
    expect(tail.toOutputTail()).toEqual({ text: '23456789', bytes: 1_000 });
  });

  it('keeps the end of one large chunk', () => {
    const tail = new TailBuffer(TAIL_BYTES);
    tail.push(Buffer.alloc(10 * TAIL_BYTES, 'a'));
    tail.push(Buffer.from('b'));
    const { text, bytes } = tail.toOutputTail();
    expect(text).toBe(`${'a'.repeat(TAIL_BYTES - 1)}b`);
    expect(bytes).toBe(10 * TAIL_BYTES + 1);
  });

  it('never begins within a character', () => {
    const tail = new TailBuffer(4);
    tail.push(Buffer.from('aüöä'));
    expect(tail.toOutputTail()).toEqual({ text: 'öä', bytes: 7 });
    tail.push(Buffer.from('b'));
    expect(tail.toOutputTail().text).toBe('äb');
  });
});
