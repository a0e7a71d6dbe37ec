import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openImage, resolveImage, unpackImage } from '../../../src/oci/index.js';
import { closedPort } from '../../support/closed-port.js';
import { MemoryImage, writeLayout } from '../../support/memory-image.js';
import { type Registry, registryMissing, skopeoCopy, startRegistry } from '../../support/registry.js';
import { type Intercept, startProxy } from '../../support/registry-proxy.js';
import { file, tar } from '../../support/tar.js';
import { temporaryFolder } from '../../support/temporary.js';

describe.skipIf(registryMissing)(
  `an image of a registry that has mirrors${registryMissing ? ` (${registryMissing})` : ''}`,
  () => {
    let folder: Awaited<ReturnType<typeof temporaryFolder>>;
    let registry: Registry;
    let mirror: Registry;
    const content = randomBytes(3 * 1024 * 1024);
    const image = new MemoryImage([tar(file('data', content))]);

    beforeAll(async () => {
      folder = await temporaryFolder();
      [registry, mirror] = await Promise.all([startRegistry(), startRegistry()]);
      await writeLayout(image, join(folder.path, 'layout'), 'it');
      const copies = [`${registry.host}/team/app:1.0`, `${mirror.host}/copies/team/app:1.0`];
      for (const copy of copies) await skopeoCopy(`oci:${folder.path}/layout:it`, `docker://${copy}`);
    });
    afterAll(async () => {
      await registry?.[Symbol.asyncDispose]();
      await mirror?.[Symbol.asyncDispose]();
      await folder?.[Symbol.asyncDispose]();
    });

    const forward: Intercept = () => ({});

    /** Brings the image in, and says which mirrors were passed over. */
    async function pull(reference: string, ...hosts: string[]) {
      await using place = await temporaryFolder();
      const warnings: string[] = [];
      const credentials = { username: 'me', password: 'secret' };
      const source = openImage(reference, {
        credentials,
        mirrors: { hosts, warn: (message) => warnings.push(message) },
      });
      try {
        const resolved = await resolveImage(source, { os: 'linux', architecture: 'amd64' });
        await unpackImage(resolved, source, join(place.path, 'rootfs'));
        expect((await readFile(join(place.path, 'rootfs/data'))).equals(content)).toBe(true);
        return warnings;
      } finally {
        await source.close();
      }
    }

    it('comes from the first of them, without the registry or its login', async () => {
      await using proxy = await startProxy(mirror.host, forward);
      expect(await pull(`127.0.0.1:${await closedPort()}/team/app:1.0`, `${proxy.host}/copies`, mirror.host)).toEqual(
        [],
      );
      expect(proxy.count('blobs')).toBeGreaterThan(1);
      expect(proxy.requests.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
    });

    it('comes from the next, or from the registry itself, where one does not have it or is not there', async () => {
      await using proxy = await startProxy(registry.host, forward);
      const warnings = await pull(
        `${proxy.host}/team/app:1.0`,
        `127.0.0.1:${await closedPort()}`,
        `${mirror.host}/other`,
      );
      expect(warnings[0]).toMatch(/^A mirror is passed over: 127\.0\.0\.1:\d+ could not be asked for manifest 1\.0/);
      expect(warnings[1]).toMatch(/^A mirror is passed over: .* has no manifest 1\.0/);
      // Neither is asked for what else the image has.
      expect(warnings).toHaveLength(2);
      expect(proxy.count('manifests')).toBe(1);
    });

    it('goes on where a mirror ended half-way', async () => {
      const cut: Intercept = ({ path, range }, response) => {
        if (!path.includes(`/${image.resolved.manifest.layers[0]?.digest}`)) return {};
        if (range === undefined) return { cutAfter: 1_000_000 };
        response.destroy();
        return undefined;
      };
      await using proxy = await startProxy(mirror.host, cut);
      await using last = await startProxy(registry.host, forward);
      const warnings = await pull(`${last.host}/team/app:1.0`, `${proxy.host}/copies`);
      expect(warnings).toHaveLength(1);
      expect(last.count('manifests')).toBe(0);
      expect(last.count('blobs')).toBe(1);
    });

    it('is refused where a mirror sends other bytes', async () => {
      const digest = image.resolved.manifest.layers[0]?.digest ?? '';
      await using proxy = await startProxy(mirror.host, ({ path }) =>
        path.includes(digest) ? { flipByte: 5_000 } : {},
      );
      await expect(pull(`${registry.host}/team/app:1.0`, `${proxy.host}/copies`)).rejects.toMatchObject({
        code: 'image-corrupt',
      });
    });

    it('says what the registry says where nobody has it', async () => {
      await expect(pull(`${registry.host}/team/none:1.0`, mirror.host)).rejects.toMatchObject({
        code: 'image-not-found',
        message: expect.stringContaining(`${registry.host}/team/none:1.0`),
      });
    });
  },
);
