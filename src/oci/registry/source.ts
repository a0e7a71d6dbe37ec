import { Readable } from 'node:stream';
import { MAX_MANIFEST_BYTES, parseJson } from '../documents.js';
import type { Descriptor, ImageSource } from '../image-source.js';
import { INDEX_TYPES, MANIFEST_TYPES, SCHEMA_1_TYPES } from '../media-types.js';
import type { RegistryReference } from '../reference.js';
import { tooLarge } from '../verify.js';
import { Attempts, Refused } from './attempts.js';
import { type BearerChallenge, basicAuthorization, parseChallenge, tokenOf, tokenUrl } from './authentication.js';
import { badAnswer, refusal, retryAfter, TransportFailure } from './errors.js';
import { type RegistryOptions, type ResolvedRegistryOptions, resolveRegistryOptions } from './options.js';
import { MAX_SMALL_BYTES, readUpTo, Transport, type TransportAnswer } from './transport.js';

const MAX_TOKEN_BYTES = 1024 * 1024;
/** A blob that goes on by this much has not failed in vain: attempts are counted anew. */
const PROGRESS_BYTES = 1024 * 1024;
/** Pieces that arrive ahead while the ones before are unpacked. */
export const READ_AHEAD_BYTES = 1024 * 1024;

/**
 * The pull side of the OCI distribution specification
 * (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull).
 *
 * Whatever is tried again is tried again here and nowhere else: failures of the network, silences, 408, 429 and 5xx.
 */
export class RegistrySource implements ImageSource {
  readonly reference: string;
  readonly digest: string | undefined;
  readonly #reference: RegistryReference;
  readonly #options: ResolvedRegistryOptions;
  readonly #transport: Transport;
  /** The `Authorization` that the registry last wanted. */
  #authorization: string | undefined;

  constructor(reference: RegistryReference, options: RegistryOptions = {}) {
    this.reference = reference.text;
    this.digest = reference.digest;
    this.#reference = reference;
    this.#options = resolveRegistryOptions(reference.registry, options);
    this.#transport = new Transport(reference, this.#options);
  }

  manifest(digest: string | undefined, signal?: AbortSignal): Promise<{ mediaType: string; bytes: Buffer }> {
    const name = digest ?? this.digest ?? this.#reference.tag ?? 'latest';
    const what = `manifest ${name}`;
    // Schema 1 is asked for to be refused by its name, instead of a 404 that nobody understands.
    const accept = [...INDEX_TYPES, ...MANIFEST_TYPES, ...SCHEMA_1_TYPES].join(', ');
    return this.#retrying(what, signal, async () => {
      const answer = await this.#get(`manifests/${name}`, what, { accept }, signal);
      const mediaType = (answer.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
      return { mediaType, bytes: await readAtMost(answer, MAX_MANIFEST_BYTES, `${what} of ${this.reference}`) };
    });
  }

  async blob(descriptor: Descriptor, signal?: AbortSignal): Promise<Readable> {
    return Readable.from(this.#blobBytes(descriptor, signal), { objectMode: false, highWaterMark: READ_AHEAD_BYTES });
  }

  async close(): Promise<void> {
    this.#authorization = undefined;
  }

  /** A blob from beginning to end, over as many answers as it takes: after a cut, the next one begins where it was. */
  async *#blobBytes(descriptor: Descriptor, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    const what = `blob ${descriptor.digest}`;
    const attempts = new Attempts(this.#reference, this.#options, what, signal);
    let done = 0;
    let doneBeforeFailure = 0;
    for (;;) {
      try {
        const range: Record<string, string> = done === 0 ? {} : { range: `bytes=${done}-` };
        const answer = await this.#get(`blobs/${descriptor.digest}`, what, range, signal);
        let skip = done - startOf(answer);
        if (skip < 0) {
          await answer.discard();
          throw badAnswer(this.#reference, `sent another range of ${what} than was asked for`);
        }
        for await (const piece of answer.body) {
          const fresh = skip === 0 ? piece : piece.subarray(Math.min(skip, piece.length));
          skip -= piece.length - fresh.length;
          done += fresh.length;
          if (fresh.length > 0) yield fresh;
        }
        // A body without a length seems whole when the connection ends.
        if (done >= descriptor.size) return;
        throw new TransportFailure(`the connection ended after ${done} of ${descriptor.size} bytes`, false);
      } catch (error) {
        if (done - doneBeforeFailure >= PROGRESS_BYTES) attempts.reset();
        doneBeforeFailure = done;
        await attempts.failed(error);
      }
    }
  }

  async #retrying<T>(what: string, signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
    const attempts = new Attempts(this.#reference, this.#options, what, signal);
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        await attempts.failed(error);
      }
    }
  }

  /** One GET below `/v2/<repository>/`, logged in if the registry wants it. Throws unless the answer is a success. */
  async #get(
    path: string,
    what: string,
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<TransportAnswer> {
    const url = new URL(`/v2/${this.#reference.repository}/${path}`, this.#options.origin);
    const send = async (authorization: string | undefined): Promise<TransportAnswer> =>
      this.#transport.get({
        url,
        headers: { ...commonHeaders, ...headers, ...(authorization && { authorization }) },
        signal,
      });

    const used = this.#authorization;
    let answer = await send(used);
    // Only the registry may ask for a login, not the storage that it redirects to.
    if (answer.status === 401 && answer.origin === this.#options.origin) {
      // Again with a new login: there was none yet, or the token has expired in the middle of a long pull.
      const authorization = await this.#logIn(answer, used, signal).catch(async (error: unknown) => {
        await answer.discard();
        throw error;
      });
      if (authorization !== undefined) {
        await answer.discard();
        this.#authorization = authorization;
        answer = await send(authorization);
      }
    }
    if (answer.status === 200 || answer.status === 206) return answer;
    throw await this.#refused(answer, what);
  }

  /** The `Authorization` that an answer asks for; undefined if we have none, or none but the one that was refused. */
  async #logIn(
    answer: TransportAnswer,
    used: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const challenge = parseChallenge(answer.headers['www-authenticate']);
    if (challenge?.scheme === 'bearer') return this.#token(challenge, signal);
    const { credentials } = this.#options;
    return challenge && credentials && used === undefined ? basicAuthorization(credentials) : undefined;
  }

  async #token(challenge: BearerChallenge, signal: AbortSignal | undefined): Promise<string> {
    const { credentials } = this.#options;
    const url = this.#transport.checked(tokenUrl(challenge, this.#reference.repository), 'sends logins');
    const headers = { ...commonHeaders, ...(credentials && { authorization: basicAuthorization(credentials) }) };
    const answer = await this.#transport.get({ url, headers, signal });
    if (answer.status !== 200) throw await this.#refused(answer, 'a token for the manifest');
    const where = `the token of ${url.host}`;
    const token = tokenOf(parseJson(await readAtMost(answer, MAX_TOKEN_BYTES, where), where));
    if (token === undefined) throw badAnswer(this.#reference, `names ${url.host} for logins, which sent no token`);
    return `Bearer ${token}`;
  }

  async #refused(answer: TransportAnswer, what: string): Promise<Refused> {
    const body = (await readUpTo(answer, MAX_SMALL_BYTES)).toString('utf8');
    const { status, headers } = answer;
    const error = refusal(this.#reference, { status, headers, body, what }, this.#options.credentials !== undefined);
    return new Refused(error, status, retryAfter(headers));
  }
}

/** The body as stored: no proxy may compress what a digest is computed of. */
const commonHeaders = { 'user-agent': 'scar-client', 'accept-encoding': 'identity' };

/** First byte of an answer: from `Content-Range` if it is a part (RFC 9110, section 14.4). */
function startOf(answer: TransportAnswer): number {
  if (answer.status !== 206) return 0;
  const start = /^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '')?.[1];
  return start === undefined ? Number.POSITIVE_INFINITY : Number(start);
}

async function readAtMost(answer: TransportAnswer, maxBytes: number, where: string): Promise<Buffer> {
  const bytes = await readUpTo(answer, maxBytes + 1);
  if (bytes.length > maxBytes) throw tooLarge(where, bytes.length, maxBytes);
  return bytes;
}
