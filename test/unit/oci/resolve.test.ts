import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Descriptor, ImageSource } from '../../../src/oci/image-source.js';
import { imageBlobs, manifestDescriptor, resolveImage } from '../../../src/oci/index.js';
import { digestOf, MemoryImage } from '../../support/memory-image.js';
import { file, tar } from '../../support/tar.js';

const amd64 = { os: 'linux', architecture: 'amd64' };
const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** A source whose documents a test writes: the first is what the reference names. */
class Documents implements ImageSource {
  readonly reference = 'test';
  readonly #first: Buffer;
  readonly #blobs = new Map<string, Buffer>();

  constructor(
    first: unknown,
    others: Buffer[] = [],
    readonly digest?: string,
  ) {
    this.#first = Buffer.isBuffer(first) ? first : Buffer.from(JSON.stringify(first));
    for (const bytes of others) this.#blobs.set(digestOf(bytes), bytes);
  }

  async manifest(digest: string | undefined): Promise<{ mediaType: string; bytes: Buffer }> {
    return { mediaType: '', bytes: (digest && this.#blobs.get(digest)) || this.#first };
  }

  async blob(descriptor: Descriptor): Promise<Readable> {
    return Readable.from([this.#blobs.get(descriptor.digest) ?? Buffer.alloc(0)]);
  }

  async close(): Promise<void> {}
}

const image = new MemoryImage([tar(file('f'))]);
const blobs = [...image.blobs.values(), image.manifestBytes];
const manifest = image.resolved.manifest;
const described = (bytes: Buffer, more: Partial<Descriptor> = {}): Descriptor => ({
  mediaType: MANIFEST,
  digest: digestOf(bytes),
  size: bytes.length,
  ...more,
});
const indexOf = (...manifests: Descriptor[]) => ({ schemaVersion: 2, mediaType: INDEX, manifests });
const resolve = (first: unknown, others: Buffer[] = blobs, digest?: string) =>
  resolveImage(new Documents(first, others, digest), amd64);

describe('resolveImage', () => {
  it('takes a manifest, and says what it is made of', async () => {
    const resolved = await resolve(image.manifestBytes);
    expect(resolved.digest).toBe(image.resolved.digest);
    expect(resolved.compressedBytes).toBe(manifest.layers[0]?.size);
    expect(imageBlobs(resolved)).toEqual([manifest.config, ...manifest.layers]);
    expect(manifestDescriptor(resolved)).toEqual(described(image.manifestBytes));
  });

  it('names each blob once, however often a manifest does', () => {
    const twice = { ...manifest, layers: [...manifest.layers, ...manifest.layers] };
    expect(imageBlobs({ ...image.resolved, manifest: twice })).toHaveLength(2);
  });

  it('chooses the platform in an index, the lowest of its variants, and never an attestation', async () => {
    const on = (os: string, architecture: string, variant?: string) => ({
      platform: { os, architecture, ...(variant && { variant }) },
    });
    const other = Buffer.from('{}');
    const resolved = await resolve(
      indexOf(
        described(other, on('unknown', 'unknown')),
        described(other, on('linux', 'arm64', 'v8')),
        described(other, on('linux', 'amd64', 'v3')),
        described(image.manifestBytes, on('linux', 'amd64')),
        described(other, on('windows', 'amd64')),
      ),
    );
    expect(resolved.digest).toBe(image.resolved.digest);
  });

  it('takes an entry without a platform when its config is of the right one', async () => {
    expect((await resolve(indexOf(described(image.manifestBytes)))).digest).toBe(image.resolved.digest);
  });

  it('follows an index in an index, but not for ever', async () => {
    let bytes = Buffer.from(JSON.stringify(indexOf(described(image.manifestBytes))));
    const chain = [...blobs, bytes];
    expect((await resolve(indexOf(described(bytes, { mediaType: INDEX })), chain)).digest).toBe(image.resolved.digest);
    for (let i = 0; i < 10; i++) {
      bytes = Buffer.from(JSON.stringify(indexOf(described(bytes, { mediaType: INDEX }))));
      chain.push(bytes);
    }
    await expect(resolve(bytes, chain)).rejects.toMatchObject({
      code: 'image-unsafe',
      message: expect.stringMatching(/an index of an index/),
    });
  });

  it('checks the digest that a reference pins', async () => {
    expect((await resolve(image.manifestBytes, blobs, image.resolved.digest)).digest).toBe(image.resolved.digest);
    await expect(resolve(image.manifestBytes, blobs, digestOf(Buffer.from('x')))).rejects.toMatchObject({
      code: 'image-corrupt',
      message: expect.stringContaining('has other bytes than its digest says'),
    });
  });

  it('checks the digest that an index gives', async () => {
    const lie = indexOf(described(image.manifestBytes, { digest: digestOf(Buffer.from('x')) }));
    await expect(resolve(lie)).rejects.toMatchObject({ code: 'image-corrupt' });
  });

  it.each<[string, unknown, string, RegExp]>([
    ['no JSON', Buffer.from('<html>'), 'image-corrupt', /must be JSON/],
    ['a list', [], 'image-corrupt', /must be a JSON object/],
    ['null', null, 'image-corrupt', /must be a JSON object/],
    ['nothing known', {}, 'image-unsupported', /no known type/],
    ['schema 1', { schemaVersion: 1, fsLayers: [] }, 'image-unsupported', /schema 1/],
    [
      'both, index and manifest (CVE-2021-41190)',
      { ...manifest, manifests: [] },
      'image-unsafe',
      /index and a manifest at once/,
    ],
    ['an index of nothing', indexOf(), 'image-unsupported', /has no image for linux\/amd64; it has none/],
    ['no config', { ...manifest, config: undefined }, 'image-corrupt', /must be a descriptor/],
    ['a path as digest', withLayer({ digest: 'sha256:../../../etc/passwd' }), 'image-corrupt', /must be a descriptor/],
    ['an unknown algorithm', withLayer({ digest: `md5:${'0'.repeat(32)}` }), 'image-corrupt', /must be a descriptor/],
    ['a negative size', withLayer({ size: -1 }), 'image-corrupt', /must be a descriptor/],
    ['no list of layers', { ...manifest, layers: {} }, 'image-corrupt', /must be a list/],
    ['too many layers', { ...manifest, layers: Array(1001).fill(manifest.layers[0]) }, 'image-unsafe', /at most 1000/],
    [
      'a foreign layer',
      withLayer({ mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' }),
      'image-unsupported',
      /foreign layer/,
    ],
    [
      'an encrypted layer',
      withLayer({ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted' }),
      'image-unsupported',
      /is no file system/,
    ],
    [
      'no container',
      { ...manifest, config: { ...manifest.config, mediaType: 'application/vnd.cncf.helm.config.v1+json' } },
      'image-unsupported',
      /must be a container image/,
    ],
    [
      'a config without end',
      { ...manifest, config: { ...manifest.config, size: 2 ** 40 } },
      'image-unsafe',
      /at most 16.0 MiB/,
    ],
    ['too long', Buffer.alloc(5 << 20, ' '), 'image-unsafe', /at most 4.0 MiB/],
  ])('refuses what is %s', async (_, first, code, message) => {
    await expect(resolve(first)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  function withLayer(change: Partial<Descriptor>): object {
    return { ...manifest, layers: [{ ...manifest.layers[0], ...change }] };
  }

  it.each<[string, object, RegExp]>([
    ['no diffIDs', { rootfs: {} }, /for each of the 1 layers; it has none/],
    ['too few diffIDs', { rootfs: { diff_ids: [] } }, /it has 0 valid ones/],
    ['diffIDs that are none', { rootfs: { diff_ids: ['x'] } }, /it has 0 valid ones/],
    ['an ENTRYPOINT that is a text', { config: { Entrypoint: '/bin/sh' } }, /config.Entrypoint .* list of strings/],
    ['an ENV with a NUL', { config: { Env: ['A=\0'] } }, /config.Env .* without NUL/],
  ])('refuses a config with %s', async (_, change, message) => {
    const config = Buffer.from(JSON.stringify({ ...image.resolved.config, ...change }));
    const changed = { ...manifest, config: described(config, { mediaType: manifest.config.mediaType }) };
    await expect(resolve(changed, [...blobs, config])).rejects.toMatchObject({
      code: 'image-corrupt',
      message: expect.stringMatching(message),
    });
  });

  it('refuses an image of another platform, and says which', async () => {
    const source = new Documents(image.manifestBytes, blobs);
    await expect(resolveImage(source, { os: 'linux', architecture: 'arm64' })).rejects.toMatchObject({
      code: 'image-unsupported',
      message: expect.stringContaining('has no image for linux/arm64; it has linux/amd64'),
    });
  });
});
