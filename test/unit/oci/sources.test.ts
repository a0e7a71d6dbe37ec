import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openImage, resolveImage, unpackImage } from '../../../src/oci/index.js';
import { digestOf, MemoryImage, writeLayout } from '../../support/memory-image.js';
import { file, folder, symlink, type TarItem, tar } from '../../support/tar.js';
import { temporaryFolder } from '../../support/temporary.js';
import { readTree } from '../../support/tree.js';

const amd64 = { os: 'linux', architecture: 'amd64' };
let place: Awaited<ReturnType<typeof temporaryFolder>>;

beforeEach(async () => {
  place = await temporaryFolder();
});
afterEach(() => place[Symbol.asyncDispose]());

async function resolve(reference: string) {
  const source = openImage(reference);
  const image = await resolveImage(source, amd64);
  return { source, image };
}

async function unpacked(reference: string): Promise<string[]> {
  const { source, image } = await resolve(reference);
  const rootfs = join(place.path, `rootfs-${Math.random()}`);
  await unpackImage(image, source, rootfs);
  await source.close();
  return [...readTree(rootfs).keys()];
}

describe('a layout', () => {
  const first = new MemoryImage([tar(file('first'))]);
  const second = new MemoryImage([tar(file('second'))]);
  const layout = (): string => join(place.path, 'layout');

  interface Named {
    image: MemoryImage;
    name?: string;
    architecture?: string;
  }

  async function write(...images: Named[]): Promise<void> {
    for (const { image } of images) await writeLayout(image, layout(), 'x');
    const manifests = images.map(({ image, name, architecture }) => ({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: image.resolved.digest,
      size: image.manifestBytes.length,
      ...(name && { annotations: { 'org.opencontainers.image.ref.name': name } }),
      ...(architecture && { platform: { os: 'linux', architecture } }),
    }));
    await writeFile(join(layout(), 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  }

  it('with one image needs no tag, whatever its name', async () => {
    await write({ image: first, name: 'docker.io/library/x:1' });
    expect(await unpacked(`oci:${layout()}`)).toEqual(['first']);
    expect(await unpacked(`oci:${layout()}:docker.io/library/x:1`)).toEqual(['first']);
  });

  it('with several is asked by tag, by digest, or for "latest"', async () => {
    await write({ image: first, name: 'one' }, { image: second, name: 'latest' });
    expect(await unpacked(`oci:${layout()}:one`)).toEqual(['first']);
    expect(await unpacked(`oci:${layout()}`)).toEqual(['second']);
    expect(await unpacked(`oci:${layout()}@${first.resolved.digest}`)).toEqual(['first']);
  });

  it('takes the last of two that have the same name', async () => {
    await write({ image: first, name: 'it' }, { image: second, name: 'it' });
    expect(await unpacked(`oci:${layout()}:it`)).toEqual(['second']);
  });

  it('is one image when its manifests are platforms without names', async () => {
    await write({ image: first, architecture: 'arm64' }, { image: second, architecture: 'amd64' });
    expect(await unpacked(`oci:${layout()}`)).toEqual(['second']);
  });

  it('says which images it has when there is none of that name, or too many', async () => {
    await write({ image: first, name: 'one' }, { image: second, name: 'two' });
    const notFound = (message: string) => ({ code: 'image-not-found', message: expect.stringContaining(message) });
    await expect(resolve(`oci:${layout()}:three`)).rejects.toMatchObject(
      notFound('no image named "three". It has: one, two'),
    );
    await expect(resolve(`oci:${layout()}`)).rejects.toMatchObject(notFound('say which one, as in oci:DIR:TAG'));
    await expect(resolve(`oci:${place.path}`)).rejects.toMatchObject(notFound('has no index.json'));
    await expect(resolve(`oci:${place.path}/no`)).rejects.toMatchObject(notFound('has no index.json'));
    await writeFile(join(layout(), 'index.json'), '{"manifests":[]}');
    await expect(resolve(`oci:${layout()}`)).rejects.toMatchObject(notFound('has no images'));
  });

  it('says which blob is missing', async () => {
    await write({ image: first });
    const [layer] = first.resolved.manifest.layers;
    await rm(join(layout(), 'blobs', (layer?.digest ?? '').replace(':', '/')));
    await expect(unpacked(`oci:${layout()}`)).rejects.toMatchObject({
      code: 'image-not-found',
      message: expect.stringContaining(`has no blob ${layer?.digest}`),
    });
  });
});

describe('an archive of docker save', () => {
  const layerTar = tar(folder('d'), file('d/f', 'content'));
  const config = (...layers: Buffer[]): Buffer =>
    Buffer.from(
      JSON.stringify({
        os: 'linux',
        architecture: 'amd64',
        rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
      }),
    );
  const archive = (): string => join(place.path, 'saved.tar');

  async function save(images: object, ...items: TarItem[]): Promise<string> {
    await writeFile(archive(), tar(file('manifest.json', JSON.stringify(images)), ...items));
    return `docker-archive:${archive()}`;
  }

  it('in the old form: a folder for each layer, links between those that images share', async () => {
    const reference = await save(
      [
        { Config: 'c.json', RepoTags: ['app:1'], Layers: ['aaa/layer.tar', 'bbb/layer.tar'] },
        { Config: 'c.json', RepoTags: ['app:2'], Layers: ['aaa/layer.tar', 'aaa/layer.tar'] },
      ],
      folder('aaa/'),
      file('aaa/layer.tar', layerTar),
      symlink('bbb/layer.tar', '../aaa/layer.tar'),
      file('c.json', config(layerTar, layerTar)),
    );
    expect(await unpacked(`${reference}:app:1`)).toEqual(['d', 'd/f']);
    expect(await unpacked(`${reference}:docker.io/library/app:2`)).toEqual(['d', 'd/f']);
    await expect(resolve(reference)).rejects.toThrow('the archive has 2 images; say which one');
    await expect(resolve(`${reference}:app:3`)).rejects.toThrow('no image named "app:3". It has: app:1, app:2');
  });

  it('in the form of Docker 25: blobs as in a layout', async () => {
    const blob = (bytes: Buffer): string => `blobs/${digestOf(bytes).replace(':', '/')}`;
    const reference = await save(
      [{ Config: blob(config(layerTar)), RepoTags: null, Layers: [blob(layerTar)] }],
      file(blob(config(layerTar)), config(layerTar)),
      file(blob(layerTar), layerTar),
      file('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
      file('index.json', '{"schemaVersion":2,"manifests":[]}'),
    );
    expect(await unpacked(reference)).toEqual(['d', 'd/f']);
  });

  it('with layers that are compressed', async () => {
    const reference = await save(
      [{ Config: 'c', RepoTags: ['a:1'], Layers: ['l'] }],
      file('c', config(layerTar)),
      file('l', gzipSync(layerTar)),
    );
    const { image } = await resolve(reference);
    expect(image.manifest.layers[0]).toMatchObject({ digest: digestOf(gzipSync(layerTar)) });
    expect(await unpacked(reference)).toEqual(['d', 'd/f']);
  });

  it('has the same digest every time it is read', async () => {
    const reference = await save(
      [{ Config: 'c', RepoTags: ['a:1'], Layers: ['l'] }],
      file('c', config(layerTar)),
      file('l', layerTar),
    );
    expect((await resolve(reference)).image.digest).toBe((await resolve(reference)).image.digest);
  });

  it('whose layer is not the one of the config is refused', async () => {
    const reference = await save(
      [{ Config: 'c', RepoTags: ['a:1'], Layers: ['l'] }],
      file('c', config(layerTar)),
      file('l', tar(file('other'))),
    );
    await expect(unpacked(reference)).rejects.toMatchObject({ code: 'image-corrupt' });
  });

  it.each<[string, object, string, string]>([
    ['no list', {}, 'image-corrupt', 'must be a list of images'],
    ['an empty list', [], 'image-corrupt', 'must be a list of images'],
    ['numbers', [{ Config: 1, Layers: [2] }], 'image-corrupt', 'must be a list of images'],
    ['a config that is not there', [{ Config: 'no', Layers: [] }], 'image-corrupt', 'it has no no'],
    ['a layer that is not there', [{ Config: 'c', Layers: ['no'] }], 'image-corrupt', 'it has no no'],
    ['links in a circle', [{ Config: 'l1', Layers: [] }], 'image-corrupt', 'more than 10 links'],
    ['too few layers', [{ Config: 'c', Layers: [] }], 'image-corrupt', 'a diffID for each'],
  ])('refuses a manifest.json with %s', async (_, images, code, message) => {
    const reference = await save(images, file('c', config(layerTar)), symlink('l1', 'l2'), symlink('l2', 'l1'));
    await expect(resolve(reference)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it('refuses what is none', async () => {
    const reference = `docker-archive:${archive()}`;
    await expect(resolve(reference)).rejects.toMatchObject({ code: 'image-not-found' });
    await writeFile(archive(), gzipSync(tar(file('manifest.json', '[]'))));
    await expect(resolve(reference)).rejects.toMatchObject({
      code: 'image-unsupported',
      message: expect.stringMatching(/Decompress it/),
    });
    await writeFile(archive(), tar(file('repositories', '{}')));
    await expect(resolve(reference)).rejects.toMatchObject({
      code: 'image-unsupported',
      message: expect.stringMatching(/docker save/),
    });
    await writeFile(archive(), Buffer.alloc(3000, 'x'));
    await expect(resolve(reference)).rejects.toMatchObject({ code: 'image-corrupt' });
    await writeFile(archive(), tar(file('manifest.json', 'x'.repeat(5000))).subarray(0, 2000));
    await expect(resolve(reference)).rejects.toMatchObject({
      code: 'image-corrupt',
      message: expect.stringMatching(/ends in the middle/),
    });
    await mkdir(join(place.path, 'folder'));
    await expect(resolve(`docker-archive:${place.path}/folder`)).rejects.toMatchObject({ code: 'image-not-found' });
  });
});
