import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openImage, type RegistryCredentials, readVerified, resolveImage } from '../../../src/oci/index.js';
import { MemoryImage, writeLayout } from '../../support/memory-image.js';
import { registryMissing, skopeoCopy, startRegistry } from '../../support/registry.js';
import { startProxy } from '../../support/registry-proxy.js';
import { file, tar } from '../../support/tar.js';
import { temporaryFolder } from '../../support/temporary.js';
import { startTokenServer } from '../../support/token-server.js';

const right: RegistryCredentials = { username: 'me', password: 'p:ä ss' };
/** bcrypt, the one form that the registry's htpasswd takes. */
const rightHash = '$2b$05$RQG0RM4SNU2HBtMY12W2xeLLQ1RTEXuQg4Y11HbB8fRqzt35UCl8u';
const wrong: RegistryCredentials = { username: 'me', password: 'hunter2' };
const amd64 = { os: 'linux', architecture: 'amd64' };

describe.skipIf(registryMissing)('a registry that wants a login', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let layout: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    layout = join(folder.path, 'layout');
    await writeLayout(new MemoryImage([tar(file('data', 'content'))]), layout, 'it');
  });
  afterAll(async () => folder?.[Symbol.asyncDispose]());

  async function pull(host: string, credentials?: RegistryCredentials): Promise<void> {
    const source = openImage(`${host}/team/app:1.0`, credentials ? { credentials } : {});
    const image = await resolveImage(source, amd64);
    for (const layer of image.manifest.layers) await readVerified(await source.blob(layer), layer, 1 << 20);
  }

  const denied = (credentials?: RegistryCredentials) => ({
    code: 'registry-denied',
    retryable: false,
    message: expect.stringContaining(credentials ? 'were not accepted' : 'needs credentials'),
  });

  describe('by tokens', () => {
    it('gets one for the repository, and with it the image', async () => {
      await using tokens = await startTokenServer(folder.path, right);
      await using registry = await startRegistry({ configuration: tokens.configuration });
      await skopeoCopy(
        `oci:${layout}:it`,
        `docker://${registry.host}/team/app:1.0`,
        `--dest-creds=me:${right.password}`,
      );
      tokens.requests.length = 0;

      await pull(registry.host, right);
      expect(tokens.requests).toHaveLength(1);
      const query = new URLSearchParams(tokens.requests[0]?.query);
      expect(Object.fromEntries(query)).toEqual({
        kept: 'yes',
        service: 'test registry',
        scope: 'repository:team/app:pull',
      });
      await expect(pull(registry.host, wrong)).rejects.toMatchObject(denied(wrong));
      await expect(pull(registry.host)).rejects.toMatchObject(denied());
      expect(tokens.requests.at(-1)?.authorization).toBeUndefined();
    });

    it('gives an anonymous one too', async () => {
      await using tokens = await startTokenServer(folder.path, { ...right, anonymous: true });
      await using registry = await startRegistry({ configuration: tokens.configuration });
      await skopeoCopy(
        `oci:${layout}:it`,
        `docker://${registry.host}/team/app:1.0`,
        `--dest-creds=me:${right.password}`,
      );
      await pull(registry.host);
    });

    it('gets another when the first is no longer good', async () => {
      await using tokens = await startTokenServer(folder.path, { ...right, anonymous: true });
      await using registry = await startRegistry({ configuration: tokens.configuration });
      await skopeoCopy(
        `oci:${layout}:it`,
        `docker://${registry.host}/team/app:1.0`,
        `--dest-creds=me:${right.password}`,
      );
      tokens.requests.length = 0;
      let expired: string | undefined;
      await using proxy = await startProxy(registry.host, ({ path, authorization }, response) => {
        if (path.includes('/manifests/')) expired = authorization;
        if (!path.includes('/blobs/') || authorization !== expired) return {};
        const realm = /realm: (\S+)/.exec(tokens.configuration)?.[1];
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="test registry"` }).end();
        return undefined;
      });
      await pull(proxy.host);
      expect(tokens.requests).toHaveLength(2);
    });

    it.each([
      ['no token at all', '{"nothing":1}', 'sent no token'],
      ['a token that would end a header', JSON.stringify({ token: 'a\r\nx: y' }), 'sent no token'],
      ['no JSON', '<html>', 'must be JSON'],
      ['a token without end', `{"token":"${'x'.repeat(2 << 20)}"}`, 'at most 1.0 MiB'],
    ])('is refused when it sends %s', async (_, body, message) => {
      await using server = await startProxy('', ({ path }, response) => {
        const realm = `Bearer realm="http://${server.host}/token"`;
        response.writeHead(path === '/token?scope=repository%3Ateam%2Fapp%3Apull' ? 200 : 401, {
          'www-authenticate': realm,
        });
        response.end(body);
        return undefined;
      });
      await expect(pull(server.host)).rejects.toThrow(message);
    });

    it.each(['file:///etc/passwd', 'not an address', 'http://me:secret@127.0.0.1/'])(
      'is not asked at %s',
      async (realm) => {
        await using server = await startProxy('', (_, response) => {
          response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
          return undefined;
        });
        await expect(pull(server.host, right)).rejects.toMatchObject({ code: 'registry-unavailable' });
        expect(server.requests).toHaveLength(1);
      },
    );
  });

  it('by name and password (Basic) gets them when it asks, and not before', async () => {
    const users = join(folder.path, 'htpasswd');
    await writeFile(users, `me:${rightHash}\n`);
    await using registry = await startRegistry({
      configuration: `auth: { htpasswd: { realm: test, path: ${users} } }`,
    });
    await skopeoCopy(`oci:${layout}:it`, `docker://${registry.host}/team/app:1.0`, `--dest-creds=me:${right.password}`);
    await using proxy = await startProxy(registry.host, () => ({}));
    await pull(proxy.host, right);
    expect(proxy.requests[0]?.authorization).toBeUndefined();
    await expect(pull(registry.host, wrong)).rejects.toMatchObject(denied(wrong));
    await expect(pull(registry.host)).rejects.toMatchObject(denied());
  });

  it('never finds it in an error', async () => {
    await using server = await startProxy('', (_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return undefined;
    });
    const error = await pull(server.host, wrong).catch((e: unknown) => e);
    expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('hunter2');
  });
});
