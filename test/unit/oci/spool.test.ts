import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SpooledSource } from '../../../src/oci/archive/index.js';
import type { Descriptor } from '../../../src/oci/index.js';
import { MemoryImage } from '../../support/memory-image.js';
import { file, tar } from '../../support/tar.js';

const image = new MemoryImage([tar(file('a', 'x'.repeat(200_000))), tar(file('b', 'y'))]);
const [first, second] = image.resolved.manifest.layers as [Descriptor, Descriptor];
const never = new AbortController().signal;

const spoolFiles = () => readdirSync(tmpdir()).filter((name) => name.startsWith('scar-image-'));

describe('blobs that are kept on the disk', () => {
  const before = spoolFiles();
  afterEach(() => expect(spoolFiles(), 'files with names').toEqual(before));

  it('are fetched once, and read as often as one likes', async () => {
    let bytes = 0;
    const onBytes = (count: number) => {
      bytes += count;
    };
    const spool = new SpooledSource(image, { onBytes, signal: never });
    image.requests.length = 0;
    for (let i = 0; i < 3; i++) {
      const stored = Buffer.concat(await (await spool.blob(first)).toArray());
      expect(stored.equals(image.blobs.get(first.digest) ?? Buffer.alloc(0))).toBe(true);
    }
    expect(image.requests).toEqual([first.digest]);
    expect(bytes).toBe(first.size);
    await spool.close();
  });

  it('are verified before anybody reads them', async () => {
    const blob = async () => Readable.from([Buffer.alloc(first.size)], { objectMode: false });
    const spool = new SpooledSource(Object.assign(Object.create(image), { blob }), {
      onBytes: () => {},
      signal: never,
    });
    await expect(spool.blob(first)).rejects.toMatchObject({ code: 'image-corrupt' });
    await spool.close();
  });

  it('are no longer waited for when the reader has enough', async () => {
    const asked: string[] = [];
    const blob = (descriptor: Descriptor, signal: AbortSignal) => {
      asked.push(descriptor.digest);
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    const spool = new SpooledSource(Object.assign(Object.create(image), { blob }), {
      onBytes: () => {},
      signal: never,
    });
    const enough = new AbortController();
    const blobs = [spool.blob(first, enough.signal), spool.blob(second, enough.signal)];
    const failed = Promise.all(blobs.map((pending) => expect(pending).rejects.toThrow('enough')));
    await vi.waitFor(() => expect(asked).toHaveLength(2));
    enough.abort(new Error('enough'));
    await failed;
    await spool.close();
  });
});
