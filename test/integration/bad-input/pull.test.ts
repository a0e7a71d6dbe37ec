import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { missingPackage } from '../../support/built-package.js';
import { busyboxImage, busyboxLayer, busyboxLayout, busyboxMissing } from '../../support/busybox.js';
import { containerLeftovers } from '../../support/leftovers.js';
import { type LocalClient, startLocalClient } from '../../support/local-client.js';
import { MemoryImage } from '../../support/memory-image.js';
import { registryMissing, skopeoCopy, startRegistry } from '../../support/registry.js';
import { type Fault, startProxy } from '../../support/registry-proxy.js';
import { file } from '../../support/tar.js';
import { mountMissing, mountTmpfs } from '../../support/tmpfs.js';

const missing = missingPackage ?? busyboxMissing;

/** Behind the program, in its layer as it is stored. */
const STORED_BYTE = 2_000_000;

describe.skipIf(missing ?? registryMissing)('a function that pulls its image from a registry', () => {
  let local: LocalClient;
  beforeEach(async () => {
    local = await startLocalClient();
  });
  afterEach(() => local.close());

  it('registry down, wrong digest, broken connection: an outcome each time, then a sound image', async () => {
    await using registry = await startRegistry();
    // gzip stores these bytes as they are: with one of them wrong, archive and program are sound, and only the sums tell.
    const stored = file('stored', randomBytes(2 * STORED_BYTE));
    const image = await busyboxLayout(join(local.folder, 'stored'), busyboxImage({}, stored));
    await skopeoCopy(`${image}:latest`, `docker://${registry.host}/team/tool:1`);
    let fault: Fault = {};
    let down = false;
    await using proxy = await startProxy(registry.host, ({ path }, response) => {
      if (down) {
        response.socket?.destroy();
        return undefined;
      }
      // Config and layer; the layer is what is large enough.
      return path.includes('/blobs/') ? fault : {};
    });
    const { scar } = local;
    await scar.createFunction({
      name: 'puller',
      image: `${proxy.host}/team/tool:1`,
      args: ['echo', 'sound'],
      memoryMiB: 256,
      imageSource: 'registry',
    });
    const failing = async () => {
      const result = await scar.invoke('puller');
      expect(result).toMatchObject({ status: 'failed', reason: 'image', exitCode: null, pulled: false });
      return result.error?.message;
    };
    // In the compressed program, whose damage shows as a broken stream or a broken archive, and where it only shows in the digest.
    for (const flipByte of [100_000, 300_000, 500_000, STORED_BYTE]) {
      fault = { flipByte };
      expect(await failing()).toMatch(/^layer 1 of .*try again, or push the image anew/i);
    }
    down = true;
    expect(await failing()).toMatch(/could not be asked for .*Check the registry/);
    down = false;
    fault = {};
    // Nothing partial was taken for whole, and nothing of it is in the way.
    const sound = await scar.invoke('puller');
    expect(sound).toMatchObject({ status: 'succeeded', pulled: true, stdout: { text: 'sound\n' } });
    expect(await scar.invoke('puller')).toMatchObject({ status: 'succeeded', pulled: false });
    await scar.deleteFunction('puller');
  });

  it('a layer that is not what the config says (diffID): no function', async () => {
    const other = new MemoryImage([busyboxLayer()], {
      configure: (config) => {
        config.rootfs.diff_ids = [`sha256:${'0'.repeat(64)}`];
      },
    });
    const image = await busyboxLayout(join(local.folder, 'other'), other);
    await local.leavesNothing(async () => {
      const creation = local.scar.createFunction({ name: 'other', image, args: ['true'], memoryMiB: 256 });
      await expect(creation).rejects.toMatchObject({
        code: 'image-corrupt',
        message: expect.stringMatching(/sha256:0{64}/),
      });
    });
  });
});

describe.skipIf(missing ?? mountMissing)('disk full in /tmp', () => {
  it.each([
    [
      'by the script',
      'dd if=/dev/zero of=/tmp/large bs=64k',
      {},
      /when \/tmp was full.*Raise the function's ephemeral storage/,
    ],
    [
      'by its output',
      'dd if=/dev/zero of=$SCAR_OUTPUT_DIR/large bs=64k',
      {},
      /when \/tmp was full.*Raise the function's/,
    ],
  ])('%s: an outcome, and the room is there again', async (_, inline, overrides, says) => {
    using disk = mountTmpfs(24);
    const local = await startLocalClient({ dataDir: join(disk.path, 'data') });
    const { scar, image } = local;
    await scar.createFunction({ name: 'filler', image, memoryMiB: 256 });
    const result = await scar.invoke('filler', { script: { inline }, ...overrides });
    expect(result).toMatchObject({ status: 'failed', reason: 'no-space', outputs: [] });
    expect(result.error?.message).toMatch(says);
    expect(containerLeftovers(disk.path)).toEqual([]);
    await scar.deleteFunction('filler');
    await local.close();
  });

  it('by the image: an outcome that says how much it needs, and no half of it stays', async () => {
    using disk = mountTmpfs(24);
    const local = await startLocalClient({ dataDir: join(disk.path, 'data') });
    // Compresses to next to nothing, so that it is in the bucket and not in the rootfs that there is no room.
    const layers = [busyboxLayer(), busyboxLayer(file('large', Buffer.alloc(40 * 2 ** 20)))];
    const image = await busyboxLayout(join(local.folder, 'large'), new MemoryImage(layers));
    await local.scar.createFunction({ name: 'large', image, args: ['true'], memoryMiB: 512 });
    const result = await local.scar.invoke('large');
    expect(result).toMatchObject({ status: 'failed', reason: 'no-space', exitCode: null });
    expect(result.error?.message).toMatch(/[Rr]aise the function's ephemeral storage|ephemeralStorageMiB/);
    // The environment still serves: another function's image finds its room.
    await local.scar.createFunction({ name: 'small', image: local.image, args: ['echo', 'small'], memoryMiB: 256 });
    expect(await local.scar.invoke('small')).toMatchObject({ status: 'succeeded', stdout: { text: 'small\n' } });
    for (const name of ['large', 'small']) await local.scar.deleteFunction(name);
    await local.close();
  });
});
