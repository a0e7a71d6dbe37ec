import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CodeStore } from './code-store.js';

/** As long as Lambda's own links are valid: ten minutes. */
const VALID_MS = 10 * 60 * 1000;

/**
 * The links that GetFunction answers: a zip under a secret name that is valid for ten minutes, as Lambda's presigned
 * links are. The port is opened with the first link.
 */
export class Downloads {
  readonly #code: CodeStore;
  readonly #links = new Map<string, { sha256: string; until: number }>();
  #server: Promise<Server> | undefined;

  constructor(code: CodeStore) {
    this.#code = code;
  }

  /** @param sha256 - of the zip, in base64 */
  async link(sha256: string): Promise<string> {
    this.#server ??= this.#listen();
    const { port } = (await this.#server).address() as AddressInfo;
    const now = Date.now();
    for (const [token, { until }] of this.#links) if (until < now) this.#links.delete(token);
    const token = randomBytes(32).toString('hex');
    this.#links.set(token, { sha256, until: now + VALID_MS });
    return `http://127.0.0.1:${port}/${token}`;
  }

  async close(): Promise<void> {
    const server = await this.#server;
    if (!server) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  async #listen(): Promise<Server> {
    const server = createServer((request, response) => {
      const link = this.#links.get((request.url ?? '').slice(1));
      if (request.method !== 'GET' || !link || link.until < Date.now()) {
        response.writeHead(403).end();
        return;
      }
      this.#code.read(link.sha256).then(
        (zip) => response.writeHead(200, { 'Content-Type': 'application/zip', 'Content-Length': zip.length }).end(zip),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return server;
  }
}
