// Pulls through a proxy that lets every request wait, for layers.mjs.
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { openImage, resolveImage, unpackImage } from '../../../src/oci/index.js';
import { MemoryImage, writeLayout } from '../../support/memory-image.js';
import { skopeoCopy, startRegistry } from '../../support/registry.js';
import { startProxy } from '../../support/registry-proxy.js';
import { file, tar } from '../../support/tar.js';

export interface Shape {
  layers: number;
  layerBytes: number;
  delayMs: number;
}

/** Both take turns; the first round is not counted. */
export async function pulls(work: string, runs: number, { layers, layerBytes, delayMs }: Shape) {
  const contents = Array.from({ length: layers }, (_, index) => tar(file(`f${index}`, randomBytes(layerBytes))));
  await writeLayout(new MemoryImage(contents), join(work, 'layout'), 'it');
  await using registry = await startRegistry();
  await skopeoCopy(`oci:${work}/layout:it`, `docker://${registry.host}/bench:it`);
  await using proxy = await startProxy(registry.host, () => setTimeout(delayMs, {}));
  const reference = `${proxy.host}/bench:it`;
  const [rootfs, layout] = [join(work, 'rootfs'), join(work, 'copy')];

  const times = { oursMs: [] as number[], skopeoMs: [] as number[] };
  for (let round = 0; round <= runs; round++) {
    const started = performance.now();
    const source = openImage(reference);
    const image = await resolveImage(source, { os: 'linux', architecture: 'amd64' });
    await unpackImage(image, source, rootfs);
    await source.close();
    const unpacked = performance.now();
    await skopeoCopy(`docker://${reference}`, `oci:${layout}:it`);
    const copied = performance.now();
    if (round > 0) {
      times.oursMs.push(unpacked - started);
      times.skopeoMs.push(copied - unpacked);
    }
    for (const folder of [rootfs, layout]) await rm(folder, { recursive: true });
  }
  return times;
}
