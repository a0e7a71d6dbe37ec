/** Where the output of environments goes: the engine's CloudWatch Logs, or a test's array. */
export interface LogSink {
  /** Opens a stream for appending; group and stream are created when there are none. */
  open(group: string, stream: string): LogWriter;
}

export interface LogWriter {
  /** Events in the order in which they happened; each message keeps its line feed, as Lambda's do. */
  append(events: readonly LogLine[]): void;
  close(): void;
}

export interface LogLine {
  /** Epoch milliseconds. */
  readonly timestamp: number;
  readonly message: string;
}
