import { once } from 'node:events';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { Credentials } from '../../../src/local/auth/credentials.js';
import { serve } from '../../../src/local/protocol/server.js';
import type { OperationContext, Service } from '../../../src/local/protocol/service.js';
import { signRequest } from '../../support/sigv4.js';

const region = 'us-east-1';

/** Opens a connection and sends the head of a request, as a client that then does nothing more. */
async function stall(endpoint: string, credentials: Credentials, method: string, path: string, more: string[] = []) {
  const { host, port } = new URL(endpoint);
  const signing = { ...credentials.owner, region };
  const { headers } = signRequest(signing, { method, path, host, payloadHash: 'UNSIGNED-PAYLOAD' });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const socket = connect(Number(port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write([`${method} ${path} HTTP/1.1`, ...lines, ...more, '', ''].join('\r\n'));
  await once(socket, 'connect');
  return socket;
}

it('closes under clients that neither send, nor read, nor wait in vain', async () => {
  const credentials = new Credentials();
  const began = new Set<string>();
  const endings: string[] = [];
  let allBegan = () => {};
  const begun = new Promise<void>((resolve) => {
    allBegan = resolve;
  });
  const begin = (name: string) => {
    began.add(name);
    if (began.size === 3) allBegan();
  };
  const s3: Service = {
    name: 's3',
    protocol: 'rest-xml',
    schemas: () => import('@aws-sdk/client-s3'),
    operations: {
      async PutObject({ Body }: { Body: Readable }) {
        try {
          for await (const _ of Body) begin('upload');
        } finally {
          endings.push('upload');
        }
        return {};
      },
      GetObject() {
        const Body = new Readable({ read: () => void Body.push(Buffer.alloc(1_000_000)) });
        Body.once('close', () => endings.push('download'));
        begin('download');
        return { Body };
      },
      async ListBuckets(_: object, { signal }: OperationContext) {
        begin('operation');
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        endings.push('operation');
        return {};
      },
    },
  };
  const server = await serve([s3], { region, accountId: '000000000000', credentials });
  const sockets = [
    await stall(server.endpoint, credentials, 'PUT', '/b/k', ['content-length: 1000', '', 'the first bytes']),
    await stall(server.endpoint, credentials, 'GET', '/b/k'),
    await stall(server.endpoint, credentials, 'GET', '/'),
    // Connected, and silent.
    connect(Number(new URL(server.endpoint).port), '127.0.0.1'),
  ];
  await begun;
  await server.close();
  expect(endings.sort()).toEqual(['download', 'operation', 'upload']);
  for (const socket of sockets) socket.destroy();
});
