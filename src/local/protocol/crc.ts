import { crc32 } from 'node:zlib';

/** A cyclic redundancy check in progress. */
export interface Crc {
  update(bytes: Uint8Array): void;
  /** Big-endian, as the checksum headers of S3 have it. */
  digest(): Buffer;
}

/** Reflected polynomials and widths of the CRCs that S3 knows, all with initial and final value of all ones. */
const PARAMETERS = {
  CRC32: { width: 32, polynomial: 0xedb88320n },
  CRC32C: { width: 32, polynomial: 0x82f63b78n },
  CRC64NVME: { width: 64, polynomial: 0x9a6c9329ac4bc9b5n },
} as const;

export type CrcAlgorithm = keyof typeof PARAMETERS;

export function createCrc(algorithm: CrcAlgorithm): Crc {
  if (algorithm === 'CRC32') return new NativeCrc32();
  return algorithm === 'CRC32C' ? new Crc32c() : new Crc64Nvme();
}

class NativeCrc32 implements Crc {
  private value = 0;

  update(bytes: Uint8Array): void {
    this.value = crc32(bytes, this.value);
  }

  digest(): Buffer {
    const digest = Buffer.alloc(4);
    digest.writeUInt32BE(this.value >>> 0);
    return digest;
  }
}

/**
 * Tables for eight bytes at a time ("slicing-by-8", Kounavis and Berry 2005): entry `i * 256 + b` is the CRC of byte b
 * followed by i zero bytes. High and low words apart, as JavaScript's integers have 32 bits.
 */
function slicingTables(polynomial: bigint): { low: Int32Array; high: Int32Array } {
  const low = new Int32Array(8 * 256);
  const high = new Int32Array(8 * 256);
  const [polynomialLow, polynomialHigh] = [Number(polynomial & 0xffffffffn), Number(polynomial >> 32n)];
  for (let byte = 0; byte < 256; byte++) {
    let l = byte;
    let h = 0;
    for (let bit = 0; bit < 8; bit++) {
      const carry = l & 1;
      l = (l >>> 1) | (h << 31);
      h >>>= 1;
      if (carry) {
        l ^= polynomialLow;
        h ^= polynomialHigh;
      }
    }
    low[byte] = l;
    high[byte] = h;
  }
  for (let index = 256; index < 8 * 256; index++) {
    const l = entry(low, index - 256);
    const h = entry(high, index - 256);
    low[index] = ((l >>> 8) | (h << 24)) ^ entry(low, l & 0xff);
    high[index] = (h >>> 8) ^ entry(high, l & 0xff);
  }
  return { low, high };
}

let crc32cTable: Int32Array | undefined;

class Crc32c implements Crc {
  private value = -1;

  update(bytes: Uint8Array): void {
    crc32cTable ??= slicingTables(PARAMETERS.CRC32C.polynomial).low;
    const table = crc32cTable;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let value = this.value;
    let at = 0;
    for (const end = bytes.length - 7; at < end; at += 8) {
      value = slice(table, value ^ view.getInt32(at, true), view.getInt32(at + 4, true));
    }
    for (; at < bytes.length; at++) value = (value >>> 8) ^ entry(table, (value ^ view.getUint8(at)) & 0xff);
    this.value = value;
  }

  digest(): Buffer {
    const digest = Buffer.alloc(4);
    digest.writeInt32BE(~this.value);
    return digest;
  }
}

let crc64Tables: { low: Int32Array; high: Int32Array } | undefined;

class Crc64Nvme implements Crc {
  private low = -1;
  private high = -1;

  update(bytes: Uint8Array): void {
    crc64Tables ??= slicingTables(PARAMETERS.CRC64NVME.polynomial);
    const tables = crc64Tables;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let { low, high } = this;
    let at = 0;
    for (const end = bytes.length - 7; at < end; at += 8) {
      const a = low ^ view.getInt32(at, true);
      const b = high ^ view.getInt32(at + 4, true);
      low = slice(tables.low, a, b);
      high = slice(tables.high, a, b);
    }
    for (; at < bytes.length; at++) {
      const index = (low ^ view.getUint8(at)) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ entry(tables.low, index);
      high = (high >>> 8) ^ entry(tables.high, index);
    }
    this.low = low;
    this.high = high;
  }

  digest(): Buffer {
    const digest = Buffer.alloc(8);
    digest.writeInt32BE(~this.high);
    digest.writeInt32BE(~this.low, 4);
    return digest;
  }
}

/** Eight bytes at once, given as two words whose first byte is the lowest. */
function slice(table: Int32Array, a: number, b: number): number {
  return (
    entry(table, 1792 + (a & 0xff)) ^
    entry(table, 1536 + ((a >>> 8) & 0xff)) ^
    entry(table, 1280 + ((a >>> 16) & 0xff)) ^
    entry(table, 1024 + (a >>> 24)) ^
    entry(table, 768 + (b & 0xff)) ^
    entry(table, 512 + ((b >>> 8) & 0xff)) ^
    entry(table, 256 + ((b >>> 16) & 0xff)) ^
    entry(table, b >>> 24)
  );
}

/** An entry within bounds: the callers mask their indexes. */
function entry(table: Int32Array, index: number): number {
  return table[index] as number;
}

/** A CRC together with the number of bytes that it covers. */
export interface CoveredCrc {
  readonly digest: Buffer;
  readonly length: number;
}

/**
 * The CRC of a whole from those of its consecutive parts, without reading them again: the CRC of A followed by B is
 * CRC(A) times x^(8 |B|), modulo the polynomial, plus CRC(B).
 */
export function combineCrcs(algorithm: CrcAlgorithm, parts: readonly CoveredCrc[]): Buffer {
  const { width, polynomial } = PARAMETERS[algorithm];
  const field = { top: 1n << BigInt(width - 1), polynomial };
  // Parts mostly have one length, and the factor is the costly half.
  const factors = new Map<number, bigint>();
  let value = 0n;
  for (const part of parts) {
    const factor = factors.get(part.length) ?? powerOfX(8n * BigInt(part.length), field);
    factors.set(part.length, factor);
    value = multiply(factor, value, field) ^ BigInt(`0x${part.digest.toString('hex')}`);
  }
  return Buffer.from(value.toString(16).padStart(width / 4, '0'), 'hex');
}

interface Field {
  /** The bit of x^0: polynomials are reflected. */
  readonly top: bigint;
  readonly polynomial: bigint;
}

function multiply(a: bigint, b: bigint, { top, polynomial }: Field): bigint {
  let product = 0n;
  let shifted = b;
  for (let bit = top; bit > 0n && shifted > 0n; bit >>= 1n) {
    if (a & bit) product ^= shifted;
    shifted = shifted & 1n ? (shifted >> 1n) ^ polynomial : shifted >> 1n;
  }
  return product;
}

function powerOfX(exponent: bigint, field: Field): bigint {
  let result = field.top;
  let square = field.top >> 1n;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = multiply(square, result, field);
    square = multiply(square, square, field);
  }
  return result;
}
