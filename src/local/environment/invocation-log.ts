import type { Readable } from 'node:stream';
import { LineSplitter } from './line-splitter.js';
import type { LogWriter } from './log-sink.js';

/** What `LogType: Tail` returns: the last 4 KB (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html). */
const TAIL_BYTES = 4096;

/** The log of one environment: its output line by line, Lambda's own lines between them, and the tail of each invocation. */
export class InvocationLog {
  readonly #writer: LogWriter;
  readonly #splitters: LineSplitter[] = [];
  #tail = '';
  #closed = false;

  constructor(writer: LogWriter) {
    this.#writer = writer;
  }

  /** Takes over a stream of the process's output. */
  capture(stream: Readable): void {
    const splitter = new LineSplitter();
    this.#splitters.push(splitter);
    stream.on('data', (chunk: Buffer) => this.#write(splitter.push(chunk)));
    // A pipe that breaks is the process's end, which its exit reports.
    stream.on('error', () => {});
  }

  /** One line of Lambda's own. */
  line(text: string): void {
    this.#write([`${text}\n`]);
  }

  /** Output without a line feed becomes an event when its invocation ends. */
  flush(): void {
    const rest = this.#splitters.flatMap((splitter) => splitter.flush() ?? []);
    this.#write(rest);
  }

  /** The last 4 KB since the last call, in base64. */
  takeTail(): string {
    const bytes = Buffer.from(this.#tail);
    this.#tail = '';
    return bytes.subarray(Math.max(0, bytes.length - TAIL_BYTES)).toString('base64');
  }

  /** Closes the stream; what still comes from a process that is being killed is dropped. */
  close(): void {
    this.flush();
    this.#closed = true;
    this.#writer.close();
  }

  #write(lines: readonly string[]): void {
    if (lines.length === 0 || this.#closed) return;
    const timestamp = Date.now();
    this.#writer.append(lines.map((message) => ({ timestamp, message })));
    this.#tail = (this.#tail + lines.slice(-TAIL_BYTES).join('')).slice(-TAIL_BYTES);
  }
}
