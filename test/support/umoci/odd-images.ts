import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { MemoryImage, writeLayout } from '../memory-image.js';
import { run } from '../registry.js';
import * as layers from './odd-layers.js';

/** The layers of an image as no distribution makes it, lowest first; some are made in a folder. */
export const oddImages = {
  special: () => layers.specialLayers,
  types: () => layers.typeLayers.slice(0, -1),
  'types and back': () => layers.typeLayers,
  whiteouts: () => layers.whiteoutLayers.slice(0, 3),
  'whiteout of all': () => layers.whiteoutLayers,
  'hard links': () => layers.hardLinkLayers.slice(0, 2),
  'hard links gone': () => layers.hardLinkLayers,
  'many layers': () => layers.manyLayers,
  names: nameLayers,
  sparse: sparseLayers,
} satisfies Record<string, (folder: string) => Buffer[]>;

/** Writes layers as a layout with the tag `latest`. */
export async function oddLayout(layout: string, contents: Buffer[]): Promise<void> {
  await writeLayout(new MemoryImage(contents), layout, 'latest');
}

/** Long names, and bytes that are no letters, in each format that has its own way to tell them. */
function nameLayers(folder: string): Buffer[] {
  const formats = ['ustar', 'gnu', 'posix'];
  return formats.map((format) => {
    const root = join(folder, format);
    const at = (...bytes: (string | number[])[]) =>
      Buffer.concat([Buffer.from(`${root}/`), ...bytes.map((part) => Buffer.from(part as string))]);
    mkdirSync(join(root, format, 'p'.repeat(90)), { recursive: true });
    for (const name of [
      'größe 😀',
      'new\nline',
      'back\\slash',
      '*',
      '-rf',
      '"\'',
      '\x01\x7f',
      ' ',
      '...',
      'x'.repeat(99),
    ]) {
      writeFileSync(at(`${format}/${name}`), name);
    }
    writeFileSync(at(`${format}/`, [0x66, 0xe9, 0xff]), 'not UTF-8');
    mkdirSync(at(`${format}/`, [0xfe, 0xc0, 0x80]));
    writeFileSync(at(`${format}/`, [0xfe, 0xc0, 0x80], '/x'), 'x');
    symlinkSync(Buffer.from([0xe9, 0x2f, 0xff]), at(`${format}/link`));
    writeFileSync(at(`${format}/${'p'.repeat(90)}/${'n'.repeat(90)}`), 'more than 100 bytes');
    // What ustar has no place for.
    if (format !== 'ustar') writeLongNames(root, format);
    return archive(folder, root, [`--format=${format}`]);
  });
}

function writeLongNames(root: string, format: string): void {
  const deep = join(format, 'deep-folder-name/'.repeat(60));
  mkdirSync(join(root, deep), { recursive: true });
  const long = join(deep, 'n'.repeat(255));
  writeFileSync(join(root, long), 'long');
  linkSync(join(root, long), join(root, format, 'm'.repeat(255)));
  symlinkSync(`/${long}`, join(root, deep, 'long link'));
  symlinkSync('t/'.repeat(2000), join(root, format, 'very long link'));
}

/** Sparse files in the formats that umoci knows; the last layer has one with other holes, and one that has none any more. */
function sparseLayers(folder: string): Buffer[] {
  const made = ['0.0', '0.1', '1.0'].map((version) => {
    const root = join(folder, `sparse-${version}`);
    mkdirSync(join(root, version), { recursive: true });
    writeSparse(join(root, version, 'hole at the end'), 3_000_000, [[0, 5000]]);
    writeSparse(join(root, version, 'hole at the front'), 3_000_000, [[2_999_000, 1000]]);
    writeSparse(join(root, version, 'all hole'), 1_000_000, []);
    const many = Array.from({ length: 60 }, (_, index): [number, number] => [index * 40_960, 4096]);
    writeSparse(join(root, version, 'many holes'), 60 * 40_960, many);
    linkSync(join(root, version, 'many holes'), join(root, version, 'many holes again'));
    return archive(folder, root, ['--format=posix', '--sparse', `--sparse-version=${version}`]);
  });
  const root = join(folder, 'sparse-later');
  mkdirSync(join(root, '0.1'), { recursive: true });
  mkdirSync(join(root, '1.0'));
  writeSparse(join(root, '0.1/all hole'), 2_000_000, [[1_000_000, 1]]);
  writeFileSync(join(root, '1.0/hole at the end'), Buffer.alloc(100_000));
  return [...made, archive(folder, root, ['--format=posix', '--sparse'])];
}

/** Writes a file with holes between its segments. */
function writeSparse(path: string, size: number, segments: [offset: number, length: number][]): void {
  const fd = openSync(path, 'w');
  for (const [offset, length] of segments) writeSync(fd, Buffer.alloc(length, 'data'), 0, length, offset);
  ftruncateSync(fd, size);
  closeSync(fd);
}

/** What GNU tar makes of a folder. */
function archive(folder: string, root: string, options: string[]): Buffer {
  const path = join(folder, 'layer.tar');
  run('tar', ['-C', root, ...options, '--sort=name', '--mtime=@1700000000.5', '-cf', path, '.']);
  rmSync(root, { recursive: true });
  return readFileSync(path);
}
