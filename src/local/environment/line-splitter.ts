/** CloudWatch's limit for one event, less its own 26 bytes (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html). */
const MAX_LINE_BYTES = 1024 * 1024 - 26;

const LINE_FEED = 0x0a;

/** Cuts a byte stream into lines, each with its line feed. Holds at most one unfinished line, and that bounded. */
export class LineSplitter {
  #rest: Buffer[] = [];
  #restBytes = 0;

  /** The lines that this chunk completes. */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      lines.push(this.#take(chunk.subarray(start, end + 1)));
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start), lines);
    return lines;
  }

  /** What came without a line feed at the end; undefined when there is nothing. */
  flush(): string | undefined {
    return this.#restBytes === 0 ? undefined : this.#take(Buffer.alloc(0));
  }

  #take(last: Buffer): string {
    if (this.#restBytes === 0) return last.toString('utf8');
    const line = Buffer.concat([...this.#rest, last]).toString('utf8');
    this.#rest = [];
    this.#restBytes = 0;
    return line;
  }

  #keep(part: Buffer, lines: string[]): void {
    let rest = part;
    while (this.#restBytes + rest.length >= MAX_LINE_BYTES) {
      const room = MAX_LINE_BYTES - this.#restBytes;
      lines.push(this.#take(rest.subarray(0, room)));
      rest = rest.subarray(room);
    }
    if (rest.length === 0) return;
    this.#rest.push(Buffer.from(rest));
    this.#restBytes += rest.length;
  }
}
