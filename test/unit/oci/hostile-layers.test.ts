import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { lstat, readdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ScarError } from '../../../src/errors.js';
import { runnersLinks, type UnpackOptions, unpackImage } from '../../../src/oci/index.js';
import { MemoryImage, type MemoryImageOptions } from '../../support/memory-image.js';
import { entry, file, folder, hardLink, paxBody, symlink, type TarItem, tar } from '../../support/tar.js';
import { temporaryFolder } from '../../support/temporary.js';
import { readTree } from '../../support/tree.js';

/**
 * Every known way out of a root file system, as a layer. Beside the rootfs lies a folder of the host's, `outside`, whose
 * path the layers know; whatever happens, it must stay as it is.
 */
let place: Awaited<ReturnType<typeof temporaryFolder>>;
let outside: string;
let rootfs: string;

beforeEach(async () => {
  place = await temporaryFolder();
  outside = join(place.path, 'outside');
  rootfs = join(place.path, 'images/rootfs');
  mkdirSync(outside);
  mkdirSync(join(place.path, 'images'));
  writeFileSync(join(outside, 'secret'), 'untouched', { mode: 0o640 });
});

afterEach(async () => {
  expect(await readdir(outside)).toEqual(['secret']);
  expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('untouched');
  const { mode, nlink } = lstatSync(join(outside, 'secret'));
  expect([mode & 0o777, nlink]).toEqual([0o640, 1]);
  expect((await readdir(place.path)).sort()).toEqual(['images', 'outside']);
  await place[Symbol.asyncDispose]();
});

async function unpack(layers: TarItem[][], options: UnpackOptions & { image?: MemoryImageOptions } = {}) {
  return unpackTars(
    layers.map((items) => tar(...items)),
    options,
  );
}

async function unpackTars(tars: Buffer[], options: UnpackOptions & { image?: MemoryImageOptions } = {}) {
  const image = new MemoryImage(tars, options.image);
  return unpackImage(image.resolved, image, rootfs, options);
}

/** The attack is refused with this code, and nothing of it is left behind. */
async function refused(attempt: Promise<unknown>, code: string, message: string | RegExp = ''): Promise<void> {
  const error = (await attempt.then(
    () => undefined,
    (e: unknown) => e,
  )) as ScarError | undefined;
  expect(error).toMatchObject({ code });
  expect(error?.message).toMatch(message);
  expect(await readdir(join(place.path, 'images'))).toEqual([]);
}

/** Nothing in the rootfs leads out of it, whoever resolves it. */
async function closed(): Promise<void> {
  for (const [path, { type }] of readTree(rootfs)) {
    if (type !== 'link') continue;
    const real = await realpath(join(rootfs, path)).catch(() => undefined);
    expect(real === undefined || real === rootfs || real.startsWith(`${rootfs}/`), `${path} leads to ${real}`).toBe(
      true,
    );
  }
}

const read = (path: string): string => readFileSync(join(rootfs, path), 'utf8');

describe('names', () => {
  it.each([
    '../outside/secret',
    '../../outside/secret',
    'a/../../../outside/secret',
    'a/../b',
    './../outside/x',
    '..',
    'a/..',
    '/../outside/x',
  ])('DotDotName: %s', async (name) => {
    await refused(unpack([[folder('a'), file(name, 'x')]]), 'image-unsafe', '".." would lead out');
  });

  it('DotDotPaxPath', async () => {
    const item = file('harmless', 'x', { pax: [['path', '../../outside/secret']] });
    await refused(unpack([[item]]), 'image-unsafe', '".." would lead out');
  });

  it('DotDotGnuLongName', async () => {
    await refused(unpack([[file(`${'a/'.repeat(60)}${'../'.repeat(64)}outside/x`, 'x')]]), 'image-unsafe');
  });

  it('DotDotUstarPrefix', async () => {
    const item = file('outside/x', 'x', { patch: (header) => void header.write('../..', 345, 'latin1') });
    await refused(unpack([[item]]), 'image-unsafe');
  });

  it('AbsoluteName: stays below the root', async () => {
    await unpack([[file(join(outside, 'secret'), 'x'), file('//etc//passwd', 'y')]]);
    expect(read(join(outside, 'secret'))).toBe('x');
    expect(read('etc/passwd')).toBe('y');
  });

  it('NulInPaxPath: is not cut to another name', async () => {
    await refused(unpack([[file('x', 'x', { pax: [['path', 'etc/passwd\0.txt']] })]]), 'image-unsafe', 'NUL');
  });

  it('NulInPaxLinkPath', async () => {
    const item = { ...symlink('x', 'y'), pax: [['linkpath', 'a\0b']] as const };
    await refused(unpack([[item]]), 'image-unsafe', 'NUL');
  });

  it('RootReplacedByLink', async () => {
    await refused(unpack([[symlink('.', outside), file('secret', 'x')]]), 'image-unsafe', 'replaces the root');
    await refused(unpack([[symlink('./', outside)]]), 'image-unsafe', 'replaces the root');
    await refused(unpack([[file('/', 'x')]]), 'image-unsafe', 'replaces the root');
  });

  it('NameTooLong', async () => {
    await refused(unpack([[file('n'.repeat(300), 'x')]]), 'image-unsupported', 'ENAMETOOLONG');
    await refused(unpack([[file('d/'.repeat(4000), 'x')]]), 'image-unsupported', 'ENAMETOOLONG');
  });

  it('NotUtf8: is kept byte by byte', async () => {
    await unpack([[{ name: '', content: 'x', patch: (header) => void Buffer.from([0x66, 0xff, 0xe9]).copy(header) }]]);
    expect([...readTree(rootfs).keys()]).toEqual(['f\xff\xe9']);
  });

  it('TerminalEscapeInName: does not reach a message', async () => {
    const error = await unpack([[file('../\u001b[2J', 'x')]]).catch((e: Error) => e);
    expect((error as Error).message).not.toContain('\u001b');
  });
});

describe('symbolic links', () => {
  it('SymlinkScoping: an absolute link as the parent of a later entry', async () => {
    await unpack([[symlink('out', outside), file('out/secret', 'inside')]]);
    await closed();
    expect(read(join(outside, 'secret'))).toBe('inside');
  });

  it('SymlinkScoping: the link in one layer, the entry in the next', async () => {
    await unpack([[symlink('out', outside)], [file('out/secret', 'inside'), folder('out/new')]]);
    await closed();
    expect(read(join(outside, 'secret'))).toBe('inside');
  });

  it('SymlinkScoping: relative, above the root', async () => {
    await unpack([[symlink('out', '../../../outside'), file('out/secret', 'inside')]]);
    await closed();
    expect(read('outside/secret')).toBe('inside');
  });

  it('LinkAsTarget: a file never goes through the link of its own name', async () => {
    await unpack([[symlink('etc', '/'), symlink('x', join(outside, 'secret'))], [file('x', 'inside')]]);
    expect(lstatSync(join(rootfs, 'x')).isFile()).toBe(true);
    expect(read('x')).toBe('inside');
  });

  it('LinkChain: link to link to the outside', async () => {
    await unpack([
      [symlink('a', 'b'), symlink('b', 'c/d'), folder('c'), symlink('c/d', `../../../..${outside}`), file('a/x', 'in')],
    ]);
    await closed();
    expect(read(`${outside.slice(1)}/x`)).toBe('in');
  });

  it('LinkToRootThenDotDot: `..` behind a link that leads up', async () => {
    await unpack([[symlink('a', '/'), symlink('x', 'a/a/a/../../../../outside'), file('x/f', 'in')]]);
    await closed();
    expect(read('outside/f')).toBe('in');
  });

  it('LinkToRootThenDotDot: the link made to lead up only later', async () => {
    const layers = [
      [folder('deep/er/est'), symlink('a', 'deep/er/est'), symlink('x', 'a/../../../outside')],
      [file('.wh.a'), symlink('a', '/')],
    ];
    await unpack(layers);
    await closed();
  });

  it('HardLinkMovesLink: a second name of a link at another depth does not climb out', async () => {
    await unpack([
      [
        folder('a/b/c'),
        symlink('a/b/c/up', '../../../outside/secret'),
        hardLink('up', 'a/b/c/up'),
        hardLink('up2', 'up'),
      ],
    ]);
    await closed();
    const targets = ['a/b/c/up', 'up', 'up2'].map((path) =>
      runnersLinks([]).original(readlinkSync(join(rootfs, path))),
    );
    expect(new Set(targets)).toEqual(new Set(['../../../outside/secret']));
  });

  it('HardLinkMovesLink: an absolute one means the same everywhere', async () => {
    await unpack([[folder('a/b'), symlink('a/b/abs', '/etc/x'), hardLink('abs', 'a/b/abs'), hardLink('c/abs', 'abs')]]);
    const targets = ['a/b/abs', 'abs', 'c/abs'].map((path) => readlinkSync(join(rootfs, path)));
    expect(targets).toEqual(['../..//etc/x', './/etc/x', '..//etc/x']);
  });

  it('LinkLoop', async () => {
    await refused(unpack([[symlink('a', 'b'), symlink('b', 'a'), file('a/x', 'x')]]), 'image-unsafe', 'symbolic links');
  });

  it('ParentReplaced: a folder becomes a link between two entries', async () => {
    await unpack([[folder('d'), file('d/one', '1'), symlink('d', outside), file('d/secret', 'in'), folder('d/sub')]]);
    await closed();
    expect(read(join(outside, 'secret'))).toBe('in');
  });

  it('ParentReplaced: again and again', async () => {
    const items = Array.from({ length: 50 }, (_, i) => [
      ...[folder('d'), file(`d/f${i}`, 'x'), symlink('d', outside), file(`d/g${i}`, 'y')],
    ]).flat();
    await unpack([items, items]);
    await closed();
  });

  it('FolderThroughLink: neither mode nor time of what is outside changes', async () => {
    const before = await lstat(outside);
    await unpack([[symlink('out', outside), folder('out', 0o777, { mtime: 1 })]]);
    await unpackedAgain([[symlink('out', outside)], [folder('out/', 0o700, { mtime: 1 })]]);
    const after = await lstat(outside);
    expect([after.mode, after.mtimeMs]).toEqual([before.mode, before.mtimeMs]);
  });

  it('FolderTimeThroughLink: a folder of the image that became a link to the host', async () => {
    const before = await lstat(outside);
    const links = runnersLinks([outside.split('/')[1] ?? '']);
    const layers = [[folder('d'), folder('d/outside', 0o755, { mtime: 5 })], [symlink('d', place.path)]];
    await unpack(layers, { links });
    expect(runnersLinks([]).original(readlinkSync(join(rootfs, 'd')))).toBe(place.path);
    expect((await lstat(outside)).mtimeMs).toBe(before.mtimeMs);
  });

  it('MountPointLink: links that may lead to the host are not followed when unpacking', async () => {
    const links = runnersLinks([outside.split('/')[1] ?? '']);
    await unpack([[symlink('d', outside), file('d/secret', 'in')], [file('d/.wh.secret')]], { links });
    expect(existsSync(join(rootfs, outside))).toBe(true);
    expect(existsSync(join(rootfs, outside, 'secret'))).toBe(false);
  });

  it('LinkWithoutTarget', () => refused(unpack([[symlink('x', '')]]), 'image-corrupt', 'no target'));

  it('LinkToFileAsParent', async () => {
    await refused(unpack([[file('f', 'x'), symlink('l', 'f'), file('l/x', 'x')]]), 'image-corrupt', 'no folder');
  });
});

async function unpackedAgain(layers: TarItem[][]): Promise<void> {
  rootfs = `${rootfs}-again`;
  await unpack(layers);
}

describe('hard links', () => {
  it('HardLinkToOwnContent: takes the place of the folder that has its target', async () => {
    await refused(
      unpack([[folder('a'), file('a/c', 'x')], [hardLink('a', 'a/c')]]),
      'image-corrupt',
      'takes its folder',
    );
  });

  it.each(['../../outside/secret', 'a/../../../outside/secret', '..'])('HardLinkDotDot: %s', async (target) => {
    await refused(unpack([[hardLink('x', target)]]), 'image-unsafe', '".." would lead out');
  });

  it('HardLinkAbsolute: means the root', async () => {
    await refused(unpack([[hardLink('x', join(outside, 'secret'))]]), 'image-corrupt', 'no file of the image');
    await unpack([[file('f', 'content'), hardLink('x', '/f')]]);
    expect(read('x')).toBe('content');
  });

  it('HardLinkThroughLink: the target is found below the root', async () => {
    await refused(
      unpack([[symlink('out', outside), hardLink('x', 'out/secret')]]),
      'image-corrupt',
      'no file of the image',
    );
  });

  it('HardLinkThenWrite: writing to one name does not reach the other', async () => {
    await unpack([[file('f', 'first'), hardLink('x', 'f'), file('x', 'second')], [file('f', 'third')]]);
    expect([read('f'), read('x')]).toEqual(['third', 'second']);
  });

  it('HardLinkToLinkThenWrite', async () => {
    await unpack([[symlink('l', join(outside, 'secret')), hardLink('x', 'l'), file('x', 'inside')]]);
    expect(read('x')).toBe('inside');
  });

  it('HardLinkToFolder', () => refused(unpack([[folder('d'), hardLink('x', 'd')]]), 'image-corrupt'));
  it('HardLinkToRoot', () => refused(unpack([[hardLink('x', '/')]]), 'image-corrupt'));
  it('HardLinkToItself', async () => {
    await refused(unpack([[hardLink('x', 'x')]]), 'image-corrupt');
    await unpack([[file('x', 'kept'), hardLink('x', 'x')]]);
    expect(read('x')).toBe('kept');
  });
  it('HardLinkToNothing', () => refused(unpack([[hardLink('x', 'gone')]]), 'image-corrupt', 'no file of the image'));
});

describe('whiteouts', () => {
  it.each(['.wh.', '.wh..', '.wh...', 'a/.wh..', 'a/.wh...'])('WhiteoutOfFolderItself: %s', async (name) => {
    await refused(unpack([[folder('a'), file('a/x', 'x')], [file(name)]]), 'image-unsafe', 'hides no name');
  });

  it('WhiteoutOutside: through a link', async () => {
    await unpack([
      [symlink('out', outside), symlink('up', '../..')],
      [file('out/.wh.secret'), file('up/.wh.outside')],
    ]);
    await closed();
  });

  it('OpaqueWhiteoutOutside: through a link', async () => {
    await unpack([[symlink('out', outside)], [file('out/.wh..wh..opq')]]);
    await unpackedAgain([[symlink('out', '/')], [file('out/.wh..wh..opq')]]);
  });

  it('WhiteoutOfLink: removes the link, not what it leads to', async () => {
    await unpack([
      [folder('d'), file('d/f', 'kept'), symlink('l', 'd'), symlink('m', outside)],
      [file('.wh.l'), file('.wh.m')],
    ]);
    expect(read('d/f')).toBe('kept');
    expect(existsSync(join(rootfs, 'l'))).toBe(false);
  });

  it('WhiteoutOfLink: what was a link is none for later entries', async () => {
    await unpack([
      [folder('d'), symlink('l', 'd')],
      [file('l/one', '1'), file('.wh.l'), file('l/two', '2')],
    ]);
    expect([...readTree(rootfs).keys()]).toEqual(['d', 'd/one', 'l', 'l/two']);
  });

  it('WhiteoutInLowestLayer: hides nothing and is no file', async () => {
    await unpack([[file('f', 'x'), file('.wh.f'), file('.wh..wh..opq')]]);
    expect([...readTree(rootfs).keys()]).toEqual(['f']);
  });

  it('WhiteoutOfOwnLayer: an entry of the same layer stays, whatever the order', async () => {
    await unpack([
      [folder('d'), file('d/low', 'low'), file('d/both', 'low')],
      [file('d/both', 'high'), file('d/.wh.both'), file('d/.wh.new'), file('d/new', 'high'), file('d/.wh.low')],
    ]);
    expect([...readTree(rootfs).keys()]).toEqual(['d', 'd/both', 'd/new']);
    expect(read('d/both')).toBe('high');
  });

  it('OpaqueWhiteout: hides lower layers only, before and behind entries of its own', async () => {
    await unpack([
      [folder('d'), file('d/low', 'x'), folder('d/sub'), file('d/sub/low', 'x')],
      [folder('d/sub'), file('d/sub/own', 'own'), file('d/.wh..wh..opq'), file('d/own', 'own')],
    ]);
    expect([...readTree(rootfs).keys()]).toEqual(['d', 'd/own', 'd/sub', 'd/sub/own']);
  });

  it('WhiteoutOfFolderWithOwnEntries: keeps those', async () => {
    await unpack([
      [folder('d'), file('d/low', 'x'), folder('d/s'), file('d/s/low', 'x')],
      [file('d/s/own', 'own'), file('.wh.d')],
    ]);
    expect([...readTree(rootfs).keys()]).toEqual(['d', 'd/s', 'd/s/own']);
  });

  it('WhiteoutOfNothing', async () => {
    await unpack([[file('f', 'x')], [file('.wh.gone'), file('no/such/.wh.thing'), file('no/such/.wh..wh..opq')]]);
    expect([...readTree(rootfs).keys()]).toEqual(['f']);
  });

  it('WhiteoutWithContent', () => refused(unpack([[file('f')], [file('.wh.f', 'content')]]), 'image-corrupt'));

  it('AufsBookkeeping: is left out', async () => {
    await unpack([[folder('.wh..wh.plnk'), file('.wh..wh.aufs'), file('f', 'x')]]);
    expect([...readTree(rootfs).keys()]).toEqual(['f']);
  });
});

describe('types and modes', () => {
  it('TypeChanges: the later entry wins', async () => {
    await unpack([
      [
        folder('a'),
        file('a/x', 'x'),
        file('b', 'x'),
        symlink('c', 'b'),
        folder('d'),
        symlink('e', 'd'),
        file('f', 'x'),
      ],
      [
        file('a', 'now a file'),
        folder('b'),
        file('c', 'now a file'),
        symlink('d', 'b'),
        folder('e'),
        file('f/in', 'x'),
      ],
    ]);
    const types = Object.fromEntries([...readTree(rootfs)].map(([path, { type }]) => [path, type]));
    expect(types).toEqual({ a: 'file', b: 'folder', c: 'file', d: 'link', e: 'folder', f: 'folder', 'f/in': 'file' });
    expect(read('c')).toBe('now a file');
  });

  it('FolderBecomesLoop: a link to itself in place of a folder is no attack, and the next folder has a time of its own', async () => {
    await unpack([
      [folder('d/deep'), folder('e', 0o755, { mtime: 1 })],
      [symlink('d', 'd/deep'), file('.wh.e'), file('e/f')],
    ]);
    expect(readTree(rootfs).get('d')?.type).toBe('link');
    expect(readTree(rootfs).get('e')).not.toMatchObject({ mtime: 1 });
  });

  it('DeviceNode: becomes an empty file, in /dev nothing', async () => {
    const device = (name: string, type: string): TarItem => ({ name, type, mode: 0o666 });
    await unpack([
      [device('dev/sda', '4'), device('dev/null', '3'), device('var/console', '3'), device('run/pipe', '6')],
      [hardLink('dev/other', 'dev/sda'), hardLink('var/same', 'var/console')],
    ]);
    const entries = [...readTree(rootfs)].flatMap(([path, entry]) =>
      entry.type === 'file' ? [[path, entry.bytes]] : [],
    );
    expect(entries).toEqual([
      ['run/pipe', 0],
      ['var/console', 0],
      ['var/same', 0],
    ]);
  });

  it('SetuidFile, SetgidFolder: lose it; sticky stays', async () => {
    await unpack([[file('su', '', { mode: 0o6755 }), folder('g', 0o2775), folder('tmp', 0o1777), file('g/in', '')]]);
    const mode = (path: string): number => lstatSync(join(rootfs, path)).mode & 0o7777;
    expect([mode('su'), mode('g'), mode('tmp')]).toEqual([0o755, 0o775, 0o1777]);
  });

  it('UnreadableFolder: can be filled, read and removed', async () => {
    await unpack([
      [folder('locked', 0), file('locked/f', 'x', { mode: 0 }), folder('./', 0o555)],
      [file('locked/g', 'y')],
    ]);
    expect([read('locked/f'), read('locked/g')]).toEqual(['x', 'y']);
    expect(lstatSync(join(rootfs, 'locked')).mode & 0o777).toBe(0o700);
    chmodSync(join(rootfs, 'locked'), 0);
  });

  it('UnreadableFolder: nothing stays of an image that failed behind it', async () => {
    await refused(unpack([[folder('locked', 0), file('locked/f', 'x'), file('../x', '')]]), 'image-unsafe');
  });

  it('UnknownType', () => refused(unpack([[{ name: 'x', type: 'M' }]]), 'image-corrupt', 'type "M"'));

  it('SizeOfLink: is ignored, as every other reader does', async () => {
    await unpack([[{ ...symlink('l', 'f'), size: 512 }, { ...folder('d'), size: 9999 }, file('f', 'next entry')]]);
    expect(read('l')).toBe('next entry');
  });
});

describe('bombs', () => {
  it('BombBySize: more than the file system has, refused by the header', async () => {
    const item = file('big', '', { patch: (header) => void Buffer.from([0x80, 0, 0, 0, 0, 0x10]).copy(header, 124) });
    await refused(unpackTars([entry(item)]), 'no-space', /has \S+ \w+ left.*"big"/);
  });

  it('BombBySize: more than the caller allows', async () => {
    const items = Array.from({ length: 20 }, (_, i) => file(`f${i}`, Buffer.alloc(100_000)));
    await refused(unpack([items], { maxBytes: 1_000_000 }), 'no-space', 'maxBytes');
  });

  it('BombByInodes', async () => {
    const items = Array.from({ length: 200 }, (_, i) => file(`f${i}`));
    await refused(unpack([items], { maxEntries: 100 }), 'image-unsafe', 'more than 100 entries');
  });

  it('BombByInodes: in one name', async () => {
    await refused(
      unpack([[file(`${'d/'.repeat(200)}f`)]], { maxEntries: 100 }),
      'image-unsafe',
      'more than 100 entries',
    );
  });

  it('BombByRatio: zeros behind the end of the archive', async () => {
    const zeros = Buffer.concat([tar(file('f')), Buffer.alloc(80 * 1024 * 1024)]);
    await refused(unpackTars([zeros]), 'image-corrupt', 'follow its end');
  });

  it('BombByHeaders: PAX headers without an entry', async () => {
    const header = entry({ name: 'x', type: 'x', content: paxBody([['comment', 'x'.repeat(1000)]]) });
    await refused(unpackTars([Buffer.concat(Array(1000).fill(header))]), 'image-corrupt', 'headers precede an entry');
  });

  it('BombByHeaders: a long name of a gigabyte', async () => {
    const item = { name: 'x', type: 'L', size: 1 << 30 };
    await refused(unpackTars([entry(item)]), 'image-corrupt', '1 MiB of headers');
  });

  it('BombBySparseMap: a file of exabytes without content', async () => {
    const pax = [
      ['GNU.sparse.size', '8000000000000000'],
      ['GNU.sparse.map', '0,0'],
    ] as const;
    const attempt = unpack([[file('hole', '', { pax })]]);
    await attempt.catch((error: ScarError) => expect(error.code).toBe('image-unsupported'));
    if (existsSync(rootfs)) expect(lstatSync(join(rootfs, 'hole')).blocks).toBe(0);
  });
});

describe('lies', () => {
  const layer = tar(file('f', 'content'.repeat(1000)));

  it('DigestLies', async () => {
    const tamper = (blob: Buffer): Buffer => gzipSync(tar(file('f', 'other')), { level: 1 }).subarray(0, blob.length);
    await refused(unpackTars([layer], { image: { tamper } }), 'image-corrupt');
  });

  it('DigestLies: only in the last byte that nobody inflates', async () => {
    const compress = (bytes: Buffer): Buffer => Buffer.concat([gzipSync(bytes), Buffer.alloc(100)]);
    await unpackTars([layer], { image: { compress } });
    rootfs += '-lie';
    const tamper = (blob: Buffer): Buffer => Buffer.concat([blob.subarray(0, -1), Buffer.from([1])]);
    const attempt = unpackTars([layer], { image: { compress, tamper } });
    await expect(attempt).rejects.toMatchObject({
      code: 'image-corrupt',
      message: expect.stringMatching(/should have the digest/),
    });
  });

  it.each([1, -1])('SizeLies: by %d', async (by) => {
    const describe = ({ size }: { size: number }) => ({ size: size + by });
    await refused(unpackTars([layer], { image: { describe } }), 'image-corrupt', 'bytes, but');
  });

  it('SizeLies: larger than the disk', async () => {
    const describe = () => ({ size: 2 ** 52 });
    await refused(unpackTars([layer], { image: { describe } }), 'no-space', 'even compressed');
  });

  it.each([-1, 1.5, Number.NaN])('SizeIsNone: %d', async (size) => {
    await refused(unpackTars([layer], { image: { describe: () => ({ size }) } }), 'image-corrupt', 'size in bytes');
  });

  it('DiffIdLies', async () => {
    const configure = (config: { rootfs: { diff_ids: string[] } }): void => {
      config.rootfs.diff_ids = [`sha256:${'0'.repeat(64)}`];
    };
    await refused(unpackTars([layer], { image: { configure } }), 'image-corrupt', 'should have the diffID');
  });

  it('TruncatedGzip', async () => {
    const compress = (bytes: Buffer): Buffer => gzipSync(bytes).subarray(0, -20);
    await refused(unpackTars([layer], { image: { compress } }), 'image-corrupt', 'cannot be decompressed');
  });

  it('TruncatedTar', async () => {
    await refused(unpackTars([layer.subarray(0, 1500)]), 'image-corrupt', 'in the middle of an entry');
    await refused(unpackTars([layer.subarray(0, 300)]), 'image-corrupt', 'in the middle of an entry');
  });

  it('NoEndOfTar, which is none: umoci insert writes neither the last padding nor the blocks of zeros', async () => {
    const content = 512 + 7000;
    const padded = Math.ceil(content / 512) * 512;
    await refused(unpackTars([layer.subarray(0, content - 1)]), 'image-corrupt', 'in the middle of an entry');
    for (const end of [content, content + 1, padded, padded + 512]) {
      await unpackTars([layer.subarray(0, end)]);
      expect(read('f')).toBe('content'.repeat(1000));
      await rm(rootfs, { recursive: true });
    }
  });

  it('GarbageBehindGzip', async () => {
    const compress = (bytes: Buffer): Buffer => Buffer.concat([gzipSync(bytes), Buffer.from('garbage')]);
    await refused(unpackTars([layer], { image: { compress } }), 'image-corrupt', 'cannot be decompressed');
  });

  it('GarbageInsteadOfTar', async () => {
    await refused(unpackTars([Buffer.alloc(5000, 'x')]), 'image-corrupt', 'checksum');
  });

  it('HeaderChecksumLies', async () => {
    const broken = Buffer.from(layer);
    broken[0] = 0x67;
    await refused(unpackTars([broken]), 'image-corrupt', 'checksum');
  });

  it('HeaderSizeLies: shorter than the content', async () => {
    await refused(unpack([[file('f', Buffer.alloc(2000, 'x'), { size: 600 })]]), 'image-corrupt', 'checksum');
  });

  it('NegativeSize', async () => {
    const item = file('f', 'x', { patch: (header) => void Buffer.alloc(12, 0xff).copy(header, 124) });
    await refused(unpackTars([entry(item)]), 'image-corrupt', 'size');
  });

  it('EntryBehindZeros: one reader would end where another goes on', async () => {
    const layer = Buffer.concat([entry(file('a')), Buffer.alloc(512), entry(file('b')), Buffer.alloc(1024)]);
    await refused(unpackTars([layer]), 'image-corrupt', 'follows a block of zeros');
  });

  it.each([
    ['1.0', 'overlap', '2\n0\n4\n2\n4\n'],
    ['1.0', 'end behind the file', '1\n8\n4\n'],
    ['1.0', 'do not add up', '1\n0\n1\n'],
    ['1.0', 'have no end', '999999\n'],
    ['1.0', 'are no numbers', '1\nx\n4\n'],
  ])('SparseMapLies (%s): segments %s', async (_, __, map) => {
    const pax = [
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '0'],
      ['GNU.sparse.realsize', '10'],
      ['GNU.sparse.name', 'f'],
    ] as const;
    const content = Buffer.concat([Buffer.from(map.padEnd(512, '\0')), Buffer.from('12345678')]);
    await refused(unpack([[file('f', content, { pax })]]), 'image-corrupt');
  });

  it('Bzip2Layer', async () => {
    await refused(
      unpackTars([Buffer.from('BZh91AY&SY')], { image: { compress: (b) => b } }),
      'image-unsupported',
      'bzip2',
    );
  });

  it('AbortInTheMiddle: nothing stays', async () => {
    const controller = new AbortController();
    const big = tar(...Array.from({ length: 50 }, (_, i) => file(`f${i}`, Buffer.alloc(100_000, i))));
    const image = new MemoryImage([big], { pieceBytes: 1000, compress: (b) => b });
    let seen = 0;
    const attempt = unpackImage(image.resolved, image, rootfs, {
      signal: controller.signal,
      onProgress: ({ bytes, totalBytes }) => {
        seen++;
        if (bytes > totalBytes / 2) controller.abort(new Error('enough'));
      },
    });
    await expect(attempt).rejects.toThrow('enough');
    expect(seen).toBeLessThan(big.length / 1000);
    expect(await readdir(join(place.path, 'images'))).toEqual([]);
  });
});
