import { entry, file, folder, hardLink, symlink, type TarItem, tar } from '../tar.js';

/** Layers that have what the packages of a distribution do not. */

const pipe = (name: string): TarItem => ({ name, type: '6' });
const device = (name: string, type: '3' | '4' = '3'): TarItem => ({ name, type });
const whiteout = (name: string): TarItem => file(name.replace(/[^/]*$/, '.wh.$&'));
const opaque = (name: string): TarItem => file(`${name}/.wh..wh..opq`);

/** `cap_net_raw+ep` as the kernel keeps it (struct vfs_cap_data of linux/capability.h). */
const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex').toString('latin1');

/** Modes, owners, attributes and types that we do not keep. */
export const specialLayers: Buffer[] = [
  tar(
    folder('./', 0o2755),
    ...[0o4755, 0o2755, 0o6711, 0o1644, 0o7777].map((mode) => file(`mode/${mode.toString(8)}`, 'x', { mode })),
    ...[0, 0o111, 0o222, 0o444, 0o555].map((mode) => file(`owner/${mode.toString(8)}`, 'x', { mode })),
    ...[0, 0o500, 0o555, 0o1777, 0o2775, 0o3777, 0o4755].map((mode) => folder(`folders/${mode.toString(8)}`, mode)),
    file('folders/555/inside', 'x'),
    file('ping', 'x', { mode: 0o755, pax: [['SCHILY.xattr.security.capability', CAPABILITY]] }),
    folder('labelled', 0o755, { pax: [['SCHILY.xattr.user.mark', 'x']] }),
    file('owned', 'x', { pax: [['uid', '1000'], ['gid', '4000000'], ['uname', 'somebody']] }), // biome-ignore format: pairs
    ...['dev/pipe', 'pipe'].map(pipe),
    ...['dev/null', 'dev/pts/0', 'device'].map((name) => device(name)),
    device('disk', '4'),
    ...['dev/empty', 'dev/full'].map((name) => file(name, name === 'dev/full' ? 'x' : '')),
    symlink('dev/stdin', '/proc/self/fd/0'),
    ...[hardLink('second pipe', 'pipe'), hardLink('dev/zero', 'dev/null'), hardLink('second device', 'device')],
    symlink('link', 'ping'),
    hardLink('second link', 'link'),
    hardLink('mode/link', 'link'),
    file('old', 'x', { pax: [['mtime', '-315619200.5']] }),
    file('exact', 'x', { pax: [['mtime', '1700000000.123456789']] }),
    file('zero', 'x', { mtime: 0 }),
  ),
  // What was made read-only is written to all the same.
  tar(file('folders/555/more', 'x'), whiteout('folders/555/inside'), file('owner/444', 'changed', { mode: 0o400 })),
];

/** What a name can be in a layer. */
const kinds: Record<string, (name: string) => TarItem[]> = {
  file: (name) => [file(name, name)],
  empty: (name) => [file(name)],
  folder: (name) => [folder(name), file(`${name}/child`, name)],
  private: (name) => [folder(name, 0o500), file(`${name}/child`, name, { mode: 0o400 }), folder(`${name}/deep`)],
  link: (name) => [symlink(name, '../targets/file')],
  'link to a folder': (name) => [symlink(name, '/targets/folder')],
  'link to nowhere': (name) => [symlink(name, 'nowhere')],
  'hard link': (name) => [hardLink(name, 'targets/file')],
  pipe: (name) => [pipe(name)],
  device: (name) => [device(name)],
  nothing: () => [],
};

/** Only in layers that have others below. */
const changes: Record<string, (name: string) => TarItem[]> = {
  ...kinds,
  whiteout: (name) => [whiteout(name)],
  'whiteout and file': (name) => [whiteout(name), file(name, 'again')],
  'file and whiteout': (name) => [file(name, 'again'), whiteout(name)],
  'folder and whiteout': (name) => [folder(name), file(`${name}/again`, 'again'), whiteout(name)],
};

/** Every kind becomes every other, and then back again or nothing. */
export const typeLayers: Buffer[] = [
  [folder('targets'), file('targets/file', 'x'), folder('targets/folder'), file('targets/folder/child', 'x')],
  everyPair((before) => kinds[before]),
  everyPair((_, after) => changes[after]),
  everyPair((before, after) => (after === 'file' ? changes.whiteout : kinds[before])),
].map((items) => tar(...items));

function everyPair(choose: (before: string, after: string) => ((name: string) => TarItem[]) | undefined): TarItem[] {
  const pairs = Object.keys(kinds).flatMap((before) => Object.keys(changes).map((after) => [before, after] as const));
  return [
    folder('pairs'),
    ...pairs.flatMap(([before, after]) => choose(before, after)?.(`pairs/${before}, ${after}`) ?? []),
  ];
}

/** Whiteouts in every order, place and depth. */
export const whiteoutLayers: Buffer[] = [
  tar(
    ...['a', 'b', 'c', 'd', 'e'].flatMap((name) => [
      folder(name),
      folder(`${name}/sub`, 0o750),
      file(`${name}/sub/deep`, name),
      file(`${name}/file`, name),
      symlink(`${name}/link`, 'file'),
    ]),
    ...[symlink('way', 'a'), symlink('b/way', '../a/sub'), file('.whatever', 'no whiteout'), folder('only')],
  ),
  tar(
    ...[folder('a'), opaque('a'), file('a/new', 'x')],
    // After what its own layer has; without an entry of the folder; in a folder that is not there.
    ...[folder('b'), file('b/new', 'x'), folder('b/sub'), file('b/sub/new', 'x'), opaque('b')],
    ...[opaque('c'), opaque('missing'), whiteout('missing/name'), whiteout('d/missing')],
    ...[file('d/sub/new', 'x'), whiteout('d/sub')],
    ...[whiteout('e'), whiteout('e'), file('e/again', 'x')],
    whiteout('only'),
  ),
  // Through a link to a folder; a link goes, and not what it leads to.
  tar(whiteout('b/way/deep'), whiteout('way/new'), whiteout('d/link'), file('way/newer', 'x')),
  // Of everything; then nothing but padding, and nothing at all.
  tar(folder('./'), file('.wh..wh..opq'), folder('last'), file('last/one', 'x')),
  tar(),
  Buffer.alloc(0),
  // As `umoci insert` writes it: no padding behind the last file, no end.
  tar(file('last/two', 'x')).subarray(0, 513),
];

/** Names of one file in several layers. */
export const hardLinkLayers: Buffer[] = [
  tar(
    folder('bin'),
    file('bin/one', 'one', { mode: 0o755 }),
    // Whatever the header of another name says, it is the same file.
    ...['bin/two', 'bin/three', 'bin/four'].map((name) => ({ ...hardLink(name, 'bin/one'), mode: 0o600, mtime: 1 })),
    symlink('sbin', 'bin'),
    hardLink('five', './sbin/one'),
    file('six', 'six'),
  ),
  // In a later one; to a name through a link; onto another name of the same file, and onto another file.
  tar(
    hardLink('bin/later', 'bin/one'),
    hardLink('sbin/through', '/sbin/two'),
    hardLink('bin/two', 'bin/three'),
    hardLink('six', 'bin/one'),
  ),
  // The first name goes, one becomes a file of its own, one a new file that has names again.
  tar(whiteout('bin/one'), file('bin/three', 'three'), file('bin/two', 'new'), hardLink('bin/seven', 'bin/two')),
  tar(hardLink('bin/one', 'bin/later'), whiteout('five')),
];

const LAYERS = 100;

/** As many layers as engines allow, nearly; each adds, changes and removes. */
export const manyLayers: Buffer[] = Array.from({ length: LAYERS }, (_, index) => {
  const name = (number: number): string => `folder-${number % 7}/file-${number}`;
  const items = [file(name(index), `of ${index}`), symlink(`link-${index}`, name(index - 1))];
  if (index > 3) items.push(file(name(index - 3), `changed by ${index}`, { mode: 0o600 + (index % 64) }));
  if (index > 5 && index % 2 === 0) items.push(whiteout(name(index - 5)));
  if (index > 10 && index % 10 === 0) items.push(folder(`folder-${index % 7}`, 0o700 + (index % 64)));
  if (index > 10 && index % 25 === 0) items.push(opaque(`folder-${index % 7}`));
  if (index > 5 && index % 9 === 0) items.push(hardLink(`twin-${index}`, name(index - 2)));
  return tar(...items);
});

/** A hundred thousand files in one layer, and some gone in the next. */
export function crowdedLayers(): Buffer[] {
  const names = Array.from({ length: 100_000 }, (_, index) => `crowd/${index % 100}/${index}`);
  const folders = Array.from({ length: 100 }, (_, index) => folder(`crowd/${index}`));
  const files = names.map((name) => entry(file(name, name)));
  const gone = names.filter((_, index) => index % 1000 === 0).map(whiteout);
  return [
    Buffer.concat([...[folder('crowd'), ...folders].map(entry), ...files, Buffer.alloc(1024)]),
    tar(...gone, opaque('crowd/7')),
  ];
}
