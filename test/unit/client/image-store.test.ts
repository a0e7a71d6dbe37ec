import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ObjectStore } from '../../../src/aws/object-store.js';
import { objectStore } from '../../../src/aws/s3.js';
import type { ClientContext } from '../../../src/client/context.js';
import { ImageRemovals } from '../../../src/client/image-removals.js';
import { ImageStore } from '../../../src/client/image-store.js';
import {
  bestCompression,
  type Compression,
  mergeLayers,
  type RootfsArchive,
  writeArchive,
} from '../../../src/oci/archive/index.js';
import { MemoryImage } from '../../support/memory-image.js';
import { type S3Engine, startS3Engine } from '../../support/s3-engine.js';
import { file, tar } from '../../support/tar.js';
import { mockedContext } from './fixtures.js';

let s3: S3Engine;
let buckets = 0;
beforeAll(async () => {
  s3 = await startS3Engine();
});
afterAll(() => s3.close());

const { signal } = new AbortController();
const { context: base } = mockedContext();
const shared = tar(file('a', 'of both'));
const first = new MemoryImage([shared]);
const second = new MemoryImage([shared, tar(file('b', 'of its own'))]);

/** Runs `before` ahead of every call to S3. */
function watched(store: ObjectStore, before: () => Promise<void>): ObjectStore {
  return new Proxy(store, {
    get(target, name) {
      const member = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      if (name !== 'list') return async (...args: unknown[]) => before().then(() => member.apply(target, args));
      return async function* (...args: unknown[]) {
        await before();
        yield* member.apply(target, args);
      };
    },
  });
}

/** One client of the bucket: what it does before each call, and while it waits. */
function client(bucket: string, before = async () => {}, sleep = async () => {}): ImageStore {
  const context: ClientContext = {
    ...base,
    objects: watched(objectStore(s3.client), before),
    sleep,
  };
  return new ImageStore(context, { bucket, prefix: 'scar/' }, 'eu-west-1');
}

const put = (store: ImageStore, name: string, image: MemoryImage) =>
  store.put(name, image.resolved, (compression) => archive(image, compression), signal);

async function* archive(image: MemoryImage, compression: Compression): RootfsArchive {
  const merged = await mergeLayers(image.resolved, image, { signal });
  return yield* writeArchive(merged, image, compression, { signal });
}

const release = (store: ImageStore, name: string) => store.releaseFunction(name, () => true, signal);

/** A bucket in which function `old` has the first image. */
async function bucketWithOld(): Promise<string> {
  const bucket = `images-${++buckets}`;
  await s3.client.send(new CreateBucketCommand({ Bucket: bucket }));
  await put(client(bucket), 'old', first);
  return bucket;
}

async function keys(bucket: string): Promise<string[]> {
  const found: string[] = [];
  for await (const page of objectStore(s3.client).list(bucket)) found.push(...page.map(({ key }) => key));
  return found;
}

const hexOf = ({ resolved }: MemoryImage) => resolved.digest.slice('sha256:'.length);

const imageKeys = (image: MemoryImage) =>
  ['json', bestCompression === 'zstd' ? 'tar.zst' : 'tar.gz'].map(
    (end) => `scar/rootfs/sha256-${hexOf(image)}.v1.${end}`,
  );

/** What is there if `old` has gone and `new` has its image. */
const expected = (image: MemoryImage) =>
  [...imageKeys(image), `scar/images/sha256-${hexOf(image)}/eu-west-1/new`].toSorted();

/** Counts calls, and runs `action` before the one with this number. Tells whether there was one. */
function at(call: number, action: () => Promise<void>) {
  let calls = 0;
  const hook = Object.assign(async () => (++calls === call ? action() : undefined), { reached: () => calls >= call });
  return hook;
}

describe.each([
  ['the same image', first],
  ['another image', second],
])('ImageStore, when another function with %s', (_, image) => {
  it('comes at any moment of a removal: its image is there in the end', async () => {
    for (let call = 1, reached = true; reached; call++) {
      const bucket = await bucketWithOld();
      let removal: Promise<unknown> = Promise.resolve();
      let making: Promise<unknown> = Promise.resolve();
      const hook = at(call, async () => {
        await new Promise<void>((resume) => {
          // What waits for the removal lets it go on.
          const maker = client(bucket, undefined, async () => {
            resume();
            await removal;
          });
          making = put(maker, 'new', image).finally(resume);
        });
      });
      removal = release(client(bucket, hook), 'old');
      await removal;
      await making;
      reached = hook.reached();
      if (reached) expect(await keys(bucket), `before call ${call} of the removal`).toEqual(expected(image));
    }
  });

  it('is removed in any moment: the image of the one that comes is there in the end', async () => {
    for (let call = 1, reached = true; reached; call++) {
      const bucket = await bucketWithOld();
      const hook = at(call, async () => void (await release(client(bucket), 'old')));
      await put(client(bucket, hook), 'new', image);
      reached = hook.reached();
      if (reached) expect(await keys(bucket), `before call ${call} of the upload`).toEqual(expected(image));
    }
  });
});

describe('ImageStore', () => {
  it('leaves nothing when the last two functions of an image go at once, whoever is faster', async () => {
    for (let call = 1, reached = true; reached; call++) {
      const bucket = await bucketWithOld();
      await put(client(bucket), 'other', first);
      const hook = at(call, async () => void (await release(client(bucket), 'other')));
      await release(client(bucket, hook), 'old');
      reached = hook.reached();
      if (reached) expect(await keys(bucket), `before call ${call} of the other`).toEqual([]);
    }
  });

  it('does not wait for ever for a removal that was cut off, and cleans up after it', async () => {
    const bucket = await bucketWithOld();
    await objectStore(s3.client).write({ bucket, key: 'scar/removing/cut-off' }, '');
    let waits = 0;
    await put(
      client(bucket, undefined, async () => void waits++),
      'new',
      first,
    );
    expect(waits).toBe(240);
    expect((await keys(bucket)).filter((key) => key.includes('removing'))).toEqual([]);
  });

  it('gives a removal up when others may take it for cut off', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] });
    try {
      const { context, s3: mocked } = mockedContext();
      mocked.onAnyCommand().resolves({});
      const removal = new ImageRemovals(context, { bucket: 'images', prefix: '' }).announce(
        (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
        signal,
      );
      const failed = expect(removal).rejects.toMatchObject({ code: 'timeout' });
      await vi.advanceTimersByTimeAsync(61_000);
      await failed;
    } finally {
      vi.useRealTimers();
    }
  });
});
