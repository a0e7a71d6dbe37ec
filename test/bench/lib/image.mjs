import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../../scripts/lib/command.mjs';
import { debianImage } from '../../../scripts/quickstart/image.mjs';

/** The quickstart's image, Debian 12 with ImageMagick, as a reference; built when it is not there yet. */
export const image = () => debianImage(join(repository, '.cache/quickstart'));

/** Path of its only layer, a gzipped tar. */
export async function layerFile() {
  const [, layout] = (await image()).split(':');
  const blob = (descriptor) => join(layout, 'blobs', ...descriptor.digest.split(':'));
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
  const manifest = JSON.parse(readFileSync(blob(index.manifests[0]), 'utf8'));
  return blob(manifest.layers[0]);
}
