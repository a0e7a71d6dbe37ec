import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { RegistryError } from '../../errors.js';
import { DOCKER_HUB } from '../reference.js';
import type { RegistryCredentials } from './options.js';

/** What Docker's tools call Docker Hub where they keep logins. */
const HUB_KEY = 'https://index.docker.io/v1/';

/** A helper may ask its user for a finger, but not for ever. */
const HELPER_TIMEOUT_MS = 60_000;

/** What such a helper calls the user of an identity token, which is no password. */
const TOKEN_USER = '<token>';

/** The parts of `config.json` that are about logins (https://docs.docker.com/reference/cli/docker/login/). */
interface DockerConfig {
  auths?: Record<string, { auth?: string; username?: string; password?: string; identitytoken?: string }>;
  credHelpers?: Record<string, string>;
  credsStore?: string;
}

/**
 * The login for a registry that `docker login` (or podman, or skopeo with Docker's file) has kept: from the helper of that registry,
 * else from the store, else from the file itself; as Docker does it.
 *
 * @param registry - `docker.io`, `ghcr.io`, `localhost:5000`
 * @param folder - of `config.json`, e.g. `~/.docker`
 * @returns undefined when there is none
 * @throws RegistryError `registry-denied` when the file or the helper cannot be used
 */
export async function dockerLogin(registry: string, folder: string): Promise<RegistryCredentials | undefined> {
  const file = join(folder, 'config.json');
  const unusable = (reason: string) =>
    new RegistryError('registry-denied', `The login for ${registry} cannot be had from ${file}: ${reason}`, {
      context: { registry },
    });
  const config = await readConfig(file, unusable);
  const key = registry === DOCKER_HUB ? HUB_KEY : registry;
  const helper = valueFor(config.credHelpers, key) ?? config.credsStore;
  if (helper) {
    const login = await askHelper(helper, key, unusable);
    if (login) return login;
  }
  const entry = valueFor(config.auths, key);
  if (entry?.identitytoken) throw unusable('an identity token is no password; log in with an access token instead');
  if (entry?.auth) return splitLogin(entry.auth, unusable);
  const { username, password } = entry ?? {};
  return username && password ? { username, password } : undefined;
}

type Unusable = (reason: string) => RegistryError;

async function readConfig(file: string, unusable: Unusable): Promise<DockerConfig> {
  try {
    const config: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof config === 'object' && config !== null) return config;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    // V8 quotes what it could not parse, which may be a login.
    throw unusable(error instanceof SyntaxError ? 'it is no JSON' : (error as Error).message);
  }
  throw unusable('it is no JSON object');
}

/** Old files have URLs as keys, and Docker reads them as their hosts. */
function valueFor<T>(values: Record<string, T> | undefined, key: string): T | undefined {
  if (values === undefined) return undefined;
  if (Object.hasOwn(values, key)) return values[key];
  const host = (name: string) => name.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  const found = Object.keys(values).find((name) => host(name) === host(key));
  return found === undefined ? undefined : values[found];
}

function splitLogin(auth: string, unusable: Unusable): RegistryCredentials {
  const login = Buffer.from(auth, 'base64').toString('utf8');
  const colon = login.indexOf(':');
  if (colon < 1 || colon === login.length - 1) throw unusable('its "auth" is no user and password in base64');
  return { username: login.slice(0, colon), password: login.slice(colon + 1) };
}

/** Speaks the protocol of https://github.com/docker/docker-credential-helpers: the key in, JSON out. */
async function askHelper(helper: string, key: string, unusable: Unusable): Promise<RegistryCredentials | undefined> {
  const program = `docker-credential-${helper}`;
  if (!/^[\w.-]+$/.test(helper)) throw unusable(`"${helper}" is no name of a credential helper`);
  const child = spawn(program, ['get'], { timeout: HELPER_TIMEOUT_MS, stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.on('error', () => {}); // one that ends before it has read everything says so by its exit code
  child.stdin.end(key);
  const [output, [code, signal]] = await Promise.all([text(child.stdout), once(child, 'close')]).catch(
    (error: Error) => {
      throw unusable(`${program}: ${error.message}`);
    },
  );
  if (code !== 0) {
    if (/credentials not found/i.test(output)) return undefined;
    throw unusable(`${program} ended with ${signal ?? `exit code ${code}`}`);
  }
  const { Username: username, Secret: password } = parseAnswer(output);
  if (!username || !password) throw unusable(`${program} gave no user and password`);
  if (username === TOKEN_USER) throw unusable('an identity token is no password; log in with an access token instead');
  return { username, password };
}

function parseAnswer(output: string): { Username?: string; Secret?: string } {
  try {
    return (JSON.parse(output) ?? {}) as { Username?: string; Secret?: string };
  } catch {
    return {};
  }
}
