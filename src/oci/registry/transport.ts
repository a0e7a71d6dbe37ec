import { once } from 'node:events';
import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { RegistryReference } from '../reference.js';
import { badAnswer, TransportFailure } from './errors.js';
import { isLoopback, type ResolvedRegistryOptions } from './options.js';

/** Registries redirect blobs once, to their storage. */
const MAX_REDIRECTS = 5;

/** Bodies of errors and redirects are not read further than this. */
export const MAX_SMALL_BYTES = 64 * 1024;

export interface TransportRequest {
  url: URL;
  headers: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** An answer whose body is read in pieces; a silence ends it. */
export interface TransportAnswer {
  /** Where the answer came from in the end, after redirects: `https://host:port`. */
  origin: string;
  status: number;
  headers: IncomingHttpHeaders;
  body: AsyncGenerator<Uint8Array, void, undefined>;
  /** Does without the body. A small one is read, so that the connection can be used again. */
  discard(): Promise<void>;
}

/**
 * Sends GETs: redirects followed by hand, time limits, and what the network does as TransportFailures. Not by `fetch`, whose parser is
 * compiled from WebAssembly first: 40 ms and 16 MB of every cold start.
 */
export class Transport {
  readonly #options: ResolvedRegistryOptions;
  readonly #reference: RegistryReference;

  constructor(reference: RegistryReference, options: ResolvedRegistryOptions) {
    this.#reference = reference;
    this.#options = options;
  }

  /** One GET with its redirects. Any status is an answer; throws TransportFailure, RegistryError, or the signal's reason. */
  async get(request: TransportRequest): Promise<TransportAnswer> {
    let { url, headers } = request;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const answer = await this.#send(url, headers, request.signal);
      if (![301, 302, 303, 307, 308].includes(answer.status)) return answer;
      await answer.discard();
      const { location } = answer.headers;
      const next = this.checked(location === undefined ? undefined : resolveUrl(location, url), 'redirects');
      // Storage behind another origin has no business with the login, and S3 refuses a request that carries two.
      if (next.origin !== url.origin) headers = withoutAuthorization(headers);
      url = next;
    }
    throw badAnswer(this.#reference, `redirects more than ${MAX_REDIRECTS} times`);
  }

  /**
   * An address that a registry sent us to: https, or http if the registry itself is asked by that. So a registry cannot
   * make us ask a metadata service or the like, which speak plain HTTP, nor have a login sent in clear.
   */
  checked(url: URL | undefined, does: string): URL {
    const plain = this.#options.origin.startsWith('http:');
    const allowed = url?.protocol === 'https:' || (url?.protocol === 'http:' && plain);
    if (url && allowed && url.username === '' && url.password === '') return url;
    const shown = url ? `${url.protocol}//${url.host}` : 'no address';
    const rule = plain ? 'http and https' : 'https';
    throw badAnswer(
      this.#reference,
      `${does} to ${shown}; only ${rule} addresses without a login in them are followed`,
    );
  }

  async #send(url: URL, headers: Record<string, string>, signal: AbortSignal | undefined): Promise<TransportAnswer> {
    const { responseTimeoutMs, stallTimeoutMs } = this.#options;
    const watch = new Watch(signal);
    try {
      watch.start(responseTimeoutMs, 'no answer came');
      const response = await ask(url, headers, watch.signal);
      watch.stop();
      const body = pieces(response, watch, stallTimeoutMs, url);
      const discard = async (): Promise<void> => void (await readUpTo({ body }, MAX_SMALL_BYTES));
      return { origin: url.origin, status: response.statusCode ?? 0, headers: response.headers, body, discard };
    } catch (error) {
      watch.cancel();
      throw failure(error, watch, url);
    }
  }
}

async function ask(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<IncomingMessage> {
  const request = (url.protocol === 'https:' ? https : http).get(url, { headers, signal });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  request.on('error', () => {}); // from now on who reads the answer learns of it
  return response;
}

/** Reads a body, and stops when it has at least so many bytes. */
export async function readUpTo(answer: Pick<TransportAnswer, 'body'>, bytes: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const piece of answer.body) {
    parts.push(piece);
    length += piece.length;
    if (length >= bytes) break;
  }
  return Buffer.concat(parts);
}

async function* pieces(
  response: IncomingMessage,
  watch: Watch,
  stallMs: number,
  url: URL,
): AsyncGenerator<Uint8Array, void> {
  const body: AsyncIterator<Buffer> = response[Symbol.asyncIterator]();
  try {
    for (;;) {
      watch.start(stallMs, 'the answer stopped half-way');
      const { value, done } = await body.next();
      watch.stop();
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw failure(error, watch, url);
  } finally {
    watch.cancel();
    response.destroy(); // one that was read to its end gives its connection back
  }
}

/** Ends one request: for the caller, for a time limit that runs only while something is waited for, or when done with it. */
class Watch {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#controller.abort(this.#caller?.reason);
  #timer: NodeJS.Timeout | undefined;
  timedOut: string | undefined;

  constructor(caller: AbortSignal | undefined) {
    caller?.throwIfAborted();
    this.#caller = caller;
    caller?.addEventListener('abort', this.#onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it was the caller who ended it. */
  get aborted(): boolean {
    return this.#caller?.aborted ?? false;
  }

  get reason(): unknown {
    return this.#caller?.reason;
  }

  start(ms: number, what: string): void {
    this.#timer = setTimeout(() => {
      this.timedOut = `${what} within ${ms / 1000} s`;
      this.#controller.abort();
    }, ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  cancel(): void {
    this.stop();
    this.#caller?.removeEventListener('abort', this.#onAbort);
  }
}

function failure(error: unknown, watch: Watch, url: URL): unknown {
  if (watch.aborted) return watch.reason;
  if (watch.timedOut !== undefined) return new TransportFailure(`${url.host}: ${watch.timedOut}`, false, error);
  // For several addresses of a name there is a list.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const cause = first instanceof Error ? first : new Error(String(first));
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  const hint = plainHttpHint(code, url);
  return new TransportFailure(`${url.host}: ${cause.message}${hint}`, isPermanent(code), error);
}

/** Certificates and names do not become right by waiting. */
function isPermanent(code: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_|^ERR_TLS|^ERR_SSL|^EPROTO|^ENOTFOUND|^ERR_INVALID/.test(code);
}

function plainHttpHint(code: string, url: URL): string {
  if (!/^ERR_SSL|^EPROTO/.test(code) || isLoopback(url.hostname)) return '';
  return ' (if the registry speaks plain HTTP, say so with the option "insecure")';
}

function resolveUrl(location: string, base: URL): URL | undefined {
  try {
    return new URL(location, base);
  } catch {
    return undefined;
  }
}

function withoutAuthorization(headers: Record<string, string>): Record<string, string> {
  const { authorization: _, ...rest } = headers;
  return rest;
}
