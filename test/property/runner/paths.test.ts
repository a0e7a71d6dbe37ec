import { realpathSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { removeTree } from '../../../src/util/remove-tree.js';
import { entriesOf, type MadeEntry, path, tree, withKnownPaths } from '../../support/inroot/path-arbitraries.js';
import { type Answer, PathResolver, type Query } from '../../support/inroot/path-resolver.js';
import { isInstalled } from '../../support/installed.js';
import { temporaryFolder } from '../../support/temporary.js';

const missing = isInstalled('gcc') ? undefined : 'needs gcc';

/** From linux/openat2.h; RESOLVE_NO_XDEV would tell the trees apart. */
const RESOLVE = { NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8, IN_ROOT: 16 } as const;

/** A path longer than that may become too long for the kernel when the root's is in front, or a link's target. */
const LONG = 2000;

const change = fc.oneof(
  fc.record({
    insert: fc.constantFrom('/', '//', '.', '..', '/../', '\x01', '\xff', '%', 'n'.repeat(250)),
    at: fc.nat(5000),
  }),
  fc.record({ remove: fc.integer({ min: 1, max: 5 }), at: fc.nat(5000) }),
  fc.record({ repeat: fc.constantFrom(1, 2, 3, 30, 255, 1000, 4094, 4095, 4096, 5000), at: fc.nat(5000) }),
);

/** What is left of a path when something happened to it. */
function changed(
  text: string,
  changes: readonly Partial<Record<'insert', string> & Record<'remove' | 'repeat' | 'at', number>>[],
): string {
  for (const { insert = '', remove = 0, repeat = 0, at = 0 } of changes) {
    const from = at % (text.length + 1);
    if (repeat > 0) text = (text.slice(from) || 'x/').repeat(repeat).slice(0, repeat) + text.slice(from);
    else text = text.slice(0, from) + insert + text.slice(from + remove);
  }
  return text;
}

const query = fc.record({
  folder: fc.nat(30),
  last: fc.constantFrom<Query['last']>('followed', 'followed', 'itself', 'entry'),
  resolve: fc.oneof(
    { weight: 2, arbitrary: fc.constant(0) },
    {
      weight: 1,
      arbitrary: fc
        .subarray(Object.values(RESOLVE))
        .map((flags) => flags.reduce((all: number, flag) => all | flag, 0))
        .filter((flags) => (flags & (RESOLVE.BENEATH | RESOLVE.IN_ROOT)) !== (RESOLVE.BENEATH | RESOLVE.IN_ROOT)),
    },
  ),
  path: fc
    .tuple(path, fc.oneof(fc.constant([]), fc.array(change, { maxLength: 4 })))
    .map(([text, changes]) => changed(text, changes)),
});

const treeAndQueries = fc.tuple(tree, fc.array(query, { minLength: 1, maxLength: 40 })).map(([made, queries]) => {
  const entries = entriesOf(withKnownPaths(made, made));
  const folders = ['', ...entries.flatMap((entry) => (entry.type === 'folder' ? [entry.path] : []))];
  const paths = withKnownPaths(
    made,
    queries.map((one) => [one.path]),
  ).map(([text]) => `${text}`);
  return {
    entries,
    queries: queries.map(
      (one, i): Query => ({
        ...one,
        folder: `/${folders[one.folder % folders.length]}`,
        path: paths[i]?.replaceAll('\0', '') || '/',
      }),
    ),
  };
});

/** Errors that come sooner where paths have a folder's in front: the root's here, the query's there. */
const isTooLong = ({ path }: Query, { runner, kernel }: Answer): boolean =>
  path.length > LONG && (['ENAMETOOLONG', 'ELOOP'].includes(runner) || kernel === 'ENAMETOOLONG');

describe.skipIf(missing)(`the resolver of paths${missing ? ` (${missing})` : ''}`, () => {
  let folder: string;

  beforeAll(async () => {
    const place = await temporaryFolder();
    folder = realpathSync(place.path);
    return () => place[Symbol.asyncDispose]();
  });

  it("keeps paths of all the bytes that they may have, with a folder's in front, within its buffers", async () => {
    const resolver = new PathResolver(folder, []);
    resolver.make([{ path: 'a', type: 'folder' }]);
    const lengths = Array.from({ length: 20 }, (_, i) => 4080 + i);
    const paths = lengths.flatMap((length) =>
      ['x/', 'xx/', 'x', '/', './', '../'].map((text) => text.repeat(length).slice(0, length)),
    );
    const queries = paths.flatMap((path) =>
      ['/', '/a'].map((folder): Query => ({ folder, last: 'followed', resolve: RESOLVE.BENEATH, path })),
    );
    const answers = resolver.resolve(queries);
    expect(answers.map(({ runner }) => runner)).toContain('ENAMETOOLONG');
    await removeTree(resolver.trees);
  });

  it.each([
    ['alone', []],
    ['with folders bound over it', ['/m', '/o/m']],
  ])(
    'gets in a root %s to where the kernel gets in its twin, and never out',
    async (_, binds) => {
      const resolver = new PathResolver(folder, binds);
      const outcomes = new Set<string>();
      const property = fc.asyncProperty(treeAndQueries, async ({ entries, queries }) => {
        resolver.make(inPlace(entries, binds));
        const answers = resolver.resolve(queries);
        // A process's links to itself in /proc are the runner's, wherever that is.
        const namesProcesses = JSON.stringify([entries, queries]).includes('proc');
        for (const [i, answer] of answers.entries()) {
          const one = queries[i] as Query;
          outcomes.add(answer.kernel.startsWith('/') ? 'found' : answer.kernel);
          expect(answer.runner).not.toMatch(/^outside/);
          const isComparable = !namesProcesses && answer.runner !== '-' && !isTooLong(one, answer);
          const expected = isComparable ? answer.kernel : answer.runner;
          expect({ ...one, leads: answer.runner }).toEqual({ ...one, leads: expected });
        }
      });
      await fc.assert(
        property.afterEach(() => removeTree(resolver.trees)),
        { numRuns: Number(process.env.SCAR_PATH_RUNS ?? 100) },
      );
      expect([...outcomes]).toEqual(
        expect.arrayContaining(['found', 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EXDEV']),
      );
    },
    3_600_000,
  );
});

/** Where folders are bound, nothing else can be. */
function inPlace(entries: readonly MadeEntry[], binds: readonly string[]): MadeEntry[] {
  const taken = (at: string) => binds.some((bind) => bind === at || bind.startsWith(`${at}/`));
  return entries.filter(({ path, type }) => type === 'folder' || !taken(`/${path}`));
}
