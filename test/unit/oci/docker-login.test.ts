import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { dockerLogin } from '../../../src/oci/index.js';
import { temporaryFolder } from '../../support/temporary.js';

const auth = (login: string) => Buffer.from(login).toString('base64');

describe('the login that docker has kept', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeEach(async () => {
    folder = await temporaryFolder();
    vi.stubEnv('PATH', `${folder.path}:${process.env.PATH}`);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    return folder[Symbol.asyncDispose]();
  });

  const keep = (text: string) => writeFile(join(folder.path, 'config.json'), text);
  const login = (registry: string) => dockerLogin(registry, folder.path);

  /** A credential helper: a program that gets the registry on its standard input. */
  async function helper(name: string, script: string): Promise<void> {
    const path = join(folder.path, `docker-credential-${name}`);
    await writeFile(path, `#!/bin/sh\ntest "$1" = get || exit 9\nread -r key || true\n${script}\n`);
    await chmod(path, 0o755);
  }

  it('is none without a file, or without an entry', async () => {
    expect(await login('ghcr.io')).toBeUndefined();
    await keep('{"auths": {"ghcr.io": {}, "quay.io": {"auth": ""}}}');
    for (const registry of ['ghcr.io', 'quay.io', 'docker.io']) expect(await login(registry)).toBeUndefined();
  });

  it.each([
    ['ghcr.io', 'ghcr.io'],
    ['localhost:5000', 'localhost:5000'],
    ['docker.io', 'https://index.docker.io/v1/'],
    ['quay.io', 'https://quay.io/v2/'],
  ])('of %s is found under %s', async (registry, key) => {
    await keep(JSON.stringify({ auths: { [key]: { auth: auth('me:p:ä ss') }, 'else.where': { auth: auth('a:b') } } }));
    expect(await login(registry)).toEqual({ username: 'me', password: 'p:ä ss' });
    expect(await login('constructor')).toBeUndefined();
  });

  it('comes from the helper of its registry, else from the store, else from the file', async () => {
    await helper('one', 'printf \'{"ServerURL":"%s","Username":"one","Secret":"%s"}\' "$key" "$key"');
    await helper(
      'all',
      'test "$key" = quay.io && { echo credentials not found in native keychain; exit 1; }; echo \'{"Username":"all","Secret":"s"}\'',
    );
    const auths = { 'quay.io': { auth: auth('file:f') } };
    await keep(
      JSON.stringify({
        auths,
        credHelpers: { 'ghcr.io': 'one', 'https://index.docker.io/v1/': 'one' },
        credsStore: 'all',
      }),
    );
    expect(await login('ghcr.io')).toEqual({ username: 'one', password: 'ghcr.io' });
    expect(await login('docker.io')).toEqual({ username: 'one', password: 'https://index.docker.io/v1/' });
    expect(await login('other.example')).toEqual({ username: 'all', password: 's' });
    expect(await login('quay.io')).toEqual({ username: 'file', password: 'f' });
  });

  it.each([
    ['a file that is no JSON', '{"auths": {"ghcr.io": {"auth": "c2VjcmV0"', /it is no JSON$/],
    ['a string', '"secret"', /it is no JSON object$/],
    [
      'a login without a colon',
      `{"auths": {"ghcr.io": {"auth": "${auth('secret')}"}}}`,
      /no user and password in base64/,
    ],
    [
      'an identity token',
      '{"auths": {"ghcr.io": {"auth": "eDp5", "identitytoken": "secret"}}}',
      /identity token is no password/,
    ],
    ['an identity token of a helper', '{"credsStore": "token"}', /identity token is no password/],
    ['a helper that is not there', '{"credsStore": "nowhere"}', /docker-credential-nowhere.*ENOENT/],
    ['a helper with a path', '{"credsStore": "../x"}', /"\.\.\/x" is no name of a credential helper/],
    ['a helper that fails', '{"credsStore": "broken"}', /docker-credential-broken ended with exit code 3/],
    ['a helper that says nothing', '{"credsStore": "mute"}', /docker-credential-mute gave no user and password/],
  ])('is refused by name: %s', async (_, config, message) => {
    await helper('token', 'echo \'{"Username":"<token>","Secret":"secret"}\'');
    await helper('broken', 'echo secret; exit 3');
    await helper('mute', ':');
    await keep(config);
    const refused = login('ghcr.io');
    await expect(refused).rejects.toMatchObject({ code: 'registry-denied', message: expect.stringMatching(message) });
    await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining('secret') });
  });
});
