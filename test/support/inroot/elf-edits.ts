import fc from 'fast-check';

/** Where a structure's fields are, and how many bytes they have (elf(5); `unwind`: LSB Core, 10.6.2). */
const FIELDS = {
  file: {
    ...{ e_ident: [0, 4], e_class: [4, 1], e_type: [16, 2], e_machine: [18, 2], e_entry: [24, 8], e_phoff: [32, 8] },
    ...{ e_shoff: [40, 8], e_phentsize: [54, 2], e_phnum: [56, 2], e_shentsize: [58, 2], e_shnum: [60, 2] },
  },
  program: {
    ...{ p_type: [0, 4], p_flags: [4, 4], p_offset: [8, 8], p_vaddr: [16, 8] },
    ...{ p_filesz: [32, 8], p_memsz: [40, 8], p_align: [48, 8] },
  },
  section: { sh_type: [4, 4], sh_flags: [8, 8], sh_offset: [24, 8], sh_size: [32, 8] },
  unwind: {
    ...{ version: [0, 1], frame_encoding: [1, 1], count_encoding: [2, 1], table_encoding: [3, 1], frame: [4, 4] },
    ...{ count: [8, 4], first_start: [12, 4], first_description: [16, 4], second_start: [20, 4] },
  },
  interpreter: { first: [0, 1], second: [1, 1], tenth: [9, 1] },
} as const satisfies Record<string, Record<string, readonly [number, number]>>;

type Structure = keyof typeof FIELDS;

/** A number for a field: of its own, near another one of the file, or that of the same field of another entry. */
export type Value = { is: bigint } | { plus: bigint } | { fileSizePlus: bigint } | { entry: number; plus: bigint };

/**
 * A change to an ELF file. An entry counts modulo how many there are; the table of sections is not changed where there is none. `code` goes
 * into the first segment of code, at so many thousandths of it.
 */
export type Edit =
  | { structure: Structure; entry?: number; field: string; value: Value }
  | { bytes: string; at: number }
  | { code: string; at: number }
  | { size: Value };

const PT_LOAD = 1;
const PT_INTERP = 3;
const PT_GNU_EH_FRAME = 0x6474e550;
const PF_X = 1;

interface Segment {
  type: number;
  flags: number;
  offset: number;
  fileSize: number;
}

/** A file under change; the places of its structures are those that it had at first. */
class Draft {
  readonly #original: Buffer;
  readonly #segments: Segment[];
  bytes: Buffer;

  constructor(original: Buffer) {
    this.#original = original;
    this.bytes = Buffer.from(original);
    this.#segments = Array.from({ length: original.readUInt16LE(56) }, (_, i) => {
      const at = Number(original.readBigUInt64LE(32)) + 56 * i;
      const [type, flags] = [original.readUInt32LE(at), original.readUInt32LE(at + 4)];
      const [offset, fileSize] = [8, 32].map((field) => Number(original.readBigUInt64LE(at + field)));
      return { type, flags, offset, fileSize } as Segment;
    });
  }

  apply(edit: Edit): void {
    if ('size' in edit) {
      const size = this.#number(edit.size, BigInt(this.#original.length), () => 0n) & 0xff_ffffn;
      this.bytes = Buffer.concat([this.bytes, Buffer.alloc(Number(size))]).subarray(0, Number(size));
    } else if ('field' in edit) {
      this.#setField(edit.structure, edit.entry ?? 0, edit.field, edit.value);
    } else if ('code' in edit) {
      const segment = this.#segments.find(({ type, flags }) => type === PT_LOAD && flags & PF_X);
      if (segment) this.#write(segment.offset + Math.floor((segment.fileSize * edit.at) / 1000), edit.code);
    } else {
      this.#write(Math.floor((this.#original.length * edit.at) / 1000), edit.bytes);
    }
  }

  #write(at: number, hex: string): void {
    Buffer.from(hex, 'hex').copy(this.bytes, Math.min(at, this.bytes.length));
  }

  #setField(structure: Structure, entry: number, field: string, value: Value): void {
    const [offset, size] = (FIELDS[structure] as Record<string, readonly [number, number]>)[field] ?? [0, 0];
    const place = (index: number) => {
      const base = this.#placeOf(structure, index);
      return base === undefined || base + offset + size > this.bytes.length ? undefined : base + offset;
    };
    const read = (index: number) => {
      const from = place(index);
      return from === undefined
        ? 0n
        : BigInt(
            `0x${Buffer.from(this.bytes.subarray(from, from + size))
              .reverse()
              .toString('hex')}`,
          );
    };
    const at = place(entry);
    if (at === undefined) return;
    const number = BigInt.asUintN(8 * size, this.#number(value, read(entry), read));
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(number);
    bytes.copy(this.bytes, at, 0, size);
  }

  #placeOf(structure: Structure, entry: number): number | undefined {
    const [offset, count] = [Number(this.#original.readBigUInt64LE(40)), this.#original.readUInt16LE(60)];
    switch (structure) {
      case 'file':
        return 0;
      case 'program':
        return Number(this.#original.readBigUInt64LE(32)) + 56 * (entry % this.#segments.length);
      case 'section':
        return count ? offset + 64 * (entry % count) : undefined;
      case 'unwind':
        return this.#segments.find(({ type }) => type === PT_GNU_EH_FRAME)?.offset;
      case 'interpreter':
        return this.#segments.find(({ type }) => type === PT_INTERP)?.offset;
    }
  }

  #number(value: Value, old: bigint, read: (entry: number) => bigint): bigint {
    if ('is' in value) return value.is;
    if ('fileSizePlus' in value) return BigInt(this.#original.length) + value.fileSizePlus;
    return ('entry' in value ? read(value.entry) : old) + value.plus;
  }
}

/** The file that the changes make of this one. */
export function edited(original: Buffer, edits: readonly Edit[]): Buffer {
  const draft = new Draft(original);
  for (const edit of edits) draft.apply(edit);
  return draft.bytes;
}

/** Small steps, whole pages (which keep offsets and addresses in step), and what is between. */
const step = fc.oneof(
  fc.bigInt({ min: -16n, max: 16n }),
  fc.bigInt({ min: -8n, max: 8n }).map((pages) => pages * 4096n),
  fc.bigInt({ min: -9000n, max: 9000n }),
);

const value: fc.Arbitrary<Value> = fc.oneof(
  fc.record({ is: fc.bigInt({ min: 0n, max: 16n }) }),
  fc.tuple(fc.bigInt({ min: 0n, max: 64n }), step).map(([bit, plus]) => ({ is: (1n << bit) + plus })),
  fc.record({ plus: step }),
  fc.record({ fileSizePlus: step }),
  fc.record({ entry: fc.nat(40), plus: step }),
);

const fieldEdit = fc
  .constantFrom<Structure>(
    'file',
    'program',
    'program',
    'program',
    'section',
    'section',
    'unwind',
    'unwind',
    'interpreter',
  )
  .chain((structure) =>
    fc.record({
      structure: fc.constant(structure),
      entry: fc.nat(40),
      field: fc.constantFrom(...Object.keys(FIELDS[structure])),
      value,
    }),
  );

const hex = (maxLength: number) =>
  fc.uint8Array({ minLength: 1, maxLength }).map((bytes) => Buffer.from(bytes).toString('hex'));

/** Around a system call, whatever decodes and whatever does not. */
const code = fc
  .array(
    fc.oneof(hex(6), fc.constantFrom('0f05', 'b801010000', '0f', '05', '48c7c002000000', '31c0', 'c3', 'e900000000')),
    {
      minLength: 1,
      maxLength: 40,
    },
  )
  .map((parts) => parts.join(''));

const thousandths = fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.constantFrom(0, 999, 1000));

/** Some changes to an ELF file, aimed at what the runner reads of it. */
export const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fieldEdit },
    { weight: 2, arbitrary: fc.record({ code, at: thousandths }) },
    { weight: 1, arbitrary: fc.record({ bytes: hex(64), at: thousandths }) },
    { weight: 1, arbitrary: fc.record({ size: value }) },
  ),
  { minLength: 1, maxLength: 8 },
);
