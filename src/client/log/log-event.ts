import type { StoredLogEvent } from '../../aws/logs.js';
import { type InvocationReport, parseReport } from '../report-line.js';

/** One event of a function's log. */
export interface LogEvent {
  /** The line, without its line end. */
  message: string;
  /** When it was written, in ms since 1970. */
  timestamp: number;
  /** Log stream: one for each execution environment. */
  stream: string;
  /** CloudWatch's ID, unique to the event. */
  eventId: string;
  /** The invocation that it belongs to, where that is known. */
  requestId?: string;
  /** What Lambda reports at the end of an invocation, in the event that does. */
  report?: InvocationReport;
}

/** `START RequestId: ID Version: V` and `END RequestId: ID`, as Lambda writes them around an invocation's output. */
const START = /^START RequestId: (\S+)/;
const END = /^END RequestId: (\S+)/;
/** What Node's runtime puts before what goes through `console`. */
const PREFIX = /^\S+\t([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\t/;

/** Tells which invocation each event belongs to: an environment serves one at a time, so that what lies between is its. */
export class LogReader {
  /** By stream: the invocation that has started and not ended. */
  readonly #current = new Map<string, string>();

  /** Events of one stream must come in their order. */
  read({ id, timestamp, stream, message }: StoredLogEvent): LogEvent {
    const line = message.replace(/\r?\n$/, '');
    const report = line.startsWith('REPORT ') ? parseReport(line) : undefined;
    const requestId = report?.requestId ?? this.#requestOf(stream, line);
    return {
      message: line,
      timestamp,
      stream,
      eventId: id,
      ...(requestId !== undefined && { requestId }),
      ...(report && { report }),
    };
  }

  #requestOf(stream: string, line: string): string | undefined {
    const started = START.exec(line)?.[1];
    if (started !== undefined) {
      this.#current.set(stream, started);
      return started;
    }
    const ended = END.exec(line)?.[1];
    if (ended !== undefined) {
      this.#current.delete(stream);
      return ended;
    }
    return PREFIX.exec(line)?.[1] ?? this.#current.get(stream);
  }
}
