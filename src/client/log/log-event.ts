import type { StoredLogEvent, TailedLogEvent } from '../../aws/logs.js';
import { type InvocationReport, type PlatformRecord, parseObject, parsePlatformLine } from '../report-line.js';

/** One event of a function's log. */
export interface LogEvent {
  /** The line, without its line end. */
  message: string;
  /** When it was written, in ms since 1970. */
  timestamp: number;
  /** Log stream: one for each execution environment. */
  stream: string;
  /** CloudWatch's ID, unique to the event. Absent where Live Tail brought it, which tells none. */
  eventId?: string;
  /** The invocation that it belongs to, where that is known. */
  requestId?: string;
  /** What the line says, if it is one of Lambda itself. */
  platform?: PlatformRecord;
  /** What Lambda reports at the end of an invocation, in the event that does. */
  report?: InvocationReport;
}

/** What Node's runtime puts before what goes through `console`, and Lambda before `Task timed out`. */
const PREFIX = /^\d{4}-\d\d-\d\dT[\d:.]+Z[\t ]([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})[\t ]/;

/** Tells which invocation each event belongs to: an environment serves one at a time, so that what lies between START and END is its. */
export class LogReader {
  /** By stream: the invocation that has started and not ended. */
  readonly #current: Map<string, string>;

  /** @param current - by stream: the invocation that is under way before the first event */
  constructor(current: ReadonlyMap<string, string> = new Map()) {
    this.#current = new Map(current);
  }

  /** The invocation that is under way in a stream. */
  current(stream: string): string | undefined {
    return this.#current.get(stream);
  }

  /** Events of one stream must come in their order, and none may be left out. */
  read(event: StoredLogEvent | TailedLogEvent): LogEvent {
    const { timestamp, stream } = event;
    const message = event.message.replace(/\r?\n$/, '');
    const platform = parsePlatformLine(message);
    const requestId = this.#requestOf(stream, message, platform);
    return {
      message,
      timestamp,
      stream,
      ...('id' in event && { eventId: event.id }),
      ...(requestId !== undefined && { requestId }),
      ...(platform && { platform }),
      ...(platform?.type === 'report' && { report: platform.report }),
    };
  }

  #requestOf(stream: string, line: string, platform: PlatformRecord | undefined): string | undefined {
    // Where it is comes before what it says: a container may print whatever looks like a request ID.
    if (!platform) return this.#current.get(stream) ?? ownRequest(line);
    // A log in JSON has no END, and an environment that begins anew has nothing under way.
    if (platform.type === 'start') this.#current.set(stream, platform.requestId);
    else this.#current.delete(stream);
    if (platform.type === 'init-start') return undefined;
    return platform.requestId;
  }
}

/** The invocation that a line itself names. */
function ownRequest(line: string): string | undefined {
  if (!line.startsWith('{')) return PREFIX.exec(line)?.[1];
  if (!line.includes('"requestId"')) return undefined;
  const { requestId } = parseObject(line);
  return typeof requestId === 'string' && requestId !== '' ? requestId : undefined;
}
