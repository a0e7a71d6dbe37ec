#!/usr/bin/env node
// npm test: everything, set-up included. Stops at the first step that fails.
//   npm test                      all steps
//   npm test -- lint typecheck    only these
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { CommandError, duration, repository, run, runAsProgram } from './lib/command.mjs';
import { makeRunner, runnerArchitectures } from './lib/inroot.mjs';
import { setUp } from './setup.mjs';

const tool = (name) => join(repository, 'node_modules/.bin', name);
const vitestReport = join(repository, '.cache/vitest.json');

const steps = {
  'set-up': () => setUp('test'),
  build,
  lint: () => run(tool('biome'), ['check', '--error-on-warnings', '.']),
  typecheck: () => run(tool('tsc'), ['--noEmit']),
  publint: () => run(tool('publint'), ['run', '--strict', '.']),
  'are the types wrong': () => run(tool('attw'), ['--pack', '.', '--format', 'ascii', '--no-emoji']),
  'API documentation': () => run(tool('typedoc'), ['--emit', 'none', '--treatWarningsAsErrors']),
  vitest: () =>
    run(tool('vitest'), ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${vitestReport}`]),
  'analysis of the native runner': async () => {
    for (const architecture of (await runnerArchitectures()).buildable) await makeRunner(architecture, 'check');
  },
};

await runAsProgram(import.meta, async () => {
  const chosen = process.argv.slice(2);
  const unknown = chosen.find((name) => !Object.hasOwn(steps, name));
  if (unknown) throw new CommandError(`no step "${unknown}"; the steps are: ${Object.keys(steps).join(', ')}`);
  mkdirSync(join(repository, '.cache'), { recursive: true });

  const took = [];
  for (const [name, step] of Object.entries(steps)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    console.log(`\n=== ${name}`);
    const started = performance.now();
    try {
      await step();
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      throw new CommandError(
        `npm test failed at "${name}" after ${duration(performance.now() - started)}: ${error.message}`,
      );
    }
    took.push([name, performance.now() - started]);
  }

  console.log('');
  for (const [name, ms] of took) console.log(`${name.padEnd(32)} ${duration(ms)}`);
  console.log(`${'in all'.padEnd(32)} ${duration(took.reduce((sum, [, ms]) => sum + ms, 0))}`);
  if (took.some(([name]) => name === 'vitest') && existsSync(vitestReport)) console.log(totals());
});

/** The counts of all projects, alone on a line. */
function totals() {
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(vitestReport, 'utf8'));
  return `${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`;
}
