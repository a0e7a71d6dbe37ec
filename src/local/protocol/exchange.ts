import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished, pipeline } from 'node:stream/promises';
import type { RequestBody } from './body.js';
import type { ChecksumAlgorithm } from './checksum.js';
import type { Reply } from './reply.js';
import type { OperationContext, Protocol, Schemas, Service } from './service.js';

/** What all operations of an engine share. */
export interface Surroundings {
  readonly region: string;
  readonly accountId: string;
  readonly endpoint: string;
}

const PROTOCOLS: Record<Service['name'], Protocol> = { s3: 'rest-xml', lambda: 'rest-json', logs: 'json-1.1' };

/** One request and its reply: the context that its operation sees. */
export class Exchange implements OperationContext {
  readonly requestId: string;
  readonly region: string;
  readonly accountId: string;
  readonly endpoint: string;
  readonly headers: Record<string, string> = {};
  status?: number;
  body?: RequestBody;
  /** Guessed until the request's signature says it; the schemas are those that replies are written by. */
  service: { readonly name: Service['name']; readonly protocol: Protocol; readonly schemas: Schemas };
  private readonly controller = new AbortController();
  private continued: boolean;

  constructor(
    readonly request: IncomingMessage,
    private readonly response: ServerResponse,
    expectsContinue: boolean,
    { region, accountId, endpoint }: Surroundings,
  ) {
    this.region = region;
    this.accountId = accountId;
    this.endpoint = endpoint;
    const name = guessService(request);
    this.service = { name, protocol: PROTOCOLS[name], schemas: {} };
    this.requestId = name === 's3' ? randomBytes(8).toString('hex').toUpperCase() : randomUUID();
    this.continued = !expectsContinue;
    response.once('close', () => {
      if (!response.writableFinished) this.abort(new Error('the client went away'));
    });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  get checksums(): Readonly<Partial<Record<ChecksumAlgorithm, string>>> {
    return this.body?.checksums ?? {};
  }

  /** Ends what is under way: the operation hears of it, a body stops coming, a reply stops going out. */
  abort(reason: Error): void {
    this.controller.abort(reason);
    this.body?.destroy(reason);
    if (this.response.headersSent) this.response.destroy();
  }

  /** Answers `Expect: 100-continue`, when the body is first wanted. */
  proceed(): void {
    if (this.continued) return;
    this.continued = true;
    this.response.writeContinue();
  }

  /** Sends the reply and resolves when it has gone out. Rejects when it could not, e.g. as the client went away. */
  async send({ status, headers, body }: Reply): Promise<void> {
    const { request, response } = this;
    const bodiless = request.method === 'HEAD' || status === 204 || status === 304;
    if (response.destroyed || bodiless) discard(body);
    if (response.destroyed) return;
    response.writeHead(status, {
      ...this.identity(),
      ...headers,
      ...this.headers,
      ...framing(body, headers, bodiless),
    });
    const content = bodiless ? undefined : body;
    if (content !== undefined && !Buffer.isBuffer(content)) await pipeline(content, response);
    else if (request.complete || !this.continued) response.end(content);
    else {
      if (content) response.write(content);
      else response.flushHeaders();
      await this.drain();
      response.end();
    }
  }

  /**
   * Waits for the rest of a body that nobody wants. A client that is still sending has the reply by now; but if the
   * connection closed under it, what it would see is a broken pipe.
   */
  private async drain(): Promise<void> {
    const { request } = this;
    request.resume();
    // The client may also break off, which is as good.
    await finished(request, { writable: false, signal: this.signal }).catch(() => {});
  }

  private identity(): Record<string, string> {
    // A client that was not told to go on sends no body, so the connection is out of step.
    const connection: Record<string, string> = this.continued ? {} : { connection: 'close' };
    if (this.service.name !== 's3') return { 'x-amzn-requestid': this.requestId, ...connection };
    const extended = Buffer.from(`scar-local ${this.requestId}`).toString('base64');
    return { 'x-amz-request-id': this.requestId, 'x-amz-id-2': extended, ...connection };
  }
}

function framing(body: Reply['body'], headers: Reply['headers'], bodiless: boolean): Record<string, string> {
  if (Buffer.isBuffer(body)) return { 'content-length': String(body.length) };
  return body === undefined && !bodiless && headers['content-length'] === undefined ? { 'content-length': '0' } : {};
}

function discard(body: Reply['body']): void {
  if (body !== undefined && !Buffer.isBuffer(body)) body.destroy();
}

/** For the shape of errors that come before the signature has said which service is meant. */
function guessService(request: IncomingMessage): Service['name'] {
  if (request.headers['x-amz-target'] !== undefined) return 'logs';
  if (/AWS4-HMAC-SHA256 Credential=[^/]+\/\d+\/[^/]+\/lambda\//.test(request.headers.authorization ?? ''))
    return 'lambda';
  return /^\/20\d\d-\d\d-\d\d\//.test(request.url ?? '') ? 'lambda' : 's3';
}
