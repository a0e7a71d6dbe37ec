import { createHash } from 'node:crypto';
import { createWriteStream, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

const mediaType = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
};

/**
 * Writes an image of one layer as an OCI image layout
 * (https://github.com/opencontainers/image-spec/blob/main/image-layout.md). The folder appears by a rename, whole.
 *
 * @param {string} directory - must not exist
 * @param {object} image
 * @param {string} image.tag - what `oci:DIRECTORY:TAG` names
 * @param {string} image.architecture - in Go's words: amd64, arm64
 * @param {string} image.created - RFC 3339
 * @param {object} image.config - Env, Entrypoint, Cmd, WorkingDir, User
 * @param {import('node:stream').Readable} image.layer - the layer as an uncompressed tar
 */
export async function writeLayout(directory, image) {
  const partial = `${directory}.${process.pid}.partial`;
  rmSync(partial, { recursive: true, force: true });
  const remove = () => rmSync(partial, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    mkdirSync(join(partial, 'blobs/sha256'), { recursive: true });
    const { descriptor: layer, diffId } = await writeLayer(partial, image.layer);
    const { architecture, created } = image;
    const config = writeJson(partial, mediaType.config, {
      created,
      architecture,
      os: 'linux',
      config: image.config,
      rootfs: { type: 'layers', diff_ids: [diffId] },
      history: [{ created, created_by: 'scripts/lib/oci-layout.mjs' }],
    });
    const manifest = writeJson(partial, mediaType.manifest, {
      schemaVersion: 2,
      mediaType: mediaType.manifest,
      config,
      layers: [layer],
    });
    const named = {
      ...manifest,
      platform: { os: 'linux', architecture },
      annotations: { 'org.opencontainers.image.ref.name': image.tag },
    };
    const index = { schemaVersion: 2, mediaType: mediaType.index, manifests: [named] };
    writeFileSync(join(partial, 'index.json'), JSON.stringify(index));
    writeFileSync(join(partial, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    renameSync(partial, directory);
  } finally {
    remove();
    process.off('exit', remove);
  }
}

/**
 * One pass: digest of the tar (the diffID), gzip, digest of the blob.
 *
 * @param {string} directory
 * @param {import('node:stream').Readable} tar
 */
async function writeLayer(directory, tar) {
  const raw = digesting();
  const compressed = digesting();
  const file = join(directory, 'layer');
  await pipeline(tar, raw.stream, createGzip(), compressed.stream, createWriteStream(file));
  const { digest, size } = compressed.result();
  renameSync(file, blobPath(directory, digest));
  return { descriptor: { mediaType: mediaType.layer, digest, size }, diffId: raw.result().digest };
}

/** Passes bytes on and tells their digest and number in the end. */
function digesting() {
  const hash = createHash('sha256');
  let size = 0;
  const stream = new Transform({
    transform(chunk, _encoding, next) {
      hash.update(chunk);
      size += chunk.length;
      next(null, chunk);
    },
  });
  return { stream, result: () => ({ digest: `sha256:${hash.digest('hex')}`, size }) };
}

/**
 * @param {string} directory
 * @param {string} type
 * @param {object} content
 */
function writeJson(directory, type, content) {
  const bytes = Buffer.from(JSON.stringify(content));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  writeFileSync(blobPath(directory, digest), bytes);
  return { mediaType: type, digest, size: bytes.length };
}

/**
 * @param {string} directory
 * @param {string} digest
 */
const blobPath = (directory, digest) => join(directory, 'blobs', ...digest.split(':'));
