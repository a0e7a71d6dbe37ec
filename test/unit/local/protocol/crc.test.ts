import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type CrcAlgorithm, combineCrcs, createCrc } from '../../../../src/local/protocol/crc.js';

const digest = (algorithm: CrcAlgorithm, ...chunks: Buffer[]) => {
  const crc = createCrc(algorithm);
  for (const chunk of chunks) crc.update(chunk);
  return crc.digest();
};

/** One bit at a time, straight from the definition. */
function bitwise(width: number, polynomial: bigint, data: Buffer): bigint {
  const ones = (1n << BigInt(width)) - 1n;
  let value = ones;
  for (const byte of data) {
    value ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ polynomial : value >> 1n;
  }
  return value ^ ones;
}

describe.each([
  // The check values of the catalogue of parametrised CRC algorithms: of "123456789".
  { algorithm: 'CRC32', check: 'cbf43926', width: 32, polynomial: 0xedb88320n },
  { algorithm: 'CRC32C', check: 'e3069283', width: 32, polynomial: 0x82f63b78n },
  { algorithm: 'CRC64NVME', check: 'ae8b14860a799888', width: 64, polynomial: 0x9a6c9329ac4bc9b5n },
] as const)('$algorithm', ({ algorithm, check, width, polynomial }) => {
  it('has its check value', () => {
    expect(digest(algorithm, Buffer.from('123456789')).toString('hex')).toBe(check);
    expect(digest(algorithm).toString('hex')).toBe('0'.repeat(width / 4));
  });

  it('is that of its definition, for every alignment', () => {
    const data = randomBytes(64);
    for (let from = 0; from < 9; from++) {
      for (let to = from; to <= data.length; to += 5) {
        const piece = data.subarray(from, to);
        const expected = bitwise(width, polynomial, piece)
          .toString(16)
          .padStart(width / 4, '0');
        expect(digest(algorithm, piece).toString('hex')).toBe(expected);
      }
    }
  });

  it('does not depend on how the data is cut', () => {
    const data = randomBytes(1000);
    const whole = digest(algorithm, data);
    for (const cut of [0, 1, 7, 8, 9, 500, 999, 1000]) {
      expect(digest(algorithm, data.subarray(0, cut), data.subarray(cut))).toEqual(whole);
    }
  });

  it('is combined from those of parts', () => {
    const data = randomBytes(3000);
    const whole = digest(algorithm, data);
    const part = (from: number, to: number) => ({
      digest: digest(algorithm, data.subarray(from, to)),
      length: to - from,
    });
    expect(combineCrcs(algorithm, [part(0, 3000)])).toEqual(whole);
    expect(combineCrcs(algorithm, [part(0, 1), part(1, 1000), part(1000, 2999), part(2999, 3000)])).toEqual(whole);
    expect(combineCrcs(algorithm, [part(0, 0), part(0, 3000), part(3000, 3000)])).toEqual(whole);
  });
});
