import { BLOCK, corrupt, number, type SparseMap } from './header.js';
import { decimal, pairs } from './pax.js';

/** No honest file has more holes; GNU tar itself writes far fewer. */
const MAX_SEGMENTS = 100_000;

/** Segments of GNU's old format: pairs of 12-byte numbers in the header and in its extension blocks. */
export class OldSparseMap {
  readonly map: SparseMap;
  #more: boolean;

  /** @param header - the header block of an entry with the flag `S`: 4 pairs at 386, "more" at 482, the size at 483 */
  constructor(header: Buffer) {
    this.map = { size: number(header, 483, 12, 'sparse size'), segments: [] };
    this.#read(header, 386, 4);
    this.#more = header[482] !== 0;
  }

  /** Whether an extension block follows: 21 pairs, "more" at 504. */
  get wantsBlock(): boolean {
    return this.#more;
  }

  addBlock(block: Buffer): void {
    this.#read(block, 0, 21);
    this.#more = block[504] !== 0;
    if (this.map.segments.length > MAX_SEGMENTS) throw corrupt('a sparse file has too many segments');
  }

  #read(block: Buffer, at: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const offset = at + 24 * i;
      if (block[offset] === 0) return;
      this.map.segments.push({
        offset: number(block, offset, 12, 'sparse map'),
        length: number(block, offset + 12, 12, 'sparse map'),
      });
    }
  }
}

/** The map of GNU's sparse format 1.0: decimal lines before the content (count, then pairs), padded to whole blocks. */
export class PaxSparseMap {
  readonly #numbers: number[] = [];
  #rest = '';
  bytes = 0;

  /** Takes one block; true when the map is complete. */
  addBlock(block: Buffer): boolean {
    this.bytes += BLOCK;
    const lines = (this.#rest + block.toString('latin1', 0, BLOCK)).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (this.#complete()) return true;
      this.#numbers.push(decimal(line, 'sparse map'));
    }
    if ((this.#numbers[0] ?? 0) > MAX_SEGMENTS) throw corrupt('a sparse file has too many segments');
    return this.#complete();
  }

  segments(): SparseMap['segments'] {
    return pairs(this.#numbers.slice(1));
  }

  #complete(): boolean {
    const count = this.#numbers[0];
    return count !== undefined && this.#numbers.length >= 1 + 2 * count;
  }
}

/** Throws `image-corrupt` unless segments are in order, within the file, and as long together as the stored bytes. */
export function checkSparse(map: SparseMap, storedBytes: number): void {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of map.segments) {
    if (offset < end || offset + length > map.size) throw corrupt('a sparse map does not fit its file');
    end = offset + length;
    sum += length;
  }
  if (sum !== storedBytes) throw corrupt('a sparse map does not add up to what is stored');
}
