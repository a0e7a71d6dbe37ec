import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runnersLinks } from '../../../src/oci/index.js';
import { buildLayeredImage, type LayoutImage } from '../../support/images.js';
import { registryMissing, run, skopeoCopy } from '../../support/registry.js';
import { temporaryFolder } from '../../support/temporary.js';
import { differences, type Oracle, umociMissing, unpack, unpackWithUmoci } from '../../support/umoci/comparison.js';
import { type FileFacts, readFacts } from '../../support/umoci/facts.js';

describe.skipIf(registryMissing ?? umociMissing)('an image of Debian packages in three layers', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let image: LayoutImage;
  let expected: Oracle;

  beforeAll(async () => {
    folder = await temporaryFolder();
    image = buildLayeredImage(folder.path);
    expected = await unpackWithUmoci(`${image.layout}:${image.tag}`, join(folder.path, 'oracle'));
  });
  afterAll(async () => folder?.[Symbol.asyncDispose]());

  async function unpacked(reference: string): Promise<Map<string, FileFacts>> {
    const links = runnersLinks([]);
    const rootfs = join(folder.path, 'ours', reference.replaceAll(/[^a-z0-9]/g, '-'));
    mkdirSync(join(folder.path, 'ours'), { recursive: true });
    expect((await unpack(reference, rootfs, { links })).layers).toBe(3);
    const facts = readFacts(rootfs);
    // Links may be stored otherwise, as long as a program is given the image's own text.
    for (const fact of facts.values()) if (fact.target !== undefined) fact.target = links.original(fact.target);
    return facts;
  }

  it('has what the test is about', () => {
    const { facts } = expected;
    expect(facts.size).toBeGreaterThan(500);
    expect(facts.get('usr/share/base-files/only')).toBeDefined();
    expect(facts.has('etc/debian_version')).toBe(false);
    expect([...facts.values()].filter(({ type }) => type === 'link').length).toBeGreaterThan(20);
    expect([...facts].some(([path, entry]) => entry.type === 'file' && entry.twin !== path)).toBe(true);
  });

  it('is file by file what umoci unpacks, from the layout that umoci wrote', async () => {
    expectSame(await unpacked(image.reference), expected);
  });

  it('is the same from a layout that skopeo wrote, in Docker types and zstd', async () => {
    const copy = join(folder.path, 'zstd');
    await skopeoCopy(`oci:${image.layout}:latest`, `oci:${copy}:it`, '--dest-compress-format', 'zstd');
    expectSame(await unpacked(`oci:${copy}`), expected);
  });

  it('is the same from an archive like that of docker save', async () => {
    const archive = join(folder.path, 'saved.tar');
    await skopeoCopy(`oci:${image.layout}:latest`, `docker-archive:${archive}:example.org/app:1.0`);
    expectSame(await unpacked(`docker-archive:${archive}`), expected);
    expectSame(await unpacked(`docker-archive:${archive}:example.org/app:1.0`), expected);
  });

  it('is the same from an archive of a layout', async () => {
    const archive = join(folder.path, 'layout.tar');
    run('tar', ['-C', image.layout, '-cf', archive, '.']);
    expectSame(await unpacked(`docker-archive:${archive}:latest`), expected);
  });
});

function expectSame(actual: Map<string, FileFacts>, expected: Oracle): void {
  expect(differences(actual, expected).unexplained).toEqual([]);
}
