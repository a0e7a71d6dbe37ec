import { createHash, type Hash } from 'node:crypto';
import { ImageError } from '../errors.js';

/**
 * The algorithms that the image specification registers, and the length of their hex form
 * (https://github.com/opencontainers/image-spec/blob/main/descriptor.md#registered-algorithms).
 */
const algorithms = new Map([
  ['sha256', 64],
  ['sha512', 128],
]);

/** Whether a text is a digest of an algorithm that we can compute; a digest that passes is safe as a part of a path. */
export function isDigest(text: unknown): text is string {
  if (typeof text !== 'string') return false;
  const colon = text.indexOf(':');
  const hex = text.slice(colon + 1);
  return algorithms.get(text.slice(0, colon)) === hex.length && /^[0-9a-f]+$/.test(hex);
}

/** The two halves of a digest. Throws `image-corrupt` if it is none, naming `where` it stood. */
export function parseDigest(text: unknown, where: string): { algorithm: string; hex: string } {
  if (!isDigest(text)) {
    throw new ImageError(
      'image-corrupt',
      `${where} must have a digest like "sha256:<64 hex digits>"; received ${JSON.stringify(text)?.slice(0, 100)}`,
    );
  }
  const colon = text.indexOf(':');
  return { algorithm: text.slice(0, colon), hex: text.slice(colon + 1) };
}

/** A running hash for a digest's algorithm. */
export function hashFor(digest: string, where: string): Hash {
  return createHash(parseDigest(digest, where).algorithm);
}

/** `sha256:...` of some bytes. */
export function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
