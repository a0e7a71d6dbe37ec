import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeLayout } from '../../../scripts/lib/oci-layout.mjs';

const sha256 = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const image = { tag: 'latest', architecture: 'amd64', created: '2026-01-01T00:00:00Z', config: { Cmd: ['true'] } };

describe('writeLayout', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'scar-layout-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('names every blob by its digest, from the index to the layer', async () => {
    const tar = Buffer.alloc(300_000, 'layer');
    const layout = join(folder, 'image');
    await writeLayout(layout, { ...image, layer: Readable.from([tar.subarray(0, 1_000), tar.subarray(1_000)]) });

    const blob = ({ digest, size }: { digest: string; size: number }) => {
      const bytes = readFileSync(join(layout, 'blobs', ...digest.split(':')));
      expect(sha256(bytes)).toBe(digest);
      expect(bytes.length).toBe(size);
      return bytes;
    };
    const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
    expect(index.manifests[0].annotations['org.opencontainers.image.ref.name']).toBe('latest');
    const manifest = JSON.parse(blob(index.manifests[0]).toString());
    const config = JSON.parse(blob(manifest.config).toString());
    const layer = gunzipSync(blob(manifest.layers[0]));
    expect(layer.equals(tar)).toBe(true);
    expect(config).toMatchObject({ os: 'linux', architecture: 'amd64', config: { Cmd: ['true'] } });
    expect(config.rootfs.diff_ids).toEqual([sha256(tar)]);
    expect(readdirSync(join(layout, 'blobs/sha256'))).toHaveLength(3);
  });

  it('leaves nothing when the layer ends with an error', async () => {
    const layout = join(folder, 'image');
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('half');
        throw new Error('the builder failed');
      })(),
    );
    await expect(writeLayout(layout, { ...image, layer: broken })).rejects.toThrow('the builder failed');
    expect(existsSync(layout)).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });
});
