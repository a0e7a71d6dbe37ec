import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Credentials } from '../auth/credentials.js';
import { SignatureVerifier } from '../auth/sigv4.js';
import { RequestHandler } from './handler.js';
import type { Service } from './service.js';

export interface ServeOptions {
  /** 0 (the default) takes any free port. */
  readonly port?: number;
  readonly region: string;
  readonly accountId: string;
  readonly credentials: Credentials;
  /** Told of every failure that is the engine's own fault; the client gets a 500 with its message. */
  readonly onError?: (error: unknown) => void;
}

export interface EngineServer {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  /** Takes no more connections, aborts what is under way, and resolves when every operation has returned. */
  close(): Promise<void>;
}

/** More than a map that is 1,000 wide opens at once. */
const BACKLOG = 4096;

/**
 * Serves AWS services on one port of the loopback interface.
 *
 * @param services - the services, or what makes them once the endpoint is known
 * @throws the error of listen(2), e.g. EADDRINUSE
 */
export async function serve(
  services: readonly Service[] | ((endpoint: string) => readonly Service[]),
  options: ServeOptions,
): Promise<EngineServer> {
  const server = createServer({
    // Invocations last up to 15 minutes and uploads as long as they need; idle connections are the client's to close.
    requestTimeout: 0,
    keepAliveTimeout: 0,
    keepAlive: true,
    noDelay: true,
  });
  const endpoint = await listen(server, options.port ?? 0);
  const verifier = new SignatureVerifier(options.credentials, options.region);
  const served = typeof services === 'function' ? services(endpoint) : services;
  const handler = new RequestHandler(served, { ...options, endpoint, verifier });
  const onRequest = (expectsContinue: boolean) => (request: IncomingMessage, response: ServerResponse) =>
    void handler.handle(request, response, expectsContinue);
  server.on('request', onRequest(false));
  server.on('checkContinue', onRequest(true));

  return {
    endpoint,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await handler.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function listen(server: Server, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    });
  });
}
