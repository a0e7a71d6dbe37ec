import { describe, expect, it } from 'vitest';
import { LogReader } from '../../../src/client/log/log-event.js';
import { parsePlatformLine, parseReport } from '../../../src/client/report-line.js';

const requestId = '0191e5e0-1111-7222-8333-444455556666';
const json = (type: string, record: object) => JSON.stringify({ time: '2026-11-28T10:00:00.000Z', type, record });
const metrics = { durationMs: 12.5, billedDurationMs: 113, memorySizeMB: 512, maxMemoryUsedMB: 90 };
const facts = 'Duration: 12.50 ms\tBilled Duration: 113 ms\tMemory Size: 512 MB\tMax Memory Used: 90 MB\t';
const report = { requestId, durationMs: 12.5, billedMs: 113, memoryMiB: 512, maxMemoryMiB: 90 };

describe('lines of Lambda itself', () => {
  const lines: [string, ReturnType<typeof parsePlatformLine>][] = [
    [
      'INIT_START Runtime Version: nodejs:22.v80\tRuntime Version ARN: arn:aws:lambda:eu-west-1::runtime:abc',
      { type: 'init-start', runtimeVersion: 'nodejs:22.v80' },
    ],
    [`START RequestId: ${requestId} Version: $LATEST`, { type: 'start', requestId, version: '$LATEST' }],
    [`END RequestId: ${requestId}`, { type: 'end', requestId }],
    [`REPORT RequestId: ${requestId}\t${facts}`, { type: 'report', requestId, report }],
    [
      `REPORT RequestId: ${requestId}\t${facts}Init Duration: 99.10 ms\t\nXRAY TraceId: 1-2\tSegmentId: 3`,
      { type: 'report', requestId, report: { ...report, initMs: 99.1 } },
    ],
    [
      `REPORT RequestId: ${requestId}\t${facts}Status: error\tError Type: Runtime.ExitError`,
      { type: 'report', requestId, report: { ...report, status: 'error', errorType: 'Runtime.ExitError' } },
    ],
    [
      json('platform.initStart', { initializationType: 'on-demand', runtimeVersion: 'nodejs:22.v80' }),
      { type: 'init-start', runtimeVersion: 'nodejs:22.v80' },
    ],
    [json('platform.start', { requestId, version: '$LATEST' }), { type: 'start', requestId, version: '$LATEST' }],
    [
      json('platform.report', { requestId, metrics: { ...metrics, initDurationMs: 99.1 }, status: 'success' }),
      { type: 'report', requestId, report: { ...report, initMs: 99.1, status: 'success' } },
    ],
    [
      json('platform.report', { requestId, metrics, status: 'timeout', errorType: 'Sandbox.Timedout' }),
      { type: 'report', requestId, report: { ...report, status: 'timeout', errorType: 'Sandbox.Timedout' } },
    ],
  ];
  it.each(lines)('%s', (line, expected) => {
    expect(parsePlatformLine(line)).toEqual(expected);
  });

  it.each([
    ['STARTED', 'started'],
    ['a broken object', '{"type":"platform.report","record":'],
    ['an object of something else', json('platform.runtimeDone', { requestId })],
    ['a report without measures', json('platform.report', { requestId })],
    ['a record that is none', '{"type":"platform.start","record":null}'],
    ['a report within a line', `I saw REPORT RequestId: ${requestId}\t${facts}`],
  ])('nothing for %s', (_, line) => {
    expect(parsePlatformLine(line)).toBeUndefined();
  });

  it('are found in the tail of a result, as text and as JSON', () => {
    expect(parseReport(`hello\nEND RequestId: ${requestId}\nREPORT RequestId: ${requestId}\t${facts}\n`)).toEqual(
      report,
    );
    expect(parseReport(`{"a":1}\n${json('platform.report', { requestId, metrics })}\n`)).toEqual(report);
    expect(parseReport('nothing')).toBeUndefined();
  });
});

describe('whose a line is', () => {
  const reader = (lines: string[]) => {
    const read = new LogReader();
    return lines.map((message, n) => read.read({ id: `${n}`, timestamp: n, stream: 's', message }).requestId);
  };
  const other = '0191e5e0-9999-7222-8333-444455556666';

  it('is what lies between START and END, whatever it says itself', () => {
    const lines = [
      'before',
      `START RequestId: ${requestId} Version: $LATEST`,
      `2026-11-28T10:00:00.000Z\t${other}\tINFO\tprinted by a container`,
      `{"requestId":"${other}"}`,
      `END RequestId: ${requestId}`,
      'between',
      `REPORT RequestId: ${requestId}\t${facts}`,
      `2026-11-28T10:00:00.000Z ${other} Task timed out after 3.00 seconds`,
    ];
    const own = requestId;
    expect(reader(lines)).toEqual([undefined, own, own, own, own, undefined, own, other]);
  });

  it('is told by the records of a log in JSON, which has no END', () => {
    const lines = [
      json('platform.initStart', { runtimeVersion: 'nodejs:22.v80' }),
      json('platform.start', { requestId, version: '$LATEST' }),
      'output of a container',
      json('platform.report', { requestId, metrics }),
      'after',
      `{"level":"INFO","requestId":"${other}","message":"hello"}`,
    ];
    expect(reader(lines)).toEqual([undefined, requestId, requestId, requestId, undefined, other]);
  });

  it('is nobody in an environment that begins anew', () => {
    const killed = [`START RequestId: ${requestId} Version: $LATEST`, 'INIT_START Runtime Version: nodejs:22', 'x'];
    expect(reader(killed)).toEqual([requestId, undefined, undefined]);
  });
});
