import { ImageError, UnsupportedImageError } from '../errors.js';
import { isDigest } from './digest.js';
import { excerpt } from './excerpt.js';
import type { Descriptor, ImageConfig, Manifest } from './image-source.js';
import {
  CONFIG_TYPES,
  INDEX_TYPES,
  isForeignLayer,
  isLayer,
  MANIFEST_TYPES,
  OCI_MANIFEST,
  SCHEMA_1_TYPES,
} from './media-types.js';

/** What the distribution specification asks registries to take at least, and no image exceeds. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
/** Configs carry the history of every build step. */
export const MAX_CONFIG_BYTES = 16 * 1024 * 1024;
/** Docker allows 127; no file system driver takes more than some hundreds. */
const MAX_LAYERS = 1000;

/** An index: manifests to choose from. */
export interface Index {
  manifests: Descriptor[];
}

/** Parses JSON from outside. Throws `image-corrupt` unless it is an object. */
export function parseJson(bytes: Buffer, where: string): object {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new ImageError('image-corrupt', `${where} must be JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new ImageError(
    'image-corrupt',
    `${where} must be a JSON object; received ${JSON.stringify(value).slice(0, 80)}`,
  );
}

/**
 * Reads what a manifest's bytes are. The document says itself what it is when it can: `mediaType` in it, else its members;
 * `contentType` only decides what is left open.
 *
 * @throws ImageError `image-corrupt`; UnsupportedImageError for Docker's schema 1 and for what is no image
 */
export function parseManifest(bytes: Buffer, contentType: string, where: string): Manifest | Index {
  const document = parseJson(bytes, where) as Partial<Omit<Manifest, 'schemaVersion'> & Index> & {
    schemaVersion?: number;
  };
  const mediaType = document.mediaType ?? contentType;
  if (SCHEMA_1_TYPES.includes(mediaType) || document.schemaVersion === 1) {
    throw new UnsupportedImageError(
      `${where} is in Docker's image format of before 2017 (schema 1), which has no verified config. Push the image again ` +
        'with a current tool.',
    );
  }
  // One document that could be read as both is a known way to make two tools see two images (CVE-2021-41190).
  if (document.manifests !== undefined && (document.layers !== undefined || document.config !== undefined)) {
    throw new ImageError(
      'image-unsafe',
      `${where} is an index and a manifest at once. Images like this are not unpacked.`,
    );
  }
  if (INDEX_TYPES.includes(mediaType) || (!MANIFEST_TYPES.includes(mediaType) && document.manifests !== undefined)) {
    return { manifests: descriptors(document.manifests, `manifests of ${where}`) };
  }
  if (!MANIFEST_TYPES.includes(mediaType) && document.config === undefined) {
    throw new UnsupportedImageError(
      `${where} must be an image's manifest or index; it is ${excerpt(mediaType || 'of no known type')}`,
    );
  }
  return imageManifest(document, mediaType, where);
}

function imageManifest(document: Partial<Omit<Manifest, 'schemaVersion'>>, mediaType: string, where: string): Manifest {
  const config = descriptor(document.config, `config of ${where}`);
  if (!CONFIG_TYPES.includes(config.mediaType)) {
    throw new UnsupportedImageError(`${where} must be a container image; its config is ${excerpt(config.mediaType)}`);
  }
  const layers = descriptors(document.layers, `layers of ${where}`);
  if (layers.length > MAX_LAYERS) {
    throw new ImageError('image-unsafe', `${where} must have at most ${MAX_LAYERS} layers; it has ${layers.length}`);
  }
  for (const [index, layer] of layers.entries()) {
    const name = `layer ${index + 1} of ${where}`;
    if (isForeignLayer(layer.mediaType)) {
      throw new UnsupportedImageError(
        `${name} is a foreign layer (${excerpt(layer.mediaType)}), which registries do not keep: it is part of a Windows image, ` +
          'or may not be passed on.',
      );
    }
    if (!isLayer(layer.mediaType))
      throw new UnsupportedImageError(`${name} is ${excerpt(layer.mediaType)}, which is no file system`);
  }
  const own = MANIFEST_TYPES.includes(mediaType) ? mediaType : OCI_MANIFEST;
  return { ...document, mediaType: own, schemaVersion: 2, config, layers };
}

/**
 * Reads an image's config as far as it matters here.
 *
 * @throws ImageError `image-corrupt` unless it has a diffID for every layer
 */
export function parseConfig(bytes: Buffer, manifest: Manifest, where: string): ImageConfig {
  const config = parseJson(bytes, where) as ImageConfig;
  const diffIds: unknown = config.rootfs?.diff_ids;
  if (!Array.isArray(diffIds) || !diffIds.every(isDigest) || diffIds.length !== manifest.layers.length) {
    const count = Array.isArray(diffIds) ? `${diffIds.filter(isDigest).length} valid ones` : 'none';
    throw new ImageError(
      'image-corrupt',
      `${where} must have a diffID for each of the ${manifest.layers.length} layers; it has ${count}. Push the image anew.`,
    );
  }
  for (const member of ['Env', 'Entrypoint', 'Cmd'] as const) {
    const value: unknown = config.config?.[member];
    const strings = Array.isArray(value) && value.every((item) => typeof item === 'string' && !item.includes('\0'));
    if (value !== undefined && value !== null && !strings) {
      throw new ImageError('image-corrupt', `config.${member} in ${where} must be a list of strings without NUL`);
    }
  }
  return config;
}

function descriptors(value: unknown, where: string): Descriptor[] {
  if (!Array.isArray(value)) throw new ImageError('image-corrupt', `${where} must be a list`);
  return value.map((item, index) => descriptor(item, `${where} [${index}]`));
}

function descriptor(value: unknown, where: string): Descriptor {
  const { mediaType, digest, size, platform } = (value ?? {}) as Partial<Descriptor>;
  const isSize = Number.isSafeInteger(size) && (size ?? -1) >= 0;
  if (typeof mediaType === 'string' && isDigest(digest) && isSize && isPlatform(platform)) return value as Descriptor;
  throw new ImageError(
    'image-corrupt',
    `${where} must be a descriptor (mediaType, digest, size, perhaps platform); received ${JSON.stringify(value)?.slice(0, 200)}`,
  );
}

/** None, or texts: https://github.com/opencontainers/image-spec/blob/main/image-index.md. */
function isPlatform(platform: unknown): boolean {
  if (platform === undefined) return true;
  const { os, architecture, variant = '' } = (platform ?? {}) as Record<string, unknown>;
  return [os, architecture, variant].every((text) => typeof text === 'string');
}
