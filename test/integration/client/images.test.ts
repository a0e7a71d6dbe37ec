import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { objectStore } from '../../../src/aws/s3.js';
import { builtPackage, missingPackage } from '../../support/built-package.js';
import { busyboxImage, busyboxLayer, busyboxLayout, busyboxMissing } from '../../support/busybox.js';
import { type LocalClient, startLocalClient } from '../../support/local-client.js';
import { MemoryImage } from '../../support/memory-image.js';
import { file, symlink, tar } from '../../support/tar.js';

const BUCKET = 'scar-images-000000000000-us-east-1';
const MIB = 1024 * 1024;

describe.skipIf(missingPackage ?? busyboxMissing)('client.images', () => {
  let local: LocalClient;
  let large: string;

  beforeAll(async () => {
    local = await startLocalClient();
    const layers = [
      busyboxLayer(),
      tar(file('ballast', randomBytes(9 * MIB))),
      tar(file('.wh.ballast'), file('b', 'x')),
    ];
    const config = { Entrypoint: ['/bin/sh'], Cmd: ['-c', 'true'], User: '33:33', WorkingDir: '/tmp', Env: ['A=1'] };
    const configure = (image: { config?: object }) => void Object.assign(image, { config });
    large = await busyboxLayout(join(local.folder, 'large'), new MemoryImage(layers, { configure }));
  });
  afterAll(() => local.close());

  const keys = async () => {
    const found: string[] = [];
    for await (const page of objectStore(local.scar.s3).list(BUCKET)) found.push(...page.map(({ key }) => key));
    return found;
  };

  it('inspect says what an image is and needs, with and without having it', async () => {
    const { scar } = local;
    const inspection = await scar.images.inspect(large);
    expect(inspection).toMatchObject({
      platform: { os: 'linux', architecture: 'amd64' },
      layers: 3,
      libc: 'none',
      files: 3,
      command: ['/bin/sh', '-c', 'true'],
      user: '33:33',
      workingDirectory: '/tmp',
      environment: ['A=1'],
      runner: 'in-process',
      needs: { ephemeralStorageMiB: 512 },
      fits: { ephemeralStorage: true, memory: true },
      cached: false,
    });
    expect(inspection.compressedBytes).toBeGreaterThan(9 * MIB);
    expect(inspection.unpackedBytes, 'of what is left').toBeLessThan(9 * MIB);
    expect(await scar.images.inspect(large, { memoryMiB: 128, runner: 'namespaces' })).toMatchObject({
      runner: 'namespaces',
      fits: { memory: false },
    });
    await scar.createFunction({ name: 'it', image: large });
    expect(await scar.images.inspect(large)).toEqual({ ...inspection, cached: true });
    await scar.deleteFunction('it');
  });

  it.each([
    ['glibc', [file('usr/lib64/ld-linux-x86-64.so.2', ''), symlink('lib64', 'usr/lib64')]],
    ['musl', [file('lib/ld-musl-x86_64.so.1', '')]],
  ])('inspect knows %s by its loader', async (libc, files) => {
    const image = await busyboxLayout(join(local.folder, libc), new MemoryImage([tar(...files)]));
    expect(await local.scar.images.inspect(image)).toMatchObject({ libc });
  });

  it('inspect says that an image does not fit, and what would', async () => {
    const zeros = Buffer.alloc(50 * MIB);
    const layers = [tar(...Array.from({ length: 11 }, (_, i) => file(`zeros-${i}`, zeros)))];
    const image = await busyboxLayout(join(local.folder, 'zeros'), new MemoryImage(layers));
    const { needs, fits, unpackedBytes } = await local.scar.images.inspect(image);
    expect(unpackedBytes).toBe(550 * MIB + 4096);
    expect(needs.ephemeralStorageMiB).toBe(611);
    expect(fits.ephemeralStorage).toBe(false);
    await expect(local.scar.createFunction({ name: 'it', image })).rejects.toMatchObject({
      code: 'no-space',
      message: expect.stringContaining('ephemeralStorageMiB: 611'),
    });
  });

  it('list and prune: what functions have stays, what no function has any more goes', async () => {
    const { scar } = local;
    const kept = await scar.createFunction({ name: 'kept', image: large });
    const more = file('other', randomBytes(9 * MIB));
    const other = await busyboxLayout(join(local.folder, 'other'), busyboxImage({}, more));
    const gone = await scar.createFunction({ name: 'gone', image: other });
    const { DeleteFunctionCommand } = await import('@aws-sdk/client-lambda');
    await scar.lambda.send(new DeleteFunctionCommand({ FunctionName: 'gone' }));
    await scar.s3.send(new CreateMultipartUploadCommand({ Bucket: BUCKET, Key: 'scar/rootfs/cut-off' }));
    const functions = (functionName: string) => [{ region: 'us-east-1', functionName }];
    const images = await scar.images.list();
    expect(images.toSorted((a, b) => (a.reference ?? '').localeCompare(b.reference ?? ''))).toEqual([
      {
        digest: kept.image.digest,
        reference: large,
        functions: functions('kept'),
        bytes: expect.any(Number),
        lastModified: expect.any(Date),
      },
      {
        digest: gone.image.digest,
        reference: other,
        functions: functions('gone'),
        bytes: expect.any(Number),
        lastModified: expect.any(Date),
      },
    ]);
    const before = await keys();
    expect(await scar.images.prune(), 'a function may be about to be made').toEqual({
      images: [],
      bytes: 0,
      uploads: 0,
    });
    const planned = await scar.images.prune({ minAgeHours: 0, dryRun: true });
    expect(await keys()).toEqual(before);
    const pruned = await scar.images.prune({ minAgeHours: 0 });
    expect(planned).toEqual(pruned);
    expect(pruned).toMatchObject({ images: [{ digest: gone.image.digest }], uploads: 1 });
    expect(pruned.bytes).toBeGreaterThan(9 * MIB);
    expect((await scar.images.list()).map(({ digest }) => digest)).toEqual([kept.image.digest]);
    expect(await scar.s3.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }))).not.toHaveProperty('Uploads');
    expect((await scar.invoke('kept')).error?.message).toBeUndefined();
    await scar.deleteFunction('kept');
    expect(await keys()).toEqual([]);
  });

  it('says that there are none, or which option is missing', async () => {
    const { ScarClient } = await builtPackage();
    const other = new ScarClient({ region: 'us-east-1', clients: { s3: local.scar.s3 } });
    await expect(other.images.list()).rejects.toThrow(/^imageBucket must be the bucket that keeps images/);
    await expect(other.images.prune({ minAgeHours: -1 })).rejects.toThrow(/^minAgeHours must be an integer from 0/);
    await expect(other.images.inspect('')).rejects.toThrow(/^reference must/);
    await other.close();
    expect(await local.scar.images.list()).toEqual([]);
  });
});
