import { join } from 'node:path';
import { busyboxImage } from './busybox-image.js';
import { writeLayout } from './memory-image.js';

/**
 * The busybox image as an OCI layout, with a command of its own.
 *
 * @returns `oci:DIRECTORY:latest`
 */
export async function busyboxLayout(folder: string): Promise<string> {
  const directory = join(folder, 'busybox-layout');
  const image = busyboxImage({ Env: ['PATH=/bin', 'FROM_IMAGE=yes'], Cmd: ['echo', 'hello from the image'] });
  await writeLayout(image, directory, 'latest');
  return `oci:${directory}:latest`;
}
