import fc from 'fast-check';
import type { PathCall } from './path-calls.js';

/** Few names, so that calls meet; `l…` are links of a chain, `p` is the program, `m` what is bound, also in `o`. */
const name = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('a', 'b', 'c', 'd') },
  { weight: 2, arbitrary: fc.constantFrom('m', 'o', 'l0', 'l1', 'l5', 'p') },
  { weight: 1, arbitrary: fc.constantFrom('...', '.x', 'e e', 'n'.repeat(255), 'n'.repeat(256), 'tmp', 'proc') },
);
const component = fc.oneof(
  { weight: 10, arbitrary: name },
  { weight: 4, arbitrary: fc.constant('..') },
  { weight: 1, arbitrary: fc.constantFrom('.', '') },
);
const anyPath = fc
  .tuple(
    fc.constantFrom('/', '/', '/', '', ''),
    fc.array(component, { minLength: 1, maxLength: 5 }).map((components) => components.join('/')),
    fc.constantFrom('', '', '', '', '', '', '/', '//', '/.', '/..'),
  )
  .map((parts) => parts.join(''));

/** `@7` stands for the path of an entry of the tree, relative to the root: the seventh, counted round and round. */
export const known = fc.nat(30).map((index) => `@${index}`);
const knownPath = fc
  .tuple(fc.constantFrom('', '/'), known, fc.constantFrom('', '', '', '-new'))
  .map((parts) => parts.join(''));
const pathAroundKnown = fc
  .tuple(
    fc.constantFrom('/', '', '//', './', '/../', '@1/../', '/@2/../../'),
    known,
    fc.constantFrom('', '/', '/..', '/.', '/new', '/../new'),
  )
  .map((parts) => parts.join(''));

const ofTheRoot = ['', '/', '//', '.', '..', '/..', '../../..', '/m', '/m/', '/m/..', '/o/m', '/o/m/../../m/a', '/sys'];
const ofProcesses = ['exe', 'root', 'root/a', 'root/..', 'root/../p', 'cwd', 'cwd/b', 'cwd/../a', 'fd', '../self'];
const special = fc.constantFrom(
  ...ofTheRoot,
  ...ofProcesses.flatMap((path) => [`/proc/self/${path}`, `proc/self/${path}`, `/proc/thread-self/${path}`]),
  ...['/dev/null', '/dev/fd', 'dev/../proc/self/exe', 'x/'.repeat(2300)],
);

export const path: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: anyPath },
  { weight: 5, arbitrary: pathAroundKnown },
  { weight: 8, arbitrary: knownPath },
  { weight: 1, arbitrary: special },
  { weight: 1, arbitrary: fc.constant('') },
);

export const mode = fc.constantFrom(0o755, 0o700, 0o644, 0o600, 0o777, 0o000, 0o111, 0o555);

/** Where something of a tree lies. */
const place = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 3 })
  .map((components) => components.join('/'));

const folder = place.map((at): PathCall[] => [['mkdir', at, 0o755]]);
const file = place.map((at): PathCall[] => [['creat', 7, at, 0o644]]);
const link = fc.tuple(path, place).map(([target, at]): PathCall[] => [['symlink', target, at]]);
const chain = fc.tuple(place, fc.integer({ min: 36, max: 42 }), path).map(([at, count, target]): PathCall[] => [
  ['mkdir', at, 0o755],
  ['chain', at, count, target],
]);
/** A folder with a link in its depth, which climbs, perhaps above the root, from there or when the folder was moved. */
const climber = fc
  .tuple(
    place,
    fc.integer({ min: 0, max: 2 }),
    fc.integer({ min: 1, max: 5 }),
    fc.constantFrom('', 'a', 'b', 'a/b', 'c/..', 'm'),
  )
  .map(([at, depth, up, rest]): PathCall[] => {
    const folders = ['', '/a', '/a/b'].slice(0, depth + 1).map((below) => `${at}${below}`);
    return [
      ...folders.map((path): PathCall => ['mkdir', path, 0o755]),
      ['symlink', `${'../'.repeat(up)}${rest}`, `${folders.at(-1)}/l`],
    ];
  });
const fifo = place.map((at): PathCall[] => [['fifo', 'cwd', at]]);
const script = fc.tuple(place, path).map(([at, interpreter]): PathCall[] => [
  ['creat', 7, at, 0o755],
  ['write', 7, `#!${interpreter} report\n`],
  ['close', 7],
]);
const entry = fc
  .oneof(
    { weight: 4, arbitrary: folder },
    { weight: 3, arbitrary: file },
    { weight: 6, arbitrary: link },
    { weight: 1, arbitrary: chain },
    { weight: 2, arbitrary: climber },
    { weight: 1, arbitrary: fifo },
    { weight: 1, arbitrary: script },
  )
  .map((calls) => [...foldersAbove(calls), ...calls]);
const closed = fc.tuple(place, mode).map(([at, bits]): PathCall => ['chmod', at, bits]);

/** The calls that make a tree. */
export const tree: fc.Arbitrary<PathCall[]> = fc
  .tuple(fc.array(entry, { minLength: 3, maxLength: 10 }), fc.array(closed, { maxLength: 1 }))
  .map(([entries, modes]) => [...entries.flat(), ...modes]);

function foldersAbove([first]: readonly PathCall[]): PathCall[] {
  const components = pathMadeBy(first)?.split('/').slice(0, -1) ?? [];
  return components.map((_, i) => ['mkdir', components.slice(0, i + 1).join('/'), 0o755]);
}

function pathMadeBy([operation, first, second]: PathCall = []): string | undefined {
  if (operation === 'mkdir') return `${first}`;
  return ['creat', 'symlink', 'fifo'].includes(`${operation}`) ? `${second}` : undefined;
}

/** Puts the paths that a tree has in place of `@7` and its like, in the tree's own calls and in others. */
export function withKnownPaths(made: readonly PathCall[], calls: readonly PathCall[]): PathCall[] {
  const paths = [...new Set(made.flatMap((call) => pathMadeBy(call) ?? []))];
  const pathOf = (_: string, index: string) => paths[Number(index) % paths.length] ?? 'a';
  return calls.map((call) => call.map((word) => `${word}`.replace(/@(\d+)/g, pathOf)));
}

/** One entry of a tree. */
export type MadeEntry =
  | { path: string; type: 'folder' }
  | { path: string; type: 'file' }
  | { path: string; type: 'link'; target: string };

/** The folders, files and links that the calls of a tree make, for those who make it otherwise. */
export function entriesOf(made: readonly PathCall[]): MadeEntry[] {
  const entries = new Map<string, MadeEntry>();
  const add = (entry: MadeEntry) => {
    const above = entry.path.split('/').slice(0, -1).join('/');
    const isRoom = above === '' || entries.get(above)?.type === 'folder';
    const isPossible = entry.type !== 'link' || (entry.target !== '' && entry.target.length < 1000);
    if (isRoom && isPossible && !entries.has(entry.path)) entries.set(entry.path, entry);
  };
  for (const [operation, ...words] of made) {
    const [first = '', second = '', third = ''] = words.map(String);
    if (operation === 'mkdir') add({ path: first, type: 'folder' });
    if (operation === 'creat') add({ path: second, type: 'file' });
    if (operation === 'symlink') add({ path: second, type: 'link', target: first });
    for (let i = 0; operation === 'chain' && i < Number(second); i++) {
      add({ path: `${first}/l${i}`, type: 'link', target: i + 1 < Number(second) ? `l${i + 1}` : third });
    }
  }
  return [...entries.values()];
}
