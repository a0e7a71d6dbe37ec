import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { error } from './error.js';
import { initError } from './init-error.js';
import { next } from './next.js';
import { peerBelongsTo } from './peer.js';
import { replyError } from './reply.js';
import { response } from './response.js';
import type { RuntimeSession } from './session.js';
import { InvalidTransitionError } from './state.js';

const BASE = '/2018-06-01/runtime/';
const ANSWER = /^invocation\/([^/]+)\/(response|error)$/;

/** A port of one environment's own; closed with it. */
export interface RuntimeApiPort {
  /** `127.0.0.1:PORT`, the value of AWS_LAMBDA_RUNTIME_API. */
  readonly address: string;
  close(): void;
}

/**
 * The Lambda Runtime API (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) for all environments of an
 * engine. Which environment speaks is known by its connection: a socket pair that the process inherits (nobody else can
 * reach it, and it costs no port), or a loopback port of its own for runtimes that only speak TCP.
 */
export class RuntimeApiServer {
  readonly #http: Server;
  readonly #sessions = new WeakMap<Duplex, RuntimeSession>();

  constructor() {
    this.#http = createHttpServer((request, reply) => {
      const session = this.#sessions.get(request.socket);
      if (session) void route(session, request, reply);
      else request.destroy();
    });
    // A runtime waits in `next` for as long as nobody calls its function, and stands still while it is frozen.
    this.#http.requestTimeout = 0;
    this.#http.headersTimeout = 0;
    this.#http.keepAliveTimeout = 0;
    this.#http.timeout = 0;
  }

  /** Serves one environment over a stream that is connected to it already. */
  attach(stream: Duplex, session: RuntimeSession): void {
    this.#sessions.set(stream, session);
    // A killed process resets its connection; the environment learns that from the process itself.
    stream.on('error', () => stream.destroy());
    this.#http.emit('connection', stream);
  }

  /** Opens a loopback port for one environment; only processes of these users are admitted. */
  async listen(session: RuntimeSession, uids: ReadonlySet<number>): Promise<RuntimeApiPort> {
    const open = new Set<Socket>();
    const server: NetServer = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
      socket.on('error', () => socket.destroy());
      void peerBelongsTo(socket, uids).then((admitted) => {
        if (!admitted) return socket.destroy();
        this.attach(socket, session);
        socket.resume();
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as AddressInfo;
    return {
      address: `127.0.0.1:${port}`,
      close: () => {
        server.close();
        for (const socket of open) socket.destroy();
      },
    };
  }
}

async function route(session: RuntimeSession, request: IncomingMessage, reply: ServerResponse): Promise<void> {
  try {
    const url = request.url ?? '';
    const path = url.startsWith(BASE) ? url.slice(BASE.length) : undefined;
    if (path === 'invocation/next') {
      if (request.method !== 'GET') return refuseMethod(reply, request);
      return next(session, reply);
    }
    if (path === 'init/error') {
      if (request.method !== 'POST') return refuseMethod(reply, request);
      return await initError(session, request, reply);
    }
    const [, requestId, verb] = ANSWER.exec(path ?? '') ?? [];
    if (requestId === undefined) return replyError(reply, 404, 'NotFound', `No such resource: ${url}`);
    if (request.method !== 'POST') return refuseMethod(reply, request);
    if (requestId !== session.currentRequestId) {
      return replyError(reply, 400, 'InvalidRequestID', `Invalid request ID: ${requestId}`);
    }
    return await (verb === 'response' ? response : error)(session, request, reply);
  } catch (cause) {
    if (cause instanceof InvalidTransitionError) replyError(reply, 403, 'InvalidStateTransition', cause.message);
    else reply.destroy();
  }
}

function refuseMethod(reply: ServerResponse, request: IncomingMessage): void {
  replyError(reply, 405, 'MethodNotAllowed', `Method not allowed: ${request.method}`);
}
