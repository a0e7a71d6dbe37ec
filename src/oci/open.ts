import { ArchiveSource } from './docker-archive.js';
import type { ImageSource } from './image-source.js';
import { LayoutDirectory, LayoutSource } from './layout.js';
import { type ImageReference, parseReference } from './reference.js';
import { MirroredSource, type Mirrors } from './registry/mirrors.js';
import type { RegistryOptions } from './registry/options.js';
import { RegistrySource } from './registry/source.js';

/**
 * Opens where an image comes from. Nothing is fetched yet; `close()` it when done.
 *
 * @param options - how to speak to a registry, and which others to ask first; of no meaning for files
 * @throws ImageError `image-reference`
 * @example
 * const source = openImage('docker.io/library/debian:12');
 * const image = await resolveImage(source, { os: 'linux', architecture: 'amd64' });
 * await unpackImage(image, source, '/tmp/debian');
 * await source.close();
 */
export function openImage(
  reference: string | ImageReference,
  { mirrors, ...options }: RegistryOptions & { mirrors?: Mirrors } = {},
): ImageSource {
  const parsed = typeof reference === 'string' ? parseReference(reference) : reference;
  switch (parsed.type) {
    case 'oci':
      return new LayoutSource(parsed, new LayoutDirectory(parsed.path));
    case 'registry': {
      const registry = new RegistrySource(parsed, options);
      return mirrors?.hosts.length ? new MirroredSource(parsed, registry, mirrors) : registry;
    }
    case 'docker-archive':
      return new ArchiveSource(parsed);
  }
}
