import fc from 'fast-check';
import { paxBody, seal } from '../tar.js';

/** A change of an archive's bytes. Places are shares of its length, so that they stay when it shrinks. */
export type TarEdit =
  | { block: number; field: keyof typeof FIELDS; value: string; sealed: boolean }
  | { at: number; replaced: number; bytes: string }
  | { cut: number };

const BLOCK = 512;

/** Offset and length in a header (POSIX ustar; GNU's sparse map and what follows it). */
const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  device: [329, 16],
  prefix: [345, 155],
  sparse: [386, 96],
  isExtended: [482, 1],
  realSize: [483, 12],
} as const;

const NUMBERS = [
  '',
  '0',
  '7',
  '00000001000',
  '77777777777',
  '-1',
  ' 12 ',
  '9',
  '0x10',
  '\x80\0\0\0\0\0\0\0\0\0\0\x05',
  '\x80\x7f',
  '\xff\xff',
];
const NAMES = [
  '',
  '.',
  '..',
  '/',
  '/etc',
  'a/../../b',
  '../outside/a',
  'a',
  'a/b',
  '.wh.a',
  '.wh..wh..opq',
  '\xc3\x28',
  'a\0b',
  'n'.repeat(155),
];
const TYPES = [...'0123456789xgLKSDVMN', '\0', '\xff', ' '];

const PAX: readonly (readonly [string, string])[] = [
  ['path', '../outside/a'],
  ['path', ''],
  ['path', 'a\0b'],
  ['linkpath', '/outside'],
  ['size', '99999999999999999999'],
  ['size', '-1'],
  ['size', '1.5'],
  ['mtime', 'never'],
  ['GNU.sparse.major', '1'],
  ['GNU.sparse.minor', '0'],
  ['GNU.sparse.map', '0,1,5,1'],
  ['GNU.sparse.map', '5,1,0,9999999999'],
  ['GNU.sparse.realsize', '10'],
  ['GNU.sparse.name', '../a'],
  ['SCHILY.xattr.user.x', 'y'],
  ['hdrcharset', 'BINARY'],
];
/** Bodies of PAX headers, right ones and others. */
const records = fc.oneof(
  fc.subarray([...PAX], { minLength: 1 }).map((some) => paxBody(some).toString('latin1')),
  fc.constantFrom(
    '5 a=b\n',
    '0 a=b\n',
    '99999999999 path=a\n',
    '6 a=bc\n',
    '6 =abc',
    'path=a\n',
    '7 path\n',
    '\n',
    '-5 a=\n',
  ),
);

const share = fc.integer({ min: 0, max: 1000 });
const random = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)),
  maxLength: 24,
});

export const tarEdit: fc.Arbitrary<TarEdit> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      block: share,
      field: fc.constantFrom(...(Object.keys(FIELDS) as (keyof typeof FIELDS)[])),
      value: fc.oneof(fc.constantFrom(...NUMBERS), fc.constantFrom(...NAMES), fc.constantFrom(...TYPES), random),
      sealed: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ at: share, replaced: fc.integer({ min: 0, max: 1024 }), bytes: fc.oneof(random, records) }),
  },
  { weight: 1, arbitrary: fc.record({ cut: share }) },
);

export function edited(archive: Buffer, edits: readonly TarEdit[]): Buffer {
  return edits.reduce(edit, archive);
}

function edit(archive: Buffer, change: TarEdit): Buffer {
  const place = (thousandths: number) => Math.floor((archive.length * thousandths) / 1001);
  if ('cut' in change) return archive.subarray(0, place(change.cut));
  if ('at' in change) {
    const at = place(change.at);
    return Buffer.concat([
      archive.subarray(0, at),
      Buffer.from(change.bytes, 'latin1'),
      archive.subarray(at + change.replaced),
    ]);
  }
  const start = Math.floor(place(change.block) / BLOCK) * BLOCK;
  if (start + BLOCK > archive.length) return archive;
  const changed = Buffer.from(archive);
  const [offset, length] = FIELDS[change.field];
  changed.fill(0, start + offset, start + offset + length);
  changed.write(change.value, start + offset, length, 'latin1');
  if (change.sealed && change.field !== 'checksum') seal(changed.subarray(start, start + BLOCK));
  return changed;
}
