// One unpacking in a process of its own, for cold.mjs: bundled there, started as `node unpack.mjs archive|layers|write FROM TO`.
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { bestCompression, mergeLayers, parseIndex, writeArchive } from '../../../src/oci/archive/index.js';
import { openImage, resolveImage } from '../../../src/oci/index.js';
import { unpackArchive, unpackImage } from '../../../src/oci/rootfs.js';

const [way, from = '', to = ''] = process.argv.slice(2);
const stats = way === 'archive' ? await fromArchive() : await fromLayers();
console.log(JSON.stringify({ ...stats, peakRssKiB: process.resourceUsage().maxRSS }));

async function fromArchive() {
  const index = parseIndex(await readFile(`${from}.json`, 'utf8'), from);
  const { size } = await stat(from);
  return unpackArchive(index, async () => ({ body: createReadStream(from), bytes: size }), from, to);
}

async function fromLayers() {
  const source = openImage(from);
  const architecture = { x64: 'amd64' }[process.arch as string] ?? process.arch;
  const image = await resolveImage(source, { os: 'linux', architecture });
  try {
    if (way !== 'write') return await unpackImage(image, source, to);
    const { signal } = new AbortController();
    const frames = writeArchive(await mergeLayers(image, source, { signal }), source, bestCompression, { signal });
    const pieces = async function* () {
      const index = yield* frames;
      await writeFile(`${to}.json`, JSON.stringify(index));
    };
    await pipeline(Readable.from(pieces()), createWriteStream(to));
    return undefined;
  } finally {
    await source.close();
  }
}
