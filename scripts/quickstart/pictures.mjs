import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { ScarClient } from 'scar-client';
import { createBucket, download, upload } from '../../docs/examples/quickstart/bucket.mjs';
import { CommandError } from '../lib/command.mjs';
import { progressLine } from '../lib/progress-line.mjs';

/** Cuts ten pictures out of one: of 240x180 to 960x820 pixels, from anywhere in it, some mirrored, turned or brightened. */
const cut = `#!/bin/sh
set -eu
name=$(basename "$SCAR_INPUT_FILE" .jpg)
set -- $(identify -format '%w %h' "$SCAR_INPUT_FILE")
width=$1 height=$2
# A generator of our own (that of POSIX's rand), so that the same photograph always gives the same pictures.
state=$(cksum < "$SCAR_INPUT_FILE" | cut -d ' ' -f 1)
random() { state=$(( (state * 1103515245 + 12345) % 2147483648 )); value=$(( state / 65536 % $1 )); }
set --
for number in 01 02 03 04 05 06 07 08 09 10; do
  random 720; w=$(( 240 + value ))
  random 640; h=$(( 180 + value ))
  random $(( width - w )); x=$value
  random $(( height - h )); y=$value
  random 4
  case $value in
    0) vary='-flop' ;;
    1) vary='-rotate 90' ;;
    2) vary='-modulate 110,130' ;;
    *) vary='-sharpen 0x1' ;;
  esac
  set -- "$@" '(' -clone 0 -crop "\${w}x$h+$x+$y" +repage $vary -write "$SCAR_OUTPUT_DIR/$name-$number.jpg" +delete ')'
done
convert "$SCAR_INPUT_FILE" "$@" null:
`;

/**
 * A folder of pictures cut from photographs: by a function of the same image on the embedded engine.
 *
 * @param {string} cache - folder that keeps them
 * @param {{ image: string, originals: string }} from
 */
export async function pictures(cache, { image, originals }) {
  const folder = join(cache, 'pictures');
  if (existsSync(folder)) return folder;
  const line = progressLine('photographs: cut into pictures of different sizes');
  const partial = `${folder}.${process.pid}.partial`;
  try {
    await mkdir(partial);
    await cutInto(partial, image, originals, line.update);
    await rename(partial, folder);
    line.done();
  } catch (error) {
    line.failed();
    throw error;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return folder;
}

/**
 * @param {string} folder
 * @param {string} image
 * @param {string} originals
 * @param {(text: string) => void} tell
 */
async function cutInto(folder, image, originals, tell) {
  const bucket = 'photographs';
  const scar = await ScarClient.local();
  try {
    await createBucket(scar.s3, bucket);
    await upload(scar.s3, { bucket, prefix: 'input/', folder: originals });
    await scar.createFunction({
      name: 'cut',
      image,
      script: { inline: cut },
      memoryMiB: 2048,
      timeoutSeconds: 300,
      ephemeralStorageMiB: 1024,
      output: [{ bucket, prefix: 'output/' }],
    });
    const concurrency = availableParallelism();
    for await (const item of scar.mapOverBucket('cut', { bucket, prefix: 'input/', concurrency })) {
      if (item.status !== 'succeeded') throw new CommandError(`${item.key} could not be cut: ${item.error.message}`);
      for (const { key } of item.outputs)
        await writeFile(join(folder, basename(key)), await download(scar.s3, { bucket, key }));
      tell(basename(item.key));
    }
    await scar.deleteFunction('cut');
  } finally {
    await scar.close();
  }
}
