import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the proxy does with one answer of the registry behind it. */
export interface Fault {
  /** Ends the connection after so many bytes of the body. */
  cutAfter?: number;
  /** Says nothing more after so many bytes, and keeps the connection. */
  stallAfter?: number;
  /** Inverts the byte at this place of the body. */
  flipByte?: number;
  /** Takes `Range` away before the registry sees it. */
  withoutRange?: boolean;
}

export interface ProxiedRequest {
  path: string;
  authorization: string | undefined;
  range: string | undefined;
}

/** Decides about one request: answers it itself (`undefined`), or has it forwarded, with a fault or without. */
export type Intercept = (
  request: ProxiedRequest,
  response: ServerResponse,
) => Fault | undefined | Promise<Fault | undefined>;

/** A proxy on a loopback port that injects faults; it keeps what it was asked. */
export interface RegistryProxy extends AsyncDisposable {
  readonly host: string;
  readonly requests: ProxiedRequest[];
  /** Requests for a kind of thing: `blobs`, `manifests`. */
  count(part: string): number;
}

export async function startProxy(target: string, intercept: Intercept): Promise<RegistryProxy> {
  const requests: ProxiedRequest[] = [];
  const server = createServer(async (incoming, response) => {
    const { authorization, range } = incoming.headers;
    const asked = { path: incoming.url ?? '/', authorization, range };
    requests.push(asked);
    const fault = await intercept(asked, response);
    if (fault) forward(target, incoming, response, fault);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    count: (part) => requests.filter(({ path }) => path.includes(`/${part}/`)).length,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function forward(target: string, incoming: IncomingMessage, response: ServerResponse, fault: Fault): void {
  const headers = { ...incoming.headers, host: target };
  if (fault.withoutRange) delete headers.range;
  const upstream = request(`http://${target}${incoming.url}`, { headers, method: incoming.method ?? 'GET' });
  upstream.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    let sent = 0;
    answer.on('data', (chunk: Buffer) => {
      const flip = fault.flipByte === undefined ? -1 : fault.flipByte - sent;
      if (flip >= 0 && flip < chunk.length) chunk[flip] = (chunk[flip] ?? 0) ^ 0xff;
      const end = fault.cutAfter ?? fault.stallAfter ?? Number.POSITIVE_INFINITY;
      const piece = chunk.subarray(0, Math.max(0, end - sent));
      sent += chunk.length;
      response.write(piece, () => {
        if (fault.cutAfter !== undefined && sent >= end) response.destroy();
      });
    });
    answer.on('end', () => {
      if (fault.stallAfter === undefined) response.end();
    });
  });
  upstream.on('error', () => response.destroy());
  upstream.end();
}
