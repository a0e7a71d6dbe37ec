import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { encodeRequest, exitOf, REPORT, ReportReader } from '../../../../supervisor/container/launcher-protocol.js';

/** A report as the launcher writes it. */
function report(kind: number, value: number, bytes = ''): Buffer {
  return Buffer.concat([Buffer.from(new Uint32Array([kind, value]).buffer), Buffer.from(bytes)]);
}

/** What is told of bytes that come in these pieces; the pieces of an output are joined. */
function told(pieces: readonly Buffer[]): string[] {
  const lines: string[] = [];
  const reader = new ReportReader({
    report: (kind, value) => lines.push(`${kind} ${value} `),
    bytes: (kind, bytes) => {
      expect(bytes.length).toBeGreaterThan(0);
      expect(lines.at(-1)).toMatch(new RegExp(`^${kind} `));
      lines.push(`${lines.pop()}${bytes}`);
    },
  });
  for (const piece of pieces) reader.push(piece);
  return lines;
}

describe('what the launcher tells', () => {
  const all = Buffer.concat([
    report(REPORT.started, 4_000_000_000),
    report(REPORT.stdout, 9, 'some text'),
    report(REPORT.stderr, 1, '!'),
    report(REPORT.ended, 256),
    report(REPORT.stdout, 3, 'end'),
    report(REPORT.stdout, 0),
    report(REPORT.stderr, 0),
  ]);
  const expected = ['0 4000000000 ', '3 9 some text', '4 1 !', '2 256 ', '3 3 end', '3 0 ', '4 0 '];

  it('is the same in one piece, and in two wherever it breaks', () => {
    expect(told([all])).toEqual(expected);
    for (let at = 0; at <= all.length; at++) expect(told([all.subarray(0, at), all.subarray(at)])).toEqual(expected);
  });

  it('is the same in pieces of whatever size', () => {
    for (let size = 1; size < 20; size++) {
      const count = Math.ceil(all.length / size);
      const pieces = Array.from({ length: count }, (_, n) => all.subarray(n * size, (n + 1) * size));
      expect(told(pieces)).toEqual(expected);
    }
  });
});

it('is asked for strings, which are counted', () => {
  const request = encodeRequest({ file: '/p', args: ['', 'ö'], environment: { A: '', B: 'x=y' } });
  expect([0, 4, 8].map((at) => request.readUInt32LE(at))).toEqual([request.length - 12, 3, 2]);
  expect(request.toString('utf8', 12)).toBe('/p\0\0ö\0A=\0B=x=y\0');
});

describe('a status of wait(2)', () => {
  it('has an exit code, or a signal with or without a core', () => {
    expect(exitOf(0)).toEqual({ exitCode: 0, signal: null });
    expect(exitOf(255 << 8)).toEqual({ exitCode: 255, signal: null });
    expect(exitOf(9)).toEqual({ exitCode: null, signal: 'SIGKILL' });
    expect(exitOf(0x80 | 11)).toEqual({ exitCode: null, signal: 'SIGSEGV' });
    expect(exitOf(64)).toEqual({ exitCode: null, signal: 'SIG64' });
  });

  it('names every signal as Node does', () => {
    for (let number = 1; number < 32; number++) {
      const { signal } = exitOf(number);
      expect(constants.signals[signal as NodeJS.Signals], `signal ${number}`).toBe(number);
    }
  });
});
