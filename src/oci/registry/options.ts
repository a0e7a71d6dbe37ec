import { DOCKER_HUB } from '../reference.js';

/** A login for one registry. ghcr.io takes a token as the password; ECR the user `AWS` and its authorization token. */
export interface RegistryCredentials {
  username: string;
  password: string;
}

/** How to speak to a registry. */
export interface RegistryOptions {
  /** Sent only when the registry asks for it, and never to where it redirects. Default: anonymous. */
  credentials?: RegistryCredentials;
  /** Plain HTTP: `true` for it, `false` never. Default: for loopback addresses only. */
  insecure?: boolean;
  /** How often one request is tried, a resumed blob counting anew with every MiB that came. Default 5. */
  attempts?: number;
  /** Longest wait that a registry may ask for (`Retry-After`), in ms; above it the error comes at once. Default 60,000. */
  maxRetryWaitMs?: number;
  /** From sending a request to the first byte of its answer, connecting included, in ms. Default 30,000. */
  responseTimeoutMs?: number;
  /** Longest silence in the middle of an answer, in ms. Default 30,000. */
  stallTimeoutMs?: number;
}

export type ResolvedRegistryOptions = Required<Omit<RegistryOptions, 'credentials' | 'insecure'>> &
  Pick<RegistryOptions, 'credentials'> & {
    /** Where the API is: `https://registry-1.docker.io`. */
    origin: string;
  };

export function resolveRegistryOptions(registry: string, options: RegistryOptions): ResolvedRegistryOptions {
  const host = registry === DOCKER_HUB ? 'registry-1.docker.io' : registry;
  const plain = options.insecure ?? isLoopback(new URL(`https://${host}`).hostname);
  return {
    attempts: options.attempts ?? 5,
    maxRetryWaitMs: options.maxRetryWaitMs ?? 60_000,
    responseTimeoutMs: options.responseTimeoutMs ?? 30_000,
    stallTimeoutMs: options.stallTimeoutMs ?? 30_000,
    origin: new URL(`${plain ? 'http' : 'https'}://${host}`).origin,
    ...(options.credentials && { credentials: options.credentials }),
  };
}

/** Whether a host can only be this machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
