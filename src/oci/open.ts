import { UnsupportedImageError } from '../errors.js';
import type { ImageSource } from './image-source.js';
import { LayoutSource } from './layout.js';
import { type ImageReference, parseReference } from './reference.js';

/**
 * Opens where an image comes from. Nothing is fetched yet; `close()` it when done.
 *
 * @throws ImageError `image-reference`
 */
export function openImage(reference: string | ImageReference): ImageSource {
  const parsed = typeof reference === 'string' ? parseReference(reference) : reference;
  if (parsed.type === 'oci') return new LayoutSource(parsed);
  throw new UnsupportedImageError(`${parsed.text} is not in an OCI image layout: copy it to one with skopeo`);
}
