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
  /** How it ended, where Lambda says so: `success`, `failure`, `error`, `timeout`. Lines of text say only what is no success. */
  status?: string;
  /** The kind of error, e.g. `Runtime.ExitError`. */
  errorType?: string;
}

/** A line of Lambda itself in a log, as text or, where the function logs in JSON, as an object. */
export type PlatformRecord =
  | { type: 'init-start'; runtimeVersion: string }
  | { type: 'start'; requestId: string; version: string }
  | { type: 'end'; requestId: string }
  | { type: 'report'; requestId: string; report: InvocationReport };

const REPORT = /REPORT RequestId: (\S+)([^\n]*)/;
const JSON_REPORT = /\{[^\n]*"platform\.report"[^\n]*\}/;

/**
 * Parses `REPORT RequestId: ... Duration: 3.4 ms Billed Duration: 4 ms Memory Size: 128 MB Max Memory Used: 40 MB Init
 * Duration: 180 ms` (https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html), or the `platform.report` of a log
 * in JSON, wherever in the text it is.
 */
export function parseReport(text: string): InvocationReport | undefined {
  const match = REPORT.exec(text);
  if (match) return reportOf(match[1] ?? '', match[2] ?? '');
  const json = JSON_REPORT.exec(text)?.[0];
  const record = json === undefined ? undefined : parsePlatformLine(json);
  return record?.type === 'report' ? record.report : undefined;
}

const START = /^START RequestId: (\S+)(?: Version: (\S+))?/;
const END = /^END RequestId: (\S+)/;
const INIT_START = /^INIT_START Runtime Version: (\S+)/;

/** What a line says if it is one of Lambda itself; undefined otherwise. */
export function parsePlatformLine(line: string): PlatformRecord | undefined {
  switch (line[0]) {
    case 'S': {
      const start = START.exec(line);
      return start ? { type: 'start', requestId: start[1] ?? '', version: start[2] ?? '' } : undefined;
    }
    case 'E': {
      const requestId = END.exec(line)?.[1];
      return requestId === undefined ? undefined : { type: 'end', requestId };
    }
    case 'R': {
      const report = line.startsWith('REPORT ') ? parseReport(line) : undefined;
      return report && { type: 'report', requestId: report.requestId, report };
    }
    case 'I': {
      const runtimeVersion = INIT_START.exec(line)?.[1];
      return runtimeVersion === undefined ? undefined : { type: 'init-start', runtimeVersion };
    }
    case '{':
      return line.includes('"platform.') ? parsePlatformJson(line) : undefined;
    default:
      return undefined;
  }
}

/** `{ time, type, record }` (https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html). */
function parsePlatformJson(line: string): PlatformRecord | undefined {
  const { type, record } = parseObject(line);
  if (typeof record !== 'object' || record === null) return undefined;
  const facts = record as Record<string, unknown>;
  const requestId = String(facts.requestId ?? '');
  if (type === 'platform.initStart') return { type: 'init-start', runtimeVersion: String(facts.runtimeVersion ?? '') };
  if (requestId === '') return undefined;
  if (type === 'platform.start') return { type: 'start', requestId, version: String(facts.version ?? '') };
  if (type !== 'platform.report') return undefined;
  const report = jsonReport(requestId, facts);
  return report && { type: 'report', requestId, report };
}

/** The object that a line is; an empty one if it is none. */
export function parseObject(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function jsonReport(
  requestId: string,
  { metrics, status, errorType }: Record<string, unknown>,
): InvocationReport | undefined {
  const measured = (metrics ?? {}) as Record<string, unknown>;
  const number = (name: string) => (typeof measured[name] === 'number' ? measured[name] : undefined);
  const durationMs = number('durationMs');
  const billedMs = number('billedDurationMs');
  if (durationMs === undefined || billedMs === undefined) return undefined;
  const initMs = number('initDurationMs');
  return {
    requestId,
    durationMs,
    billedMs,
    memoryMiB: number('memorySizeMB') ?? 0,
    maxMemoryMiB: number('maxMemoryUsedMB') ?? 0,
    ...(initMs !== undefined && { initMs }),
    ...(typeof status === 'string' && { status }),
    ...(typeof errorType === 'string' && { errorType }),
  };
}

function reportOf(requestId: string, rest: string): InvocationReport | undefined {
  const durationMs = field(rest, DURATION);
  const billedMs = field(rest, BILLED);
  if (durationMs === undefined || billedMs === undefined) return undefined;
  const initMs = field(rest, INIT);
  const status = STATUS.exec(rest)?.[1];
  const errorType = ERROR_TYPE.exec(rest)?.[1];
  return {
    requestId,
    durationMs,
    billedMs,
    memoryMiB: field(rest, MEMORY) ?? 0,
    maxMemoryMiB: field(rest, MAX_MEMORY) ?? 0,
    ...(initMs !== undefined && { initMs }),
    ...(status !== undefined && { status }),
    ...(errorType !== undefined && { errorType }),
  };
}

const DURATION = /(?<!Billed |Init |Restore )Duration: ([\d.]+) ms/;
const BILLED = /Billed Duration: ([\d.]+) ms/;
const MEMORY = /Memory Size: (\d+) MB/;
const MAX_MEMORY = /Max Memory Used: (\d+) MB/;
const INIT = /Init Duration: ([\d.]+) ms/;
const STATUS = /\bStatus: (\S+)/;
const ERROR_TYPE = /\bError Type: (\S+)/;

function field(text: string, pattern: RegExp): number | undefined {
  const value = pattern.exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}
