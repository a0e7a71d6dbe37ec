// A map of 1,000,000 items at concurrency 10,000 over a model of Lambda, in virtual time, by the flow, the admission and the sending that a
// real map has; beside it the best possible schedule. Writes docs/pictures/simulation.svg.
//   SCAR_SIMULATION_ITEMS=N   default 1,000,000; another number writes no picture
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundle } from './lib/bundle.mjs';
import { printTable } from './lib/figures.mjs';

const usual = 1_000_000;
const items = Number(process.env.SCAR_SIMULATION_ITEMS ?? usual);
const size = { items, concurrency: 10_000, seed: 1 };
const targetOfBest = 1.05;

/** @param {number} value @param {number} after - the point */
const digits = (value, after) => Number(value.toFixed(after));

const work = mkdtempSync(join(tmpdir(), 'scar-bench-simulation-'));
try {
  const { outcomes, plot } = await import(pathToFileURL(await bundle('simulation', work)).href);
  /** @type {import('./lib/simulation.js').Outcome[]} */
  const all = [];
  for await (const outcome of outcomes(size)) {
    if (outcome.failed > 0) throw new Error(`${outcome.failed} items of "${outcome.name}" failed`);
    all.push(outcome);
  }
  printTable([
    [
      `${items} items, ${size.concurrency} at once`,
      'best s',
      'ours s',
      'of the best',
      'of the bound',
      'throttles',
      'cold starts',
    ],
    ...all.map(({ name, bestMs, lowerBoundMs, ms, throttles, coldStarts }) => [
      ...[name, digits(bestMs / 1_000, 1), digits(ms / 1_000, 1), digits(ms / bestMs, 3), digits(ms / lowerBoundMs, 3)],
      ...[throttles, coldStarts],
    ]),
  ]);
  console.log(`Target: ${targetOfBest} of the best. Seed ${size.seed}.`);
  if (items === usual) {
    const pictures = join(import.meta.dirname, '../../docs/pictures');
    mkdirSync(pictures, { recursive: true });
    writeFileSync(join(pictures, 'simulation.svg'), plot(all.map(({ panel }) => panel)));
  }
  console.log(JSON.stringify({ ...size, targetOfBest, scenarios: all.map(({ panel, ...numbers }) => numbers) }));
} finally {
  rmSync(work, { recursive: true, force: true });
}
