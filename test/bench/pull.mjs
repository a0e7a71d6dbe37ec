// How long a cold environment takes to bring its image in: from the archive in the image bucket, and from a registry. Both are on
// this machine, so that no network is in the way of either.
//   SCAR_BENCH_RUNS=N   default 5
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundle } from './lib/bundle.mjs';
import { figure, median, printTable } from './lib/figures.mjs';
import { image } from './lib/image.mjs';

const runs = Number(process.env.SCAR_BENCH_RUNS ?? 5);
const target = 1;

const work = mkdtempSync(join(tmpdir(), 'scar-bench-pull-'));
try {
  const { pulls } = await import(pathToFileURL(await bundle('pull', work)).href);
  const { ScarClient } = await import('../../dist/index.js');
  /** @type {{ cache: number[], registry: number[], createMs: number[] }} */
  const measured = await pulls(ScarClient, await image(), runs);
  const [cache, registry] = [median(measured.cache), median(measured.registry)];
  const [first, ...others] = measured.createMs;
  printTable([
    ['cold environment, image of 200 MB', 'median ms', 'of registry'],
    ['from the archive', Math.round(cache), figure(cache / registry)],
    ['from the registry', Math.round(registry), 1],
    ['createFunction, the image is new', Math.round(first ?? 0), ''],
    ['createFunction, the image is there', Math.round(median(others)), ''],
  ]);
  console.log(`Target: ${target} of the registry's time. Node ${process.version}.`);
  console.log(JSON.stringify({ runs, cacheMs: cache, registryMs: registry, ofRegistry: cache / registry, target }));
} finally {
  rmSync(work, { recursive: true, force: true });
}
