import type { Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { ImageError } from '../errors.js';
import { formatBytes } from '../util/format-bytes.js';
import { hashFor } from './digest.js';
import type { Descriptor } from './image-source.js';

/** What a descriptor promises, checked while the bytes pass. */
type Promised = Pick<Descriptor, 'digest' | 'size'>;

/** Checks bytes against a descriptor as they pass: more bytes than promised fail at once, fewer or others at the end. */
export class Verifier {
  readonly #promised: Promised;
  readonly #where: string;
  readonly #hash: Hash;
  #bytes = 0;

  /** @param where - how messages call it: `layer 2 of alpine:3` */
  constructor(promised: Promised, where: string) {
    this.#promised = promised;
    this.#where = where;
    this.#hash = hashFor(promised.digest, where);
    if (!Number.isSafeInteger(promised.size) || promised.size < 0) {
      throw new ImageError('image-corrupt', `${where} must have a size in bytes; received ${promised.size}`);
    }
  }

  update(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength;
    if (this.#bytes > this.#promised.size) throw this.#wrongSize(`at least ${this.#bytes}`);
    this.#hash.update(chunk);
  }

  /** Throws `image-corrupt` unless exactly the promised bytes have passed. */
  finish(): void {
    if (this.#bytes !== this.#promised.size) throw this.#wrongSize(`${this.#bytes}`);
    const algorithm = this.#promised.digest.slice(0, this.#promised.digest.indexOf(':'));
    const actual = `${algorithm}:${this.#hash.digest('hex')}`;
    if (actual === this.#promised.digest) return;
    throw new ImageError(
      'image-corrupt',
      `${this.#where} should have the digest ${this.#promised.digest}, but what came has ${actual}. ` +
        'It was damaged or replaced on its way; try again, or push the image anew.',
      { context: { expected: this.#promised.digest, received: actual } },
    );
  }

  #wrongSize(received: string): ImageError {
    return new ImageError(
      'image-corrupt',
      `${this.#where} should have ${this.#promised.size} bytes, but ${received} came. ` +
        'It was cut or replaced on its way; try again, or push the image anew.',
      { context: { digest: this.#promised.digest, expectedBytes: this.#promised.size, received } },
    );
  }
}

/** Passes a blob on and throws unless it ends as exactly what the descriptor promises. */
export async function* verified(
  stream: AsyncIterable<Uint8Array>,
  promised: Promised,
  where: string,
  onBytes?: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  const verifier = new Verifier(promised, where);
  for await (const chunk of stream) {
    verifier.update(chunk);
    onBytes?.(chunk.byteLength);
    yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  verifier.finish();
}

/**
 * Reads a small blob (a manifest, a config) whole.
 *
 * @param maxBytes - refuses a descriptor that promises more
 * @throws ImageError `image-corrupt` if size or digest differ, `image-unsafe` if it is larger than `maxBytes`
 */
export async function readVerified(
  stream: Readable | AsyncIterable<Uint8Array>,
  promised: Promised,
  maxBytes: number,
  where = `blob ${promised.digest}`,
): Promise<Buffer> {
  if (promised.size > maxBytes) throw tooLarge(where, promised.size, maxBytes);
  const chunks: Buffer[] = [];
  for await (const chunk of verified(stream, promised, where)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The error for a document that is larger than anything honest. */
export function tooLarge(where: string, bytes: number, maxBytes: number): ImageError {
  return new ImageError(
    'image-unsafe',
    `${where} must have at most ${formatBytes(maxBytes)}; it claims ${formatBytes(bytes)}`,
    { context: { bytes, maxBytes } },
  );
}
