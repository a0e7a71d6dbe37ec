import { mergeLayers, type RootfsIndex, writeArchive } from '../../../src/oci/archive/index.js';
import type { ImageSource, ResolvedImage } from '../../../src/oci/index.js';

const { signal } = new AbortController();

/** An image's rootfs archive as a whole, compressed as every Node can read it quickly. */
export async function rootfsArchive(
  image: ResolvedImage,
  source: ImageSource,
): Promise<{ bytes: Buffer; index: RootfsIndex }> {
  const frames = writeArchive(await mergeLayers(image, source, { signal }), source, 'gzip', { signal });
  const pieces: Buffer[] = [];
  for (;;) {
    const next = await frames.next();
    if (next.done) return { bytes: Buffer.concat(pieces), index: next.value };
    pieces.push(next.value);
  }
}
