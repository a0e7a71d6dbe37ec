import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CreateFunctionOptions } from '../../../src/index.js';
import { builtPackage, missingPackage } from '../../support/built-package.js';
import { busyboxLayer, busyboxLayout, busyboxMissing } from '../../support/busybox.js';
import { closedPort } from '../../support/closed-port.js';
import { errorOf, type LocalClient, startLocalClient } from '../../support/local-client.js';
import { MemoryImage, type MemoryImageOptions } from '../../support/memory-image.js';
import { registryMissing, skopeoCopy, startRegistry } from '../../support/registry.js';

const missing = missingPackage ?? busyboxMissing ?? registryMissing;

/** What is wrong, what comes of it: the error's code, and what its message has to say. */
interface Case {
  name: string;
  options(): Promise<Partial<CreateFunctionOptions>> | Partial<CreateFunctionOptions>;
  code: string;
  says: RegExp[];
}

describe.skipIf(missing)('createFunction refuses, and leaves nothing behind', () => {
  let local: LocalClient;
  const path = (name: string) => join(local.folder, name);
  let layouts = 0;
  const layout = (options: MemoryImageOptions) =>
    busyboxLayout(path(`layout-${++layouts}`), new MemoryImage([busyboxLayer()], options));

  beforeAll(async () => {
    local = await startLocalClient();
    // Part of every account that was used once, as it is shared by all functions.
    await local.scar.s3.send(new CreateBucketCommand({ Bucket: 'scar-images-000000000000-us-east-1' }));
  });
  afterAll(() => local.close());

  /** A sound archive, cut. */
  async function truncatedArchive(keep: number): Promise<string> {
    const archive = path(`archive-${++layouts}.tar`);
    await skopeoCopy(`${local.image}:latest`, `docker-archive:${archive}:busybox:latest`);
    truncateSync(archive, Math.floor(readFileSync(archive).length * keep));
    return `docker-archive:${archive}`;
  }

  const foreignImage = (architecture: string) =>
    layout({
      configure: (config) => {
        config.architecture = architecture;
      },
    });

  /** An index with images for other platforms only. */
  async function foreignIndex(): Promise<string> {
    const image = await foreignImage('arm64');
    const index = join(image.slice('oci:'.length), 'index.json');
    const { manifests } = JSON.parse(readFileSync(index, 'utf8'));
    const platforms = [{ architecture: 'arm64' }, { architecture: 's390x' }].map((platform) => ({
      ...manifests[0],
      annotations: {},
      platform: { os: 'linux', ...platform },
    }));
    writeFileSync(index, JSON.stringify({ schemaVersion: 2, manifests: platforms }));
    return image;
  }

  const images: Case[] = [
    {
      name: 'not Linux',
      options: async () => ({
        image: await layout({
          configure: (config) => {
            config.os = 'windows';
          },
        }),
      }),
      code: 'image-unsupported',
      says: [/no image for linux\/amd64/, /it has windows\/amd64/, /docker buildx build --platform linux\/amd64/],
    },
    {
      name: 'wrong architecture',
      options: async () => ({ image: await foreignImage('arm64') }),
      code: 'image-unsupported',
      says: [/no image for linux\/amd64/, /it has linux\/arm64/, /--platform linux\/amd64/],
    },
    {
      name: 'index without linux/amd64',
      options: async () => ({ image: await foreignIndex() }),
      code: 'image-unsupported',
      says: [/no image for linux\/amd64/, /it has linux\/arm64, linux\/s390x/, /--platform linux\/amd64/],
    },
    {
      name: 'a function for a machine that the engine is not',
      options: async () => ({ image: await foreignImage('arm64'), architecture: 'arm64' }),
      code: 'service',
      says: [/Architectures \[arm64\] on this x86_64 machine is not supported by the embedded engine/],
    },
    {
      name: 'a layer whose digest is wrong',
      options: async () => ({
        image: await layout({ tamper: (blob) => Buffer.concat([blob.subarray(0, -1), Buffer.from([0x55])]) }),
      }),
      code: 'image-corrupt',
      says: [/layer 1 of oci:/, /cannot be decompressed|digest/, /push the image anew/],
    },
    {
      name: 'a layer that is too short',
      options: async () => ({ image: await layout({ tamper: (blob) => blob.subarray(0, -10) }) }),
      code: 'image-corrupt',
      says: [/layer 1 of oci:/, /cannot be decompressed|bytes/, /push the image anew/],
    },
    {
      name: 'a layer that is too long',
      options: async () => ({ image: await layout({ tamper: (blob) => Buffer.concat([blob, Buffer.alloc(9)]) }) }),
      code: 'image-corrupt',
      says: [/layer 1 of oci:/, /cannot be decompressed|bytes/, /push the image anew/],
    },
    {
      name: 'a docker-archive that is cut in a layer',
      options: async () => ({ image: await truncatedArchive(0.5) }),
      code: 'image-corrupt',
      says: [/archive-\d+\.tar/, /ends in the middle/, /again/],
    },
    {
      name: 'a docker-archive that does not exist',
      options: () => ({ image: 'docker-archive:/does/not/exist.tar' }),
      code: 'image-not-found',
      says: [/\/does\/not\/exist\.tar/, /no such file/, /docker save/],
    },
    {
      name: 'a docker-archive that is none',
      options: () => {
        writeFileSync(path('text.tar'), 'this is not a tar archive, but a long enough text. '.repeat(50));
        return { image: `docker-archive:${path('text.tar')}` };
      },
      code: 'image-corrupt',
      says: [/text\.tar/, /not a sound tar archive/, /docker save/],
    },
    {
      name: 'an empty docker-archive',
      options: () => {
        writeFileSync(path('empty.tar'), '');
        return { image: `docker-archive:${path('empty.tar')}` };
      },
      code: 'image-unsupported',
      says: [/empty\.tar has neither a manifest\.json nor an index\.json/, /docker save/],
    },
    {
      name: 'an oci: folder that does not exist',
      options: () => ({ image: 'oci:/does/not/exist' }),
      code: 'image-not-found',
      says: [/\/does\/not\/exist has no index\.json/, /skopeo copy/],
    },
    {
      name: 'an oci: folder without the tag',
      options: () => ({ image: `${local.image}:other` }),
      code: 'image-not-found',
      says: [/no image named "other"/, /It has: latest/],
    },
    {
      name: 'a reference that is none',
      options: () => ({ image: 'docker.io/library/Debian:12' }),
      code: 'image-reference',
      says: [/docker\.io\/library\/Debian:12/, /lower/],
    },
    {
      name: 'registry down',
      options: async () => ({ image: `127.0.0.1:${await closedPort()}/team/tool:1` }),
      code: 'registry-unavailable',
      says: [/127\.0\.0\.1:\d+ could not be asked/, /ECONNREFUSED/, /Check/],
    },
    {
      name: 'a registry whose name nobody knows',
      options: () => ({ image: 'registry.invalid/team/tool:1' }),
      code: 'registry-unavailable',
      says: [/registry\.invalid could not be asked/, /ENOTFOUND|EAI_AGAIN/, /Check/],
    },
  ];

  const settings: Case[] = [
    {
      name: 'memory 64',
      options: () => ({ memoryMiB: 64 }),
      code: 'invalid-option',
      says: [/^memoryMiB must be an integer from 128 to 10240; received 64$/],
    },
    {
      name: 'an option that is misspelt',
      options: () => ({ memory: 512 }) as object,
      code: 'invalid-option',
      says: [/must have only the options .*memoryMiB/, /received "memory"/],
    },
    {
      name: 'a name with a space',
      options: () => ({ name: 'my function' }),
      code: 'invalid-option',
      says: [/^name must be 1 to 64 letters, digits, hyphens or underscores; received "my function"$/],
    },
    {
      name: 'script missing',
      options: () => ({ script: './missing.sh' }),
      code: 'invalid-option',
      says: [/^script must be the path of a readable file; received ".\/missing.sh"/, /ENOENT/, /inline/],
    },
    {
      name: 'a script with CRLF line ends',
      options: () => {
        writeFileSync(path('windows.sh'), '#!/bin/bash -e\r\necho hello\r\n');
        return { script: path('windows.sh') };
      },
      code: 'invalid-option',
      says: [
        /^script must not have a first line that ends in CRLF; received "#!\/bin\/bash -e\\r"\. Save it with LF line ends$/,
      ],
    },
    {
      name: 'a script that is a folder',
      options: () => ({ script: local.folder }),
      code: 'invalid-option',
      says: [/^script must be the path of a readable file/, /EISDIR/],
    },
    {
      name: 'a variable with a bad name',
      options: () => ({ environment: { 'LOG-LEVEL': '3' } }),
      code: 'invalid-option',
      says: [/^environment\.LOG-LEVEL must have a name of letters, digits and underscores; received "LOG-LEVEL"$/],
    },
    {
      name: 'variables of more than 4 KB',
      options: () => ({ environment: { SECRET: 'hush'.repeat(1_100) } }),
      code: 'invalid-option',
      says: [/^environment must have at most 4096 bytes/, /received "44\d\d bytes"/, /Put more into/, /^(?!.*hush)/],
    },
    {
      name: 'a trigger whose bucket does not exist',
      options: () => ({ trigger: { bucket: 'no-such-bucket', prefix: 'input/' } }),
      code: 'bucket-not-found',
      says: [
        /^trigger\.bucket must be a bucket that exists; received "no-such-bucket"\. Create it, or correct its name$/,
      ],
    },
    {
      name: 'an output whose bucket does not exist',
      options: () => ({ output: [{ bucket: 'scar-images-000000000000-us-east-1' }, { bucket: 'no-such-bucket' }] }),
      code: 'bucket-not-found',
      says: [/^output\[1\]\.bucket must be a bucket that exists; received "no-such-bucket"\. Create it/],
    },
    {
      name: 'a trigger that its own outputs would set off',
      options: () => ({
        trigger: { bucket: 'photos', prefix: 'photos/' },
        output: [{ bucket: 'photos', prefix: 'photos/gray/' }],
      }),
      code: 'invalid-option',
      says: [/^trigger\.prefix must not overlap/, /photos\/photos\/gray\//, /use other prefixes/],
    },
    {
      name: 'a trigger of everything, with the outputs in the same bucket',
      options: () => ({ trigger: { bucket: 'photos' } }),
      code: 'invalid-option',
      says: [/^trigger\.prefix must not overlap/, /photos\/output\//, /use other prefixes/],
    },
  ];

  it.each([...images, ...settings])('$name', async ({ options, code, says }) => {
    const { ScarError } = await builtPackage();
    const given = await options();
    const error = await local.leavesNothing(() =>
      errorOf(local.scar.createFunction({ name: 'bad', image: local.image, ...given })),
    );
    expect(error).toBeInstanceOf(ScarError);
    expect(error.code, error.message).toBe(code);
    for (const part of says) expect(error.message).toMatch(part);
  });

  it('name taken', async () => {
    const { scar, image } = local;
    await scar.createFunction({ name: 'taken', image, args: ['true'] });
    const error = await local.leavesNothing(() => errorOf(scar.createFunction({ name: 'taken', image })));
    expect(error.code).toBe('function-exists');
    expect(error.message).toMatch(
      /^A function named "taken" exists already\. Choose another name, update it, or delete/,
    );
    // The one that has the name is as it was.
    expect((await scar.invoke('taken')).status).toBe('succeeded');
    await scar.deleteFunction('taken');
  });

  it('name taken, by two at once: one of them gets it', async () => {
    const { scar, image } = local;
    await local.leavesNothing(async () => {
      const both = await Promise.allSettled(
        [1, 2].map(() => scar.createFunction({ name: 'race', image, args: ['true'] })),
      );
      const [loser] = both.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
      expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(loser.code).toBe('function-exists');
      expect((await scar.invoke('race')).status).toBe('succeeded');
      await scar.deleteFunction('race');
    });
  });

  it('unknown image, wrong digest: what a real registry answers', async () => {
    await using registry = await startRegistry();
    await skopeoCopy(`${local.image}:latest`, `docker://${registry.host}/team/tool:1`);
    const create = (image: string) =>
      local.leavesNothing(() => errorOf(local.scar.createFunction({ name: 'bad', image })));
    const unknown = await create(`${registry.host}/team/other:1`);
    expect(unknown.code).toBe('image-not-found');
    expect(unknown.message).toMatch(/team\/other:1.*Check name and tag/);
    const tag = await create(`${registry.host}/team/tool:2`);
    expect(tag.code).toBe('image-not-found');
    expect(tag.message).toMatch(/team\/tool:2.*Check name and tag/);
    const digest = await create(`${registry.host}/team/tool@sha256:${'0'.repeat(64)}`);
    expect(digest.code).toBe('image-not-found');
    expect(digest.message).toMatch(/sha256:0{64}.*Check name and/);
  });

  it('an abort in the middle of the upload', async () => {
    const reason = new Error('the user had enough');
    const controller = new AbortController();
    const onProgress = ({ step }: { step: string }) => {
      if (step === 'create-log-group') controller.abort(reason);
    };
    local.scar.on('progress', onProgress);
    const { signal } = controller;
    const error = await local.leavesNothing(() =>
      errorOf(local.scar.createFunction({ name: 'bad', image: local.image, signal })),
    );
    local.scar.off('progress', onProgress);
    expect(error).toBe(reason);
  });
});
