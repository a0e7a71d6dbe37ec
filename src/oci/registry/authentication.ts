import type { RegistryCredentials } from './options.js';

/** What a registry wants before it answers (RFC 9110, section 11.6.1; https://distribution.github.io/distribution/spec/auth/token/). */
export type Challenge = BearerChallenge | { scheme: 'basic' };

/** A token is to be had at `realm`. */
export interface BearerChallenge {
  scheme: 'bearer';
  realm: string;
  service?: string;
  scope?: string;
}

/** Reads a `WWW-Authenticate` header; of several challenges the first that we know. */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  if (header === undefined) return undefined;
  for (const { scheme, parameters } of challenges(header.slice(0, 8192))) {
    const { realm, service, scope } = Object.fromEntries(parameters);
    if (scheme === 'basic') return { scheme };
    if (scheme === 'bearer' && realm) return { scheme, realm, ...(service && { service }), ...(scope && { scope }) };
  }
  return undefined;
}

function challenges(header: string): { scheme: string; parameters: Map<string, string> }[] {
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  const token = /\s*,?\s*([a-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+)))?/giy;
  for (let match = token.exec(header); match !== null; match = token.exec(header)) {
    const [, name = '', quoted, plain] = match;
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain;
    if (value === undefined) found.push({ scheme: name.toLowerCase(), parameters: new Map() });
    else found.at(-1)?.parameters.set(name.toLowerCase(), value);
  }
  return found;
}

/** Where a token is to be had, for one repository. */
export function tokenUrl(challenge: BearerChallenge, repository: string): URL | undefined {
  let url: URL;
  try {
    url = new URL(challenge.realm);
  } catch {
    return undefined;
  }
  if (challenge.service) url.searchParams.set('service', challenge.service);
  url.searchParams.set('scope', challenge.scope ?? `repository:${repository}:pull`);
  return url;
}

/** The token of an authentication server's answer; undefined if there is none that can stand in a header. */
export function tokenOf(answer: object): string | undefined {
  const { token, access_token: accessToken } = answer as { token?: unknown; access_token?: unknown };
  const value = token ?? accessToken;
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) ? value : undefined;
}

/** RFC 7617, in UTF-8. */
export function basicAuthorization({ username, password }: RegistryCredentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
