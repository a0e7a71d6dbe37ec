import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ScarError } from '../../../src/errors.js';
import { type Descriptor, type ImageSource, resolveImage, unpackImage } from '../../../src/oci/index.js';
import { digestOf, MemoryImage } from '../../support/memory-image.js';
import { editedJson, jsonEdit } from '../../support/oci/json-edits.js';
import { layer } from '../../support/oci/layer-arbitraries.js';
import { edited, tarEdit } from '../../support/oci/tar-edits.js';
import { file, folder, hardLink, symlink, tar } from '../../support/tar.js';
import { temporaryFolder } from '../../support/temporary.js';
import { readTree } from '../../support/tree.js';

/** How long each fuzzer looks: `SCAR_FUZZ_SECONDS=600 npx vitest run test/property/oci/fuzz.test.ts`. */
const seconds = Number(process.env.SCAR_FUZZ_SECONDS ?? 10);
const limits = {
  numRuns: Number.MAX_SAFE_INTEGER,
  interruptAfterTimeLimit: seconds * 1000,
  markInterruptAsFailure: false,
};
const testTimeout = seconds * 1000 + 60_000;

/** A single image takes milliseconds. */
const HANG_MS = 20_000;

/** What once was, or could have been, answered wrongly: it is tried first, each time. */
const corpus = join(import.meta.dirname, 'corpus');
const kept = (end: string) => readdirSync(corpus).filter((name) => name.endsWith(end));

/** Errors that say what is wrong with an image. */
const REFUSALS = /^image-(corrupt|unsafe|unsupported|not-found|too-large)$/;

/** Whether an image is brought in or refused, with nothing else touched, nothing left behind, and no link out. */
async function tryImage(bringIn: (rootfs: string) => Promise<unknown>): Promise<'whole' | 'refused'> {
  await using place = await temporaryFolder();
  const outside = join(place.path, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'a'), 'untouched');
  symlinkSync('a', join(outside, 'b'));
  const before = readTree(outside);
  const rootfs = join(place.path, 'rootfs');
  const error = await inTime(bringIn(rootfs)).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(readTree(outside)).toEqual(before);
  if (error !== undefined) {
    if (!(error instanceof ScarError)) throw error;
    expect(error.code, error.message).toMatch(REFUSALS);
    expect(error.message.length).toBeLessThan(2_000);
    expect(await readdir(place.path)).toEqual(['outside']);
    return 'refused';
  }
  for (const [path, { type }] of readTree(rootfs)) {
    if (type !== 'link') continue;
    const real = await realpath(join(rootfs, path)).catch(() => rootfs);
    expect(`${real}/`.startsWith(`${rootfs}/`), `${path} leads to ${real}`).toBe(true);
  }
  return 'whole';
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it hangs: nothing within ${HANG_MS} ms`)), HANG_MS);
  });
  return Promise.race([work, tooLong]).finally(() => clearTimeout(timer));
}

describe('an archive that was tampered with', () => {
  /** For links and whiteouts of the layer in question to meet. */
  const below = tar(folder('a'), file('a/b', 'x'), symlink('b', 'a'), hardLink('c', 'a/b'), symlink('d', '..'));
  const unpack = (archive: Buffer, pieceBytes = 700) => {
    const image = new MemoryImage([below, archive], { pieceBytes });
    return tryImage((rootfs) => unpackImage(image.resolved, image, rootfs));
  };

  it.each(kept('.tar'))('is still brought in or refused as a whole: %s', async (name) => {
    const expected = name.includes('.refused.') ? 'refused' : 'whole';
    expect(await unpack(readFileSync(join(corpus, name)))).toBe(expected);
  });

  it(`is brought in or refused as a whole, for ${seconds} s`, { timeout: testTimeout }, async () => {
    const answers = { whole: 0, refused: 0 };
    const archive = fc
      .tuple(layer, fc.array(tarEdit, { minLength: 1, maxLength: 4 }))
      .map(([items, edits]) => edited(tar(...items), edits));
    const property = fc.asyncProperty(archive, fc.integer({ min: 1, max: 3000 }), async (bytes, pieceBytes) => {
      answers[await unpack(bytes, pieceBytes)]++;
    });
    await fc.assert(property, limits);
    // Else it would look at nothing but the first check, or at none.
    expect(Math.min(answers.whole, answers.refused)).toBeGreaterThan(answers.whole / 20);
  });
});

describe('documents that were tampered with', () => {
  const platform = { os: 'linux', architecture: 'amd64' };
  const image = new MemoryImage([tar(folder('a'), file('a/b', 'x')), tar(symlink('b', 'a'))], {
    compress: (bytes) => bytes,
  });
  const { manifest, config, manifestBytes } = image.resolved;
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        mediaType: manifest.mediaType,
        digest: digestOf(Buffer.from('other')),
        size: 9,
        platform: { os: 'linux', architecture: 'arm64' },
      },
      {
        mediaType: manifest.mediaType,
        digest: digestOf(manifestBytes),
        size: manifestBytes.length,
        platform: { ...platform, variant: 'v2' },
      },
      { mediaType: manifest.mediaType, digest: digestOf(manifestBytes), size: manifestBytes.length, platform },
    ],
  };
  type Kind = 'index' | 'manifest' | 'config';

  /** An image of which one document has other bytes, with which the documents that name it agree. */
  function withDocument(kind: Kind, bytes: Buffer): ImageSource {
    const documents = new Map<string, Buffer>([[digestOf(manifestBytes), manifestBytes]]);
    let first = kind === 'config' ? manifestBytes : bytes;
    if (kind === 'config') {
      const digest = digestOf(bytes);
      image.blobs.set(digest, bytes);
      first = Buffer.from(JSON.stringify({ ...manifest, config: { ...manifest.config, digest, size: bytes.length } }));
    }
    return {
      reference: image.reference,
      manifest: async (digest) => {
        const found = digest === undefined ? first : (documents.get(digest) ?? Buffer.from('{}'));
        return {
          mediaType: kind === 'index' && digest === undefined ? index.mediaType : `${manifest.mediaType}`,
          bytes: found,
        };
      },
      blob: async (descriptor: Descriptor) =>
        image.blobs.has(descriptor.digest)
          ? image.blob(descriptor)
          : Readable.from([Buffer.from('what nobody asked for')]),
      close: async () => {},
    };
  }

  const bringIn = (kind: Kind, bytes: Buffer) =>
    tryImage(async (rootfs) => {
      const source = withDocument(kind, bytes);
      const resolved = await resolveImage(source, platform);
      for (const { digest, size } of [resolved.manifest.config, ...resolved.manifest.layers]) {
        expect(digest).toMatch(/^sha(256:[0-9a-f]{64}|512:[0-9a-f]{128}|384:[0-9a-f]{96})$/);
        expect(Number.isSafeInteger(size) && size >= 0).toBe(true);
      }
      expect(resolved.config.rootfs.diff_ids).toHaveLength(resolved.manifest.layers.length);
      await unpackImage(resolved, source, rootfs);
    });

  it.each(kept('.json'))('are still read or refused: %s', async (name) => {
    const [kind = ''] = name.split('.');
    const expected = name.includes('.refused.') ? 'refused' : 'whole';
    expect(await bringIn(kind as Kind, readFileSync(join(corpus, name)))).toBe(expected);
  });

  const originals: Record<Kind, unknown> = { index, manifest, config };
  it(`are read or refused, for ${seconds} s`, { timeout: testTimeout }, async () => {
    const answers = { whole: 0, refused: 0 };
    const document = fc
      .tuple(fc.constantFrom<Kind>('index', 'manifest', 'config'), fc.array(jsonEdit, { minLength: 1, maxLength: 4 }))
      .map(([kind, edits]) => ({ kind, bytes: editedJson(originals[kind], edits) }));
    const property = fc.asyncProperty(document, async ({ kind, bytes }) => {
      const had = new Set(image.blobs.keys());
      answers[await bringIn(kind, bytes)]++;
      for (const digest of image.blobs.keys()) if (!had.has(digest)) image.blobs.delete(digest);
    });
    await fc.assert(property, limits);
    expect(Math.min(answers.whole, answers.refused)).toBeGreaterThan(answers.refused / 50);
  });
});
