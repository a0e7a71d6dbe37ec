import { createHash, createPrivateKey, createPublicKey, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { run } from './registry.js';

export interface TokenServerOptions {
  /** Who may pull. */
  username: string;
  password: string;
  /** Whether an anonymous token may pull. Default false. */
  anonymous?: boolean;
  /** Seconds that a token is good for. Default 60. */
  lifetimeSeconds?: number;
}

/** An authentication server as registries have it (https://distribution.github.io/distribution/spec/auth/jwt/). */
export interface TokenServer extends AsyncDisposable {
  /** The `auth:` section with which a registry trusts it. */
  readonly configuration: string;
  /** What it was asked: query and `Authorization`. */
  readonly requests: { query: string; authorization: string | undefined }[];
}

const ISSUER = 'test issuer';
const SERVICE = 'test registry';

/** @param folder - where its key and certificate may lie */
export async function startTokenServer(folder: string, options: TokenServerOptions): Promise<TokenServer> {
  const keyFile = join(folder, 'token.key');
  const certificateFile = join(folder, 'token.crt');
  run('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=test'],
    ...['-keyout', keyFile, '-out', certificateFile],
  ]);
  const key = createPrivateKey(await readFile(keyFile));
  const requests: { query: string; authorization: string | undefined }[] = [];
  const login = `Basic ${Buffer.from(`${options.username}:${options.password}`).toString('base64')}`;

  const server = createServer((request, response) => {
    const { authorization } = request.headers;
    const url = new URL(request.url ?? '/', 'http://localhost');
    requests.push({ query: url.search, authorization });
    if (authorization !== undefined && authorization !== login) {
      response.writeHead(401).end('{"details":"incorrect username or password"}');
      return;
    }
    const [type = '', name = '', actions = ''] = (url.searchParams.get('scope') ?? '').split(':');
    const granted = authorization === login || options.anonymous ? [{ type, name, actions: actions.split(',') }] : [];
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: ISSUER,
      sub: authorization === login ? options.username : '',
      aud: SERVICE,
      iat: now,
      nbf: now - 60,
      // The registry allows a minute for clocks that differ.
      exp: now + (options.lifetimeSeconds ?? 60) - 60,
      jti: randomUUID(),
      access: granted,
    };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ token: jwt(claims), expires_in: options.lifetimeSeconds ?? 60 }));
  });

  const jwt = (claims: object): string => {
    const head = { typ: 'JWT', alg: 'RS256', kid: keyId(createPublicKey(key).export({ type: 'spki', format: 'der' })) };
    const body = [head, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${body}.${sign('sha256', Buffer.from(body), key).toString('base64url')}`;
  };

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    requests,
    configuration: `auth:
  token:
    realm: http://127.0.0.1:${port}/token?kept=yes
    service: ${SERVICE}
    issuer: ${ISSUER}
    rootcertbundle: ${certificateFile}
`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** libtrust's name of a key: 240 bits of its digest in base 32, in groups of four. */
function keyId(der: Buffer): string {
  const digest = createHash('sha256').update(der).digest().subarray(0, 30);
  const bits = [...digest].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const text = (bits.match(/.{5}/g) ?? []).map((five) => letters[Number.parseInt(five, 2)]).join('');
  return (text.match(/.{4}/g) ?? []).join(':');
}
