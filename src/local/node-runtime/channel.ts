import type { Socket } from 'node:net';

/** One answer of the Runtime API. */
export interface Reply {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const BASE = '/2018-06-01/runtime/';
const HEAD_END = Buffer.from('\r\n\r\n');

/**
 * The Runtime API's client: HTTP/1.1 over a connection that is open already, one request at a time, bodies with a
 * length. That is all that our server sends, and loading node:http would cost a cold start more than the rest of the
 * runtime does.
 */
export class RuntimeApiChannel {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #size = 0;
  #needed = 0;
  #waiter: ((reply: Reply) => void) | undefined;
  /** The request before: the next one is sent after its reply. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  /** Waits for an event, and keeps the process alive meanwhile. */
  async next(): Promise<Reply> {
    this.#socket.ref();
    const reply = await this.#send('GET', 'invocation/next', {}, '');
    // From here on only what the handler does keeps the process alive: an empty event loop ends an invocation.
    this.#socket.unref();
    return reply;
  }

  /** Posts an answer or an error. */
  post(path: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
    this.#socket.ref();
    return this.#send('POST', path, headers, body);
  }

  async #send(method: string, path: string, headers: Readonly<Record<string, string>>, body: string): Promise<Reply> {
    if (this.#waiter) await this.#last;
    let head = `${method} ${BASE}${path} HTTP/1.1\r\nHost: runtime\r\n`;
    for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`;
    if (method === 'POST') head += `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    const reply = new Promise<Reply>((resolve) => {
      this.#waiter = resolve;
    });
    this.#last = reply;
    this.#socket.write(`${head}\r\n${body}`);
    return reply;
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#needed) return;
    const data = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    this.#chunks = [data];
    const end = data.indexOf(HEAD_END);
    if (end === -1) return;
    const { status, headers } = parseHead(data.toString('latin1', 0, end));
    this.#needed = end + HEAD_END.length + Number(headers['content-length'] ?? 0);
    if (this.#size < this.#needed) return;
    const body = data.subarray(end + HEAD_END.length, this.#needed);
    this.#chunks = [];
    this.#size = 0;
    this.#needed = 0;
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.({ status, headers, body });
  }
}

function parseHead(head: string): { status: number; headers: Record<string, string> } {
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { status: Number(statusLine.split(' ')[1]), headers };
}
