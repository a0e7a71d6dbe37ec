import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { type CrcAlgorithm, createCrc } from './crc.js';
import { ServiceError } from './service.js';

const HASHES = { SHA1: 'sha1', SHA256: 'sha256', SHA512: 'sha512', MD5: 'md5' } as const;
const CRCS = ['CRC32', 'CRC32C', 'CRC64NVME'] as const satisfies readonly CrcAlgorithm[];

/** The checksums of an object that can be verified and stored. */
export type ChecksumAlgorithm = keyof typeof HASHES | CrcAlgorithm;

export const CHECKSUM_ALGORITHMS: readonly ChecksumAlgorithm[] = [
  ...CRCS,
  ...(Object.keys(HASHES) as (keyof typeof HASHES)[]),
];

export interface Checksum {
  update(bytes: Uint8Array): unknown;
  digest(): Buffer;
}

export function createChecksum(algorithm: ChecksumAlgorithm): Checksum {
  return isCrc(algorithm) ? createCrc(algorithm) : createHash(HASHES[algorithm]);
}

/** Whether the whole's checksum can be had from those of its parts. */
export function isCrc(algorithm: ChecksumAlgorithm): algorithm is CrcAlgorithm {
  return (CRCS as readonly string[]).includes(algorithm);
}

/** The header or trailer of a checksum. */
export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`;
}

const BY_HEADER = new Map(CHECKSUM_ALGORITHMS.map((algorithm) => [checksumHeader(algorithm), algorithm]));

/** Headers that share the checksums' prefix and are none. */
const NOT_CHECKSUMS = new Set(['algorithm', 'type', 'mode'].map((name) => `x-amz-checksum-${name}`));

/** What a request says of its body's checksum: the algorithm, and the value unless that comes in a trailer. */
export interface DeclaredChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly value: string | undefined;
}

/** @throws ServiceError when there are several, or when the algorithm is unknown to the engine */
export function declaredChecksum(headers: IncomingHttpHeaders): DeclaredChecksum | undefined {
  const names = Object.keys(headers).filter((name) => name.startsWith('x-amz-checksum-') && !NOT_CHECKSUMS.has(name));
  const trailer = headers['x-amz-trailer'];
  const all = trailer === undefined ? names : [...names, ...String(trailer).toLowerCase().split(',')];
  if (all.length > 1) {
    throw new ServiceError(
      'InvalidRequest',
      400,
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    );
  }
  const name = all[0]?.trim();
  if (name === undefined) return undefined;
  const algorithm = BY_HEADER.get(name);
  if (!algorithm) {
    throw new ServiceError(
      'NotImplemented',
      501,
      `The embedded engine does not implement the checksum or trailer ${name}`,
    );
  }
  return { algorithm, value: names.length > 0 ? String(headers[name]) : undefined };
}
