// An image of many small layers from a registry that takes its time to answer: ours to a rootfs, skopeo to a layout.
//   SCAR_BENCH_RUNS=N   default 5
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundle } from './lib/bundle.mjs';
import { figure, median, printTable } from './lib/figures.mjs';

const runs = Number(process.env.SCAR_BENCH_RUNS ?? 5);
const shape = { layers: 12, layerBytes: 1024 * 1024, delayMs: 100 };
const targetOfSkopeo = 1;

const work = mkdtempSync(join(tmpdir(), 'scar-bench-layers-'));
try {
  const { pulls } = await import(pathToFileURL(await bundle('layers', work)).href);
  /** @type {{ oursMs: number[], skopeoMs: number[] }} */
  const { oursMs, skopeoMs } = await pulls(work, runs, shape);
  const [ours, skopeo] = [median(oursMs), median(skopeoMs)];
  printTable([
    [`${shape.layers} layers, each answer after ${shape.delayMs} ms`, 'median ms', 'of skopeo'],
    ['ours, unpacked', Math.round(ours), figure(ours / skopeo)],
    ['skopeo, copied', Math.round(skopeo), 1],
  ]);
  console.log(`Target: ${targetOfSkopeo} of skopeo's time.`);
  console.log(
    JSON.stringify({ ...shape, runs, oursMs: ours, skopeoMs: skopeo, ofSkopeo: ours / skopeo, targetOfSkopeo }),
  );
} finally {
  rmSync(work, { recursive: true, force: true });
}
