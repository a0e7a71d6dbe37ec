import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { CreateFunctionCommand, GetFunctionCommand, GetFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { objectStore } from '../../../src/aws/s3.js';
import { createFunction } from '../../../src/client/create-function.js';
import { unpackFunction } from '../../../src/client/function-package.js';
import { missingPackage } from '../../support/built-package.js';
import { busyboxLayer, busyboxLayout, busyboxMissing } from '../../support/busybox.js';
import { type LocalClient, startLocalClient } from '../../support/local-client.js';
import { MemoryImage } from '../../support/memory-image.js';
import { type Registry, registryMissing, skopeoCopy, startRegistry } from '../../support/registry.js';
import { type RegistryProxy, startProxy } from '../../support/registry-proxy.js';
import { file, tar } from '../../support/tar.js';
import { awsError, builtSupervisor, functionArn, mockedContext } from '../../unit/client/fixtures.js';

const BUCKET = 'scar-images-000000000000-us-east-1';
const PULLS = 5;

/** A registry in which everybody together may pull five times: then it says 429 to whoever asks for a manifest. */
describe.skipIf(missingPackage ?? busyboxMissing ?? registryMissing)('an image of a registry that limits pulls', () => {
  let local: LocalClient;
  let registry: Registry;
  let proxy: RegistryProxy;
  let image: string;
  let pulls = 0;

  beforeAll(async () => {
    local = await startLocalClient({ concurrentExecutions: 200 });
    registry = await startRegistry();
    // Too large for a package, and nothing that gzip makes smaller.
    const layers = [busyboxLayer(), tar(file('ballast', randomBytes(9 * 1024 * 1024)))];
    const layout = await busyboxLayout(join(local.folder, 'large'), new MemoryImage(layers));
    await skopeoCopy(`${layout}:latest`, `docker://${registry.host}/team/tool:1`);
    proxy = await startProxy(registry.host, ({ path }, response) => {
      if (!path.includes('/manifests/') || ++pulls <= PULLS) return {};
      response.writeHead(429, { 'Retry-After': '3600' }).end();
      return undefined;
    });
    image = `${proxy.host}/team/tool:1`;
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await local.close();
  });

  it('starts 200 cold environments at once, with one pull', { timeout: 300_000 }, async () => {
    const { scar } = local;
    await scar.createFunction({
      name: 'many',
      image,
      args: ['wc', '-c', '/ballast'],
      memoryMiB: 256,
      timeoutSeconds: 240,
    });
    const asked = proxy.requests.length;
    expect(pulls).toBe(1);
    const results = await Promise.all(Array.from({ length: 200 }, () => scar.invoke('many')));
    expect(results.filter(({ status }) => status !== 'succeeded')).toEqual([]);
    expect(new Set(results.map(({ stdout }) => stdout.text))).toEqual(new Set(['9437184 /ballast\n']));
    expect(results.filter(({ coldStart, pulled }) => coldStart && pulled).length, 'environments').toBe(200);
    expect(proxy.requests.length, 'requests to the registry').toBe(asked);
    await scar.deleteFunction('many');
  });

  it('is pulled from the registry where its archive is gone or damaged, which the log tells', async () => {
    const { scar } = local;
    const store = objectStore(scar.s3);
    for (const [name, spoil] of [
      ['gone', (key: string) => store.delete({ bucket: BUCKET, key })],
      ['damaged', (key: string) => store.write({ bucket: BUCKET, key }, randomBytes(1000))],
    ] as const) {
      pulls = 0;
      await scar.createFunction({ name, image, args: ['wc', '-c', '/ballast'], memoryMiB: 256 });
      for await (const page of store.list(BUCKET, { prefix: 'scar/rootfs/' })) {
        for (const { key } of page) if (key.includes('.tar.')) await spoil(key);
      }
      const result = await scar.invoke(name);
      expect(result.error?.message).toBeUndefined();
      expect(result).toMatchObject({ status: 'succeeded', pulled: true });
      expect(result.logs).toMatch(/the registry is asked instead of the bucket: .*unpacked from its registry/s);
      await scar.deleteFunction(name);
    }
  });

  it('is pulled once for all functions that have it, and by each environment where that is asked for', async () => {
    const { scar } = local;
    const options = { image, args: ['true'], memoryMiB: 256 };
    pulls = 0;
    await scar.createFunction({ ...options, name: 'first' });
    const blobs = proxy.count('blobs');
    await scar.createFunction({ ...options, name: 'second' });
    expect(proxy.count('blobs') - blobs, "only the config: for the image's platform").toBe(1);
    await scar.createFunction({ ...options, name: 'third', imageSource: 'registry' });
    expect(proxy.count('blobs') - blobs).toBe(2);
    expect(await scar.invoke('third')).toMatchObject({ status: 'succeeded' });
    expect(proxy.count('blobs') - blobs, 'config and two layers').toBe(5);
    for (const name of ['first', 'second', 'third']) await scar.deleteFunction(name);
  });

  it('is left to the registry, with a warning, where the bucket may not be written to', async () => {
    pulls = 0;
    const supervisorDirectory = await builtSupervisor(local.folder);
    const { context, lambda, logs, s3, events } = mockedContext({ supervisorDirectory });
    const active = { FunctionName: 'denied', FunctionArn: functionArn('denied'), State: 'Active' as const };
    lambda.on(GetFunctionConfigurationCommand).rejectsOnce(awsError('ResourceNotFoundException')).resolves(active);
    lambda.on(GetFunctionCommand).rejects(awsError('ResourceNotFoundException'));
    lambda.on(CreateFunctionCommand).resolves(active);
    logs.onAnyCommand().resolves({});
    s3.on(HeadBucketCommand)
      .rejectsOnce(awsError('NotFound', 'NotFound', {}, 404))
      .resolves({});
    s3.on(ListObjectsV2Command).resolves({});
    s3.on(CreateBucketCommand).resolves({});
    s3.on(DeleteBucketCommand).resolves({});
    s3.on(PutObjectCommand).rejects(awsError('AccessDenied', 'no', {}, 403));
    await createFunction(context, { name: 'denied', image });
    expect(events.warning).toMatchObject([
      { code: 'image-not-cached', message: expect.stringContaining('s3:PutObject') },
    ]);
    expect(s3.commandCalls(CreateBucketCommand)).toHaveLength(1);
    expect(s3.commandCalls(DeleteBucketCommand), 'of no use then').toHaveLength(1);
    const { ZipFile } = lambda.commandCalls(CreateFunctionCommand)[0]?.args[0].input.Code ?? {};
    expect(unpackFunction(ZipFile ?? new Uint8Array()).spec.imageLocation).toEqual({
      registry: { reference: expect.stringMatching(/^127\.0\.0\.1:\d+\/team\/tool@sha256:/) },
    });
    lambda.on(GetFunctionConfigurationCommand).rejects(awsError('ResourceNotFoundException'));
    await expect(createFunction(context, { name: 'denied', image, imageSource: 'cache' })).rejects.toMatchObject({
      code: 'permission-denied',
    });
  });
});
