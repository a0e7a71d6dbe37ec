// One unpacking in a process of its own, for cold.mjs: bundled there, started as `node unpack.mjs REFERENCE DIRECTORY`.
import { openImage, resolveImage, unpackImage } from '../../../src/oci/index.js';

const [reference = '', directory = ''] = process.argv.slice(2);
const source = openImage(reference);
const architecture = { x64: 'amd64' }[process.arch as string] ?? process.arch;
const image = await resolveImage(source, { os: 'linux', architecture });
const stats = await unpackImage(image, source, directory);
await source.close();
console.log(JSON.stringify({ ...stats, peakRssKiB: process.resourceUsage().maxRSS }));
