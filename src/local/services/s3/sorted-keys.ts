/**
 * Compares as S3 sorts: by the bytes of the UTF-8 form. JavaScript compares UTF-16 units, which differs where a surrogate
 * pair (above U+FFFF) meets a unit from U+E000 on.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const x = a.charCodeAt(index);
    const y = b.charCodeAt(index);
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? byCodePoint(x) - byCodePoint(y) : x - y;
  }
  return a.length - b.length;
}

/** Moves the surrogates above all other units. */
function byCodePoint(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

const MAX_BLOCK = 1024;

/**
 * A sorted set of keys in blocks, like the leaves of a B-tree: a million keys are searched in microseconds, and an
 * insertion moves a block and not everything behind it.
 */
export class SortedKeys {
  private blocks: string[][] = [];
  private count = 0;

  /** @param keys - in any order, without duplicates */
  constructor(keys: Iterable<string> = []) {
    const sorted = [...keys];
    if (!isSorted(sorted)) sorted.sort(compareKeys);
    this.count = sorted.length;
    for (let at = 0; at < sorted.length; at += MAX_BLOCK / 2) this.blocks.push(sorted.slice(at, at + MAX_BLOCK / 2));
  }

  get size(): number {
    return this.count;
  }

  /** Adds a key that is not there yet. */
  add(key: string): void {
    this.count++;
    // The block whose first key is the last one not above: there the key belongs.
    const at = Math.max(0, search(this.blocks.length, (index) => compareKeys(this.first(index), key) > 0) - 1);
    const block = this.blocks[at];
    if (!block) {
      this.blocks.push([key]);
      return;
    }
    block.splice(
      search(block.length, (index) => compareKeys(block[index] as string, key) > 0),
      0,
      key,
    );
    if (block.length > MAX_BLOCK) this.blocks.splice(at + 1, 0, block.splice(MAX_BLOCK / 2));
  }

  /** Removes a key that is there. */
  delete(key: string): void {
    const at = search(this.blocks.length, (index) => compareKeys(this.first(index), key) > 0) - 1;
    const block = this.blocks[at];
    const index = block ? search(block.length, (position) => compareKeys(block[position] as string, key) >= 0) : -1;
    if (!block || block[index] !== key) return;
    this.count--;
    block.splice(index, 1);
    if (block.length === 0) this.blocks.splice(at, 1);
  }

  /**
   * The keys in order, from the first that is not before the wanted place. The set must not change meanwhile.
   *
   * @param before - whether a key lies before that place: true for all up to some key, then false for the rest
   */
  *from(before: (key: string) => boolean): Generator<string, void> {
    let at = Math.max(0, search(this.blocks.length, (index) => !before(this.first(index))) - 1);
    let index = search(this.blocks[at]?.length ?? 0, (position) => !before(this.blocks[at]?.[position] as string));
    for (; at < this.blocks.length; at++, index = 0) {
      const block = this.blocks[at] as string[];
      for (; index < block.length; index++) yield block[index] as string;
    }
  }

  private first(index: number): string {
    return this.blocks[index]?.[0] as string;
  }
}

function isSorted(keys: readonly string[]): boolean {
  return keys.every((key, index) => index === 0 || compareKeys(keys[index - 1] as string, key) < 0);
}

/** The first index for which the condition holds; the length if for none. */
function search(length: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
