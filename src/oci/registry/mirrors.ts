import { Readable } from 'node:stream';
import { ImageError, ScarError } from '../../errors.js';
import type { Descriptor, ImageSource } from '../image-source.js';
import { parseReference, type RegistryReference } from '../reference.js';
import { READ_AHEAD_BYTES, RegistrySource } from './source.js';

/** A mirror is only the faster or the cheaper way: one that is in trouble is left early. */
const MIRROR_PATIENCE = {
  attempts: 2,
  responseTimeoutMs: 10_000,
  stallTimeoutMs: 10_000,
  maxRetryWaitMs: 1_000,
} as const;

/** Registries that have copies of another one's images. */
export interface Mirrors {
  /** `HOST[:PORT][/PREFIX]`, in the order in which they are asked: `mirror.gcr.io`, `harbor.example.org/dockerhub`. */
  hosts: readonly string[];
  /** Learns why a mirror was passed over. */
  warn(message: string): void;
}

/**
 * The name that an image has at a mirror.
 *
 * @throws ImageError `image-reference` if the mirror is none
 */
export function atMirror(mirror: string, { repository, tag, digest }: RegistryReference): RegistryReference {
  const reference = parseReference(`${mirror}/${repository}${tag ? `:${tag}` : ''}${digest ? `@${digest}` : ''}`);
  if (reference.type === 'registry' && reference.registry === mirror.split('/')[0]) return reference;
  throw new ImageError(
    'image-reference',
    `${JSON.stringify(mirror)} is no mirror: it must be HOST[:PORT][/PREFIX], with a dot in HOST`,
  );
}

/**
 * An image of a registry that has mirrors: each is asked in turn, without the registry's login, and the registry itself at last. What a mirror
 * sends is verified by its digest like everything; a tag means what the first mirror that knows it says.
 */
export class MirroredSource implements ImageSource {
  readonly reference: string;
  readonly digest: string | undefined;
  readonly #registry: RegistrySource;
  readonly #warn: (message: string) => void;
  #mirrors: RegistrySource[];

  constructor(reference: RegistryReference, registry: RegistrySource, { hosts, warn }: Mirrors) {
    this.reference = reference.text;
    this.digest = reference.digest;
    this.#registry = registry;
    this.#mirrors = hosts.map((host) => new RegistrySource(atMirror(host, reference), MIRROR_PATIENCE));
    this.#warn = warn;
  }

  async manifest(digest: string | undefined, signal?: AbortSignal): Promise<{ mediaType: string; bytes: Buffer }> {
    for (const mirror of this.#mirrors) {
      try {
        return await mirror.manifest(digest, signal);
      } catch (error) {
        this.#passOver(mirror, error, signal);
      }
    }
    return this.#registry.manifest(digest, signal);
  }

  async blob(descriptor: Descriptor, signal?: AbortSignal): Promise<Readable> {
    return Readable.from(this.#blobBytes(descriptor, signal), { objectMode: false, highWaterMark: READ_AHEAD_BYTES });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#mirrors, this.#registry].map((source) => source.close()));
  }

  /** From the first that has it; where one ends half-way, the next one's bytes follow. */
  async *#blobBytes(descriptor: Descriptor, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
    let done = 0;
    for (const source of [...this.#mirrors, this.#registry]) {
      let skip = done;
      try {
        for await (const piece of (await source.blob(descriptor, signal)) as AsyncIterable<Buffer>) {
          const fresh = piece.subarray(Math.min(skip, piece.length));
          skip -= piece.length - fresh.length;
          done += fresh.length;
          if (fresh.length > 0) yield fresh;
        }
        return;
      } catch (error) {
        if (source === this.#registry) throw error;
        this.#passOver(source, error, signal);
      }
    }
  }

  /** It is not asked for the rest of this image, which it may lack as a whole; nor told of twice, where layers come at the same time. */
  #passOver(mirror: RegistrySource, error: unknown, signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (!(error instanceof ScarError)) throw error;
    if (!this.#mirrors.includes(mirror)) return;
    this.#mirrors = this.#mirrors.filter((other) => other !== mirror);
    this.#warn(`A mirror is passed over: ${error.message}`);
  }
}
