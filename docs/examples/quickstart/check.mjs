import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { download } from './bucket.mjs';
import { readJpegHeader } from './jpeg.mjs';
import { measure } from './scripts.mjs';

/** The highest saturation that counts as gray: less than one step of 8 bits. */
const tolerance = 1 / 256;

/**
 * Finds out whether every picture came back gray and of the size it had. Twice: by the headers of the files, read here, and
 * by their pixels, decoded in containers. A coloured picture has to be told from them by the same measure.
 *
 * @param {import('scar-client').ScarClient} scar
 * @param {object} what
 * @param {string} what.name - the function
 * @param {string} what.bucket
 * @param {string} what.prefix - of all that the run made; the outputs lie below `output/` in it
 * @param {string} what.pictures - folder of the files that were uploaded
 * @param {ReadonlyMap<string, string[]>} what.outputs - keys of outputs by key of input
 * @param {number} what.concurrency
 * @param {AbortSignal} what.signal
 * @param {(done: number) => void} what.progress
 * @returns {Promise<string[]>} what is wrong, in sentences
 */
export async function check(scar, what) {
  const { name, signal } = what;
  const coloured = await scar.invoke(name, { script: { inline: measure('rose:') }, signal });
  if (coloured.status !== 'succeeded') return [`the measure does not work: ${coloured.error.message}`];
  const control = readMeasure(coloured.stdout.text);
  if (!(control.saturation > tolerance)) {
    return [
      `the measure takes ImageMagick's coloured rose for gray (${coloured.stdout.text.trim()}): it proves nothing`,
    ];
  }
  const pixels = await measureAll(scar, what);
  const problems = [...what.outputs].map(async ([input, keys]) => {
    try {
      await checkOne(scar.s3, what, input, keys, pixels);
      return [];
    } catch (error) {
      return [`${basename(input)}: ${error.message}`];
    }
  });
  return (await Promise.all(problems)).flat();
}

/** Every output through a container that decodes it. */
async function measureAll(scar, { name, bucket, prefix, concurrency, signal, progress }) {
  const pixels = new Map();
  const run = scar.mapOverBucket(name, {
    bucket,
    prefix: `${prefix}output/`,
    script: { inline: measure('"$SCAR_INPUT_FILE"') },
    // It writes no file, but a container must not write where its input comes from.
    output: [{ bucket, prefix: `${prefix}check/` }],
    concurrency,
    signal,
  });
  for await (const item of run) {
    pixels.set(item.key, item.status === 'succeeded' ? readMeasure(item.stdout.text) : { error: item.error.message });
    progress(pixels.size);
  }
  return pixels;
}

/** @throws Error that says what is wrong with the output of one input */
async function checkOne(s3, { bucket, pictures, signal }, input, keys, pixels) {
  const [key] = keys;
  if (key === undefined || keys.length > 1) throw new Error(`1 output was expected, there are ${keys.length}`);
  const before = readJpegHeader(await readFile(join(pictures, basename(input))));
  const after = readJpegHeader(await download(s3, { bucket, key, signal }));
  if (after.components !== 1) throw new Error(`its output has ${after.components} colour components, a gray one has 1`);
  const decoded = pixels.get(key);
  if (!decoded) throw new Error('its output was not decoded');
  if (decoded.error) throw new Error(`its output could not be decoded: ${decoded.error}`);
  for (const { width, height } of [after, decoded]) {
    if (width !== before.width || height !== before.height) {
      throw new Error(`it is ${before.width}x${before.height}, its output ${width}x${height}`);
    }
  }
  if (!(decoded.saturation <= tolerance)) throw new Error(`its output has colour: saturation ${decoded.saturation}`);
}

/** What `measure` printed; NaN where it printed something else. @param {string} text */
function readMeasure(text) {
  const [width, height, saturation] = text.trim().split(' ').map(Number);
  return { width: width ?? Number.NaN, height: height ?? Number.NaN, saturation: saturation ?? Number.NaN };
}
