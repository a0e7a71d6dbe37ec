import type { IncomingHttpHeaders } from 'node:http';
import { ImageError, RegistryError, type ScarError } from '../../errors.js';
import { excerpt } from '../excerpt.js';
import { DOCKER_HUB, formatReference, type RegistryReference } from '../reference.js';

/** One answer that is no success, with as much of its body as an explanation needs. */
export interface RefusedAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  /** What was asked for: `manifest 12`, `blob sha256:...`. */
  what: string;
}

/** Thrown inside the transport for what the network did; the retry loop turns the last one into a RegistryError. */
export class TransportFailure extends Error {
  /** @param permanent - whether trying again cannot help, e.g. a certificate that nobody vouches for */
  constructor(
    message: string,
    readonly permanent: boolean,
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}

/** Says what a registry's refusal means, and what to do. */
export function refusal(reference: RegistryReference, answer: RefusedAnswer, loggedIn: boolean): ScarError {
  const image = formatReference(reference);
  const said = registrySaid(answer.body);
  const context = { registry: reference.registry, repository: reference.repository, status: answer.status };
  switch (answer.status) {
    case 401:
    case 403:
      return new RegistryError(
        'registry-denied',
        `${reference.registry} refused ${answer.what} of ${image} (HTTP ${answer.status}${said}). ` +
          (loggedIn
            ? 'The credentials were not accepted, or have no right to pull it.'
            : 'There is no such repository, or it needs credentials: those of `docker login`, or given as options.'),
        { context },
      );
    case 404:
      return new ImageError(
        'image-not-found',
        `${reference.registry} has no ${answer.what} of ${image} (HTTP 404${said}). Check name and tag.`,
        { context },
      );
    case 429:
      return rateLimited(reference, answer, said, context);
    default:
      return new RegistryError(
        'registry-unavailable',
        `${reference.registry} failed on ${answer.what} of ${image}: HTTP ${answer.status}${said}.`,
        { context, retryable: answer.status >= 500 || answer.status === 408 },
      );
  }
}

/** The network's last failure, when trying again has not helped or cannot. */
export function unreachable(reference: RegistryReference, what: string, failure: TransportFailure): RegistryError {
  return new RegistryError(
    'registry-unavailable',
    `${reference.registry} could not be asked for ${what} of ${formatReference(reference)}: ${failure.message}. ` +
      "Check the registry's name and port, and that it can be reached from here.",
    { context: { registry: reference.registry }, retryable: !failure.permanent, cause: failure.cause },
  );
}

/** An answer that breaks the protocol, or asks for what we do not do. */
export function badAnswer(reference: RegistryReference, what: string): RegistryError {
  return new RegistryError('registry-unavailable', `${reference.registry} ${what}.`, {
    context: { registry: reference.registry },
  });
}

function rateLimited(
  reference: RegistryReference,
  answer: RefusedAnswer,
  said: string,
  context: Record<string, unknown>,
): RegistryError {
  const retryAfterMs = retryAfter(answer.headers);
  const wait = retryAfterMs === undefined ? '' : ` It asks to wait ${Math.ceil(retryAfterMs / 1000)} s.`;
  // https://docs.docker.com/docker-hub/usage/pulls/
  const hub =
    'Docker Hub allows 100 pulls in 6 hours from one IPv4 address (or IPv6 /64) without a login. Wait, use `docker login`, ' +
    'or keep a copy of the image in a registry of your own.';
  const other = 'Wait, pass credentials if you have any, or ask for fewer pulls at once.';
  return new RegistryError(
    'registry-rate-limited',
    `${reference.registry} limits pulls and refused ${answer.what} of ${formatReference(reference)} ` +
      `(HTTP 429${said}).${wait} ${reference.registry === DOCKER_HUB ? hub : other}`,
    { context: { ...context, ...(retryAfterMs !== undefined && { retryAfterMs }) }, retryable: true },
  );
}

/** How long an answer asks to wait, in ms: seconds or a date (RFC 9110, section 10.2.3). */
export function retryAfter(headers: IncomingHttpHeaders): number | undefined {
  const value = headers['retry-after']?.trim();
  if (!value) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** The first of the errors in an answer's body, for people: `, DENIED: requested access ...`. */
function registrySaid(body: string): string {
  try {
    const first = (JSON.parse(body) as { errors?: { code?: unknown; message?: unknown }[] }).errors?.[0];
    const text = [first?.code, first?.message].filter((part) => typeof part === 'string' && part !== '').join(': ');
    return text === '' ? '' : `, ${excerpt(text, 200)}`;
  } catch {
    return '';
  }
}
