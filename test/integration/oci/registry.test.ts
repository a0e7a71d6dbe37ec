import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ScarError } from '../../../src/errors.js';
import { openImage, type RegistryOptions, resolveImage, unpackImage } from '../../../src/oci/index.js';
import { digestOf, MemoryImage, writeLayout } from '../../support/memory-image.js';
import { type Registry, registryMissing, skopeoCopy, startRegistry } from '../../support/registry.js';
import { type Fault, type Intercept, startProxy } from '../../support/registry-proxy.js';
import { file, tar } from '../../support/tar.js';
import { temporaryFolder } from '../../support/temporary.js';

const amd64 = { os: 'linux', architecture: 'amd64' };
const forward: Fault = {};

describe.skipIf(registryMissing)('a real registry', () => {
  let registry: Registry;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  /** Does not compress, so that its blob is large enough to be cut several times. */
  const content = randomBytes(3 * 1024 * 1024);
  const image = new MemoryImage([tar(file('data', content)), tar(file('second', 'layer'))]);

  beforeAll(async () => {
    folder = await temporaryFolder();
    registry = await startRegistry();
    await writeLayout(image, join(folder.path, 'layout'), 'it');
    await skopeoCopy(`oci:${folder.path}/layout:it`, `docker://${registry.host}/team/app:1.0`);
    await skopeoCopy(`oci:${folder.path}/layout:it`, `docker://${registry.host}/team/app:docker`, '--format', 'v2s2');
  });
  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  });

  /** Pulls and unpacks; whatever comes of it, only a complete rootfs may be there afterwards. */
  async function pull(reference: string, options: RegistryOptions = {}, signal?: AbortSignal) {
    await using place = await temporaryFolder();
    const source = openImage(reference, options);
    try {
      const resolved = await resolveImage(source, amd64, signal);
      await unpackImage(resolved, source, join(place.path, 'rootfs'), { ...(signal && { signal }) });
      expect((await readFile(join(place.path, 'rootfs/data'))).equals(content)).toBe(true);
      return resolved;
    } catch (error) {
      expect(await readdir(place.path)).toEqual([]);
      throw error;
    } finally {
      await source.close();
    }
  }

  async function failure(reference: string, options: RegistryOptions = {}, signal?: AbortSignal): Promise<ScarError> {
    const error = await pull(reference, options, signal).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(Error);
    return error as ScarError;
  }

  const blobFault = (...faults: Fault[]): Intercept => {
    const left = [...faults];
    return ({ path }) => (path.includes(image.resolved.manifest.layers[0]?.digest ?? '') && left.shift()) || forward;
  };

  describe('answers', () => {
    it('a tag', async () => {
      expect((await pull(`${registry.host}/team/app:1.0`)).digest).toBe(image.resolved.digest);
    });

    it('a digest', async () => {
      await pull(`${registry.host}/team/app@${image.resolved.digest}`);
    });

    it('an image in Docker types', async () => {
      const { manifest } = await pull(`${registry.host}/team/app:docker`);
      expect(manifest.mediaType).toBe('application/vnd.docker.distribution.manifest.v2+json');
    });

    it('an index: the platform that was asked for', async () => {
      const index = {
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        manifests: ['arm64', 'amd64'].map((architecture) => ({
          mediaType: image.resolved.manifest.mediaType,
          digest: image.resolved.digest,
          size: image.manifestBytes.length,
          platform: { os: 'linux', architecture },
        })),
      };
      const answer = await fetch(`http://${registry.host}/v2/team/app/manifests/many`, {
        method: 'PUT',
        headers: { 'content-type': index.mediaType },
        body: JSON.stringify(index),
      });
      expect(answer.status).toBe(201);
      expect((await pull(`${registry.host}/team/app:many`)).digest).toBe(image.resolved.digest);
      const source = openImage(`${registry.host}/team/app:many`);
      await expect(resolveImage(source, { os: 'linux', architecture: 's390x' })).rejects.toMatchObject({
        code: 'image-unsupported',
        message: expect.stringContaining('it has linux/arm64, linux/amd64'),
      });
      // The index says arm64, the config amd64: the config knows what the layers are.
      await expect(resolveImage(source, { os: 'linux', architecture: 'arm64' })).rejects.toThrow('it has linux/amd64');
    });

    it('no such tag, no such repository, no such digest', async () => {
      for (const name of ['team/app:2.0', 'team/other:1.0', `team/app@${digestOf(Buffer.from('x'))}`]) {
        const error = await failure(`${registry.host}/${name}`);
        expect(error).toMatchObject({ code: 'image-not-found', retryable: false });
        expect(error.message).toMatch(/has no manifest .*(MANIFEST_UNKNOWN|NAME_UNKNOWN)/);
      }
    });
  });

  it('is asked for the next layers while the first is on its way', async () => {
    const [first, second] = image.resolved.manifest.layers.map(({ digest }) => digest);
    let tell = (): void => {};
    const asked = new Promise<void>((resolve) => {
      tell = resolve;
    });
    await using proxy = await startProxy(registry.host, async ({ path }) => {
      if (path.includes(second ?? '')) tell();
      // Not one byte of the first comes before the second is asked for.
      if (path.includes(first ?? '')) await asked;
      return forward;
    });
    await pull(`${proxy.host}/team/app:1.0`);
    expect(proxy.count('blobs')).toBe(3);
  });

  describe('fails', () => {
    it('by a connection that is cut, again and again: the blob goes on where it was', async () => {
      await using proxy = await startProxy(
        registry.host,
        blobFault({ cutAfter: 1_100_000 }, { cutAfter: 700_000 }, { cutAfter: 10 }),
      );
      await pull(`${proxy.host}/team/app:1.0`);
      const ranges = proxy.requests.flatMap(({ range }) => range ?? []);
      expect(ranges).toHaveLength(3);
      const starts = ranges.map((range) => Number(/^bytes=(\d+)-$/.exec(range)?.[1]));
      expect(starts[0]).toBeGreaterThan(0);
      expect(starts[0]).toBeLessThanOrEqual(1_100_000);
      expect(starts[1]).toBeGreaterThan(starts[0] ?? 0);
    });

    it('by a cut, and ignores ranges', async () => {
      const withoutRange = true;
      await using proxy = await startProxy(registry.host, blobFault({ cutAfter: 1_500_000 }, { withoutRange }));
      await pull(`${proxy.host}/team/app:1.0`);
      expect(proxy.requests.some(({ range }) => range !== undefined)).toBe(true);
    });

    it('by silence in the middle of a blob', async () => {
      await using proxy = await startProxy(registry.host, blobFault({ stallAfter: 100_000 }));
      await pull(`${proxy.host}/team/app:1.0`, { stallTimeoutMs: 200 });
      expect(proxy.requests.some(({ range }) => range !== undefined)).toBe(true);
    });

    it('by silence before any answer', async () => {
      await using proxy = await startProxy(registry.host, () => undefined);
      const error = await failure(`${proxy.host}/team/app:1.0`, { responseTimeoutMs: 100, attempts: 2 });
      expect(error).toMatchObject({ code: 'registry-unavailable', retryable: true });
      expect(error.message).toContain('no answer came within 0.1 s');
      expect(proxy.requests).toHaveLength(2);
    });

    it('by cutting every time before there is progress', async () => {
      const cuts = Array<Fault>(20).fill({ cutAfter: 1000 });
      await using proxy = await startProxy(registry.host, blobFault(...cuts));
      const error = await failure(`${proxy.host}/team/app:1.0`, { attempts: 3 });
      expect(error.code).toBe('registry-unavailable');
      expect(proxy.requests.filter(({ path }) => path.includes('/blobs/')).length).toBeLessThan(10);
    });

    it('by one byte that changed on the way', async () => {
      await using proxy = await startProxy(registry.host, blobFault({ flipByte: 2_000_000 }));
      expect((await failure(`${proxy.host}/team/app:1.0`)).code).toBe('image-corrupt');
    });

    it('with 503 twice, then not', async () => {
      let failures = 2;
      await using proxy = await startProxy(registry.host, (_, response) => {
        if (failures-- <= 0) return forward;
        response.writeHead(503).end('busy');
        return undefined;
      });
      await pull(`${proxy.host}/team/app:1.0`);
    });

    it('with 500 for good', async () => {
      await using proxy = await startProxy(registry.host, (_, response) => void response.writeHead(500).end());
      const error = await failure(`${proxy.host}/team/app:1.0`, { attempts: 2 });
      expect(error).toMatchObject({ code: 'registry-unavailable', retryable: true, context: { status: 500 } });
      expect(proxy.requests).toHaveLength(2);
    });

    it('because nobody listens', async () => {
      const proxy = await startProxy(registry.host, () => forward);
      await proxy[Symbol.asyncDispose]();
      const error = await failure(`${proxy.host}/team/app:1.0`, { attempts: 2 });
      expect(error).toMatchObject({ code: 'registry-unavailable', retryable: true });
      expect(error.message).toContain('ECONNREFUSED');
    });
  });

  describe('limits pulls', () => {
    const limited = (times: number, retryAfter: string): Intercept => {
      let left = times;
      return (_, response) => {
        if (left-- <= 0) return forward;
        const body = JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'too many\u001b[31m pulls' }] });
        response.writeHead(429, { 'retry-after': retryAfter }).end(body);
        return undefined;
      };
    };

    it('for a second: it waits as long as it was asked to', async () => {
      await using proxy = await startProxy(registry.host, limited(1, '1'));
      const started = performance.now();
      await pull(`${proxy.host}/team/app:1.0`);
      expect(performance.now() - started).toBeGreaterThan(1000);
    });

    it('for hours: the error comes at once and says what to do', async () => {
      await using proxy = await startProxy(registry.host, limited(1000, '7200'));
      const error = await failure(`${proxy.host}/team/app:1.0`);
      expect(error).toMatchObject({
        code: 'registry-rate-limited',
        retryable: true,
        context: { status: 429, retryAfterMs: 7_200_000 },
      });
      expect(error.message).toContain('TOOMANYREQUESTS: too many [31m pulls');
      expect(error.message).toContain('wait 7200 s');
      expect(proxy.requests).toHaveLength(1);
    });

    it('again and again: it gives up', async () => {
      await using proxy = await startProxy(registry.host, limited(1000, '0'));
      expect((await failure(`${proxy.host}/team/app:1.0`, { attempts: 3 })).code).toBe('registry-rate-limited');
      expect(proxy.requests).toHaveLength(3);
    });
  });

  describe('redirects', () => {
    it('to storage, which gets no login', async () => {
      const login = { username: 'me', password: 'secret' };
      await using storage = await startProxy(registry.host, () => forward);
      await using proxy = await startProxy(registry.host, ({ path, authorization }, response) => {
        if (authorization === undefined) {
          response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
        } else if (path.includes('/blobs/')) {
          response.writeHead(307, { location: `http://${storage.host}${path}` }).end();
        } else return forward;
        return undefined;
      });
      await pull(`${proxy.host}/team/app:1.0`, { credentials: login });
      expect(storage.count('blobs')).toBe(3);
      expect(storage.requests.map(({ authorization }) => authorization)).toEqual([undefined, undefined, undefined]);
    });

    it('to storage that asks for a login itself, and gets none', async () => {
      const asked: (string | undefined)[] = [];
      await using storage = await startProxy(registry.host, ({ path, authorization }, response) => {
        asked.push(authorization);
        const realm = `Bearer realm="http://${storage.host}/token",service="evil"`;
        response.writeHead(path.startsWith('/token') ? 200 : 401, { 'www-authenticate': realm }).end('{"token":"x"}');
        return undefined;
      });
      await using proxy = await startProxy(registry.host, ({ path }, response) => {
        if (!path.includes('/blobs/')) return forward;
        response.writeHead(302, { location: `http://${storage.host}${path}` }).end();
        return undefined;
      });
      const error = await failure(`${proxy.host}/team/app:1.0`, {
        credentials: { username: 'me', password: 'secret' },
      });
      expect(error.code).toBe('registry-denied');
      expect(asked).toEqual([undefined]);
    });

    it.each(['file:///etc/passwd', 'ftp://127.0.0.1/', 'http://me:secret@127.0.0.1/', 'http://[', 'data:,x'])(
      'to %s, which is not followed',
      async (location) => {
        await using proxy = await startProxy(registry.host, (_, response) => {
          response.writeHead(302, { location }).end();
          return undefined;
        });
        const error = await failure(`${proxy.host}/team/app:1.0`);
        expect(error.code).toBe('registry-unavailable');
        expect(error.message).toContain('are followed');
        expect(error.message).not.toContain('secret');
      },
    );

    it('in circles', async () => {
      await using proxy = await startProxy(registry.host, ({ path }, response) => {
        response.writeHead(302, { location: path }).end();
        return undefined;
      });
      expect((await failure(`${proxy.host}/team/app:1.0`)).message).toContain('redirects more than 5 times');
    });
  });

  it('that sends a manifest without end is not read to the end', async () => {
    await using proxy = await startProxy(registry.host, (_, response) => {
      const more = (): void => void (response.destroyed || response.write(Buffer.alloc(1 << 20, 32), more));
      more();
      return undefined;
    });
    expect((await failure(`${proxy.host}/team/app:1.0`)).code).toBe('image-unsafe');
  });

  it('is left at once when the caller aborts', async () => {
    const controller = new AbortController();
    await using proxy = await startProxy(registry.host, ({ path }) => {
      if (!path.includes('/blobs/')) return forward;
      setTimeout(() => controller.abort(new Error('enough')), 50);
      return { stallAfter: 1000 };
    });
    const error = await failure(`${proxy.host}/team/app:1.0`, {}, controller.signal);
    expect(error.message).toBe('enough');
  });
});
