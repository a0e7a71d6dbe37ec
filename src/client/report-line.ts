/** What Lambda says of an invocation in the last line of its log. Times in ms. */
export interface InvocationReport {
  requestId: string;
  durationMs: number;
  /** What is paid for. */
  billedMs: number;
  memoryMiB: number;
  maxMemoryMiB: number;
  /** Only for an environment's first invocation. */
  initMs?: number;
}

const REPORT = /REPORT RequestId: (\S+)([^\n]*)/;

/**
 * Parses `REPORT RequestId: ... Duration: 3.4 ms Billed Duration: 4 ms Memory Size: 128 MB Max Memory Used: 40 MB Init
 * Duration: 180 ms` (https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html), wherever in the text it is.
 */
export function parseReport(text: string): InvocationReport | undefined {
  const match = REPORT.exec(text);
  if (!match) return undefined;
  const [, requestId = '', rest = ''] = match;
  const durationMs = field(rest, DURATION);
  const billedMs = field(rest, BILLED);
  if (durationMs === undefined || billedMs === undefined) return undefined;
  const initMs = field(rest, INIT);
  return {
    requestId,
    durationMs,
    billedMs,
    memoryMiB: field(rest, MEMORY) ?? 0,
    maxMemoryMiB: field(rest, MAX_MEMORY) ?? 0,
    ...(initMs !== undefined && { initMs }),
  };
}

const DURATION = /(?<!Billed |Init |Restore )Duration: ([\d.]+) ms/;
const BILLED = /Billed Duration: ([\d.]+) ms/;
const MEMORY = /Memory Size: (\d+) MB/;
const MAX_MEMORY = /Max Memory Used: (\d+) MB/;
const INIT = /Init Duration: ([\d.]+) ms/;

function field(text: string, pattern: RegExp): number | undefined {
  const value = pattern.exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}
