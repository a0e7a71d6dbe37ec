import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { runnersLinks, unpackImage } from '../../../src/oci/index.js';
import { removeTree } from '../../../src/util/remove-tree.js';
import { entriesOf, type MadeEntry } from '../../support/inroot/path-arbitraries.js';
import { treeAndCalls } from '../../support/inroot/path-call-arbitraries.js';
import { own, type PathCall, PathCalls } from '../../support/inroot/path-calls.js';
import { jailMissing } from '../../support/jail/jail.js';
import { MemoryImage } from '../../support/memory-image.js';
import { file, folder, symlink, tar } from '../../support/tar.js';
import { temporaryFolder } from '../../support/temporary.js';

/** What happens by design otherwise than in a chroot: docs/runner.md, "Where it ends". */
const isByDesign = (expected: string, actual: string): boolean =>
  // Calls that fail in any case: a mount point cannot be replaced.
  (/^(rename|link)\w*: E/.test(expected) && /: EBUSY$/.test(actual)) ||
  // A program that somebody has open for writing (ETXTBSY) is started.
  /^exec\w*: 6656$/.test(expected) ||
  // A link that was moved may be another one then: who has the first open sees that it is gone.
  (/^readlink-fd/.test(expected) && /\(deleted\)/.test(actual));

/** What differs between any two processes; and how many names a link has, which may be links of their own. */
const withoutIdentity = (line: string): string =>
  line
    .replace(/^(readlink[\w-]* "(socket:\[)?)\d+(\/task\/\d+)?(\]?)": \d+$/, '$1N$4"')
    .replace(/^(readlink-fd "\/proc\/)\d+([^"]*").*/, '$1N$2')
    .replace(/( mode 120777 gid \d+) links \d+/, '$1');

/** From asm-generic/fcntl.h. */
const O_DIRECTORY = 0o200000;

/** Number of random cases: `PATH_CALLS_RUNS=5000 npx vitest run test/integration/runner/chroot.test.ts`. */
const numRuns = Number(process.env.PATH_CALLS_RUNS ?? 100);

describe.skipIf(jailMissing)(`calls with paths answer as in a chroot${jailMissing ? ` (${jailMissing})` : ''}`, () => {
  let place: Awaited<ReturnType<typeof temporaryFolder>>;
  let programs: PathCalls;

  beforeAll(async () => {
    place = await temporaryFolder();
    programs = new PathCalls(place.path);
    return () => place[Symbol.asyncDispose]();
  });

  const sides = ['chroot', 'inroot'] as const;

  /** Makes the calls on both sides, where the roots are, and compares what they answer, up to the first rename between mounts. */
  async function compare(calls: readonly PathCall[], guests: readonly string[]): Promise<void> {
    const [chroot, inroot] = sides.map((side) => ({
      root: join(place.path, side, 'root'),
      binds: guests.map((guest, i) => ({ guest, host: join(place.path, side, `bound${i}`) })),
    }));
    if (!chroot || !inroot) throw new Error('there are two sides');
    for (const { host } of [...chroot.binds, ...inroot.binds]) {
      mkdirSync(host);
      own(host);
    }
    const [expected, actual] = await Promise.all([
      programs.inChroot(chroot.root, calls, chroot.binds),
      programs.inRunner(inroot.root, calls, inroot.binds),
    ]);
    const end = expected.findIndex((line) => line.endsWith(': EXDEV'));
    const compared = (lines: string[]) =>
      lines
        .slice(0, end < 0 ? undefined : end)
        .map((line, i) => [calls[i]?.join(' '), isByDesign(`${expected[i]}`, line) ? expected[i] : line])
        .map(([call, line]) => [call, withoutIdentity(`${line}`)]);
    expect(compared(actual)).toEqual(compared(expected));
  }

  const clean = () => Promise.all(sides.map((side) => removeTree(join(place.path, side))));

  it.each([
    ['in a tree that they made themselves', []],
    ['with folders bound over it', ['/m', '/o/m']],
  ])('%s', async (_, guests) => {
    const property = fc.asyncProperty(treeAndCalls, async ({ made, calls }) => {
      for (const side of sides) programs.makeRoot(side, guests);
      await compare([...made, ...calls], guests);
    });
    await fc.assert(property.afterEach(clean), { numRuns });
  });

  it('from a folder that was removed', async () => {
    for (const side of sides) programs.makeRoot(side);
    // From linux/openat2.h: none, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH, RESOLVE_IN_ROOT.
    const opened = [0, 4, 8, 16].flatMap((resolve) =>
      ['../absolute', '../relative', '..', '../../d/b', '../b/..', './..', '.', 'b'].map(
        (path): PathCall => ['openat2', 1, 0, path, O_DIRECTORY, 0, resolve],
      ),
    );
    const tree: PathCall[] = [
      ...['/d', '/d/a', '/d/b'].map((path): PathCall => ['mkdir', path, 0o755]),
      ['symlink', '/d/b', '/d/absolute'],
      ['symlink', 'b', '/d/relative'],
    ];
    await compare([...tree, ['open', 0, '/d/a', O_DIRECTORY, 0], ['rmdir', '/d/a'], ...opened], []).finally(clean);
  });

  it('that are wrong in two ways at once: what the kernel finds first', async () => {
    for (const side of sides) programs.makeRoot(side);
    const circle: PathCall = ['symlink', '/circle', '/circle'];
    await compare([circle, ['symlink', '', '/circle/..'], ['symlink', 'x', '/circle/..']], []).finally(clean);
  });

  it('in a tree that was unpacked', async () => {
    const property = fc.asyncProperty(treeAndCalls, async ({ made, calls }) => {
      const entries = entriesOf(made);
      const [chroot = '', inroot = ''] = sides.map((side) => programs.makeSurroundings(side));
      mkdirSync(chroot);
      for (const entry of entries) make(chroot, entry);
      const image = new MemoryImage([tar(...entries.map(asTarItem))]);
      await unpackImage(image.resolved, image, inroot, { links: runnersLinks(['/proc', '/dev', '/sys']) });
      for (const root of [chroot, inroot]) programs.finishRoot(root);
      await compare(calls, []);
    });
    await fc.assert(property.afterEach(clean), { numRuns });
  });
});

function make(root: string, entry: MadeEntry): void {
  const path = join(root, entry.path);
  if (entry.type === 'folder') mkdirSync(path, 0o755);
  else if (entry.type === 'link') symlinkSync(entry.target, path);
  else writeFileSync(path, '', { mode: 0o644 });
}

function asTarItem(entry: MadeEntry) {
  if (entry.type === 'folder') return folder(entry.path);
  return entry.type === 'link' ? symlink(entry.path, entry.target) : file(entry.path, '', { mode: 0o644 });
}
