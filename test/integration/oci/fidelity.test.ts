import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openImage, resolveImage, runnersLinks, unpackImage } from '../../../src/oci/index.js';
import { buildLayeredImage, type LayoutImage } from '../../support/images.js';
import { registryMissing, run, skopeoCopy } from '../../support/registry.js';
import { temporaryFolder } from '../../support/temporary.js';
import { readTree, type TreeEntry } from '../../support/tree.js';

const platform = { os: 'linux', architecture: { x64: 'amd64' }[process.arch as string] ?? process.arch };

describe.skipIf(registryMissing)('an image of Debian packages in three layers', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let image: LayoutImage;
  let expected: Map<string, TreeEntry>;

  beforeAll(async () => {
    folder = await temporaryFolder();
    image = buildLayeredImage(folder.path);
    const bundle = join(folder.path, 'oracle');
    run('umoci', ['unpack', '--rootless', '--image', `${image.layout}:${image.tag}`, bundle]);
    expected = asWeUnpack(readTree(join(bundle, 'rootfs')));
  });
  afterAll(async () => folder?.[Symbol.asyncDispose]());

  async function unpack(reference: string): Promise<Map<string, TreeEntry>> {
    const rootfs = join(folder.path, 'ours', reference.replaceAll(/[^a-z0-9]/g, '-'));
    mkdirSync(join(folder.path, 'ours'), { recursive: true });
    const source = openImage(reference);
    try {
      const resolved = await resolveImage(source, platform);
      const stats = await unpackImage(resolved, source, rootfs);
      expect(stats.layers).toBe(3);
      expect(stats.compressedBytes).toBe(resolved.compressedBytes);
    } finally {
      await source.close();
    }
    return readTree(rootfs);
  }

  it('has what the test is about', () => {
    expect(expected.size).toBeGreaterThan(500);
    expect(expected.get('usr/share/base-files/only')).toBeDefined();
    expect(expected.has('etc/debian_version')).toBe(false);
    expect([...expected.values()].filter(({ type }) => type === 'link').length).toBeGreaterThan(20);
    expect([...expected].some(([path, entry]) => entry.type === 'file' && entry.twin !== path)).toBe(true);
  });

  it('is file by file what umoci unpacks, from the layout that umoci wrote', async () => {
    expectSame(await unpack(image.reference), expected);
  });

  it('is the same from a layout that skopeo wrote, in Docker types and zstd', async () => {
    const copy = join(folder.path, 'zstd');
    await skopeoCopy(`oci:${image.layout}:latest`, `oci:${copy}:it`, '--dest-compress-format', 'zstd');
    expectSame(await unpack(`oci:${copy}`), expected);
  });

  it('is the same from an archive like that of docker save', async () => {
    const archive = join(folder.path, 'saved.tar');
    await skopeoCopy(`oci:${image.layout}:latest`, `docker-archive:${archive}:example.org/app:1.0`);
    expectSame(await unpack(`docker-archive:${archive}`), expected);
    expectSame(await unpack(`docker-archive:${archive}:example.org/app:1.0`), expected);
  });

  it('is the same from an archive of a layout', async () => {
    const archive = join(folder.path, 'layout.tar');
    run('tar', ['-C', image.layout, '-cf', archive, '.']);
    expectSame(await unpack(`docker-archive:${archive}:latest`), expected);
  });
});

/** umoci as root keeps modes that we drop, and makes files in /dev. */
function asWeUnpack(tree: Map<string, TreeEntry>): Map<string, TreeEntry> {
  const result = new Map<string, TreeEntry>();
  for (const [path, entry] of tree) {
    if (entry.type === 'file') result.set(path, { ...entry, mode: (entry.mode & 0o777) | 0o600 });
    else if (entry.type === 'folder') result.set(path, { ...entry, mode: (entry.mode & 0o1777) | 0o700 });
    else result.set(path, entry);
  }
  return result;
}

/** Links may be stored otherwise, as long as a program is given the image's own text. */
function expectSame(actual: Map<string, TreeEntry>, expected: Map<string, TreeEntry>): void {
  const asGiven = [...actual].map(([path, entry]) => [
    path,
    entry.type === 'link' ? { ...entry, target: runnersLinks([]).original(entry.target) } : entry,
  ]);
  expect(Object.fromEntries(asGiven)).toEqual(Object.fromEntries(expected));
}
