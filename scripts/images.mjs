#!/usr/bin/env node
// npm run images [-- VITEST-OPTION...]: builds the images of test/images, runs a program of each kind in them, compares their files with
// what umoci unpacks, and writes docs/image-table.md and docs/umoci.md. `-- -t ffmpeg` runs the rows of that name and writes
// nothing, `-- umoci` only compares. Needs root.
import { join } from 'node:path';
import { build } from './build.mjs';
import { repository, run, runAsProgram } from './lib/command.mjs';
import { setUp } from './setup.mjs';

await runAsProgram(import.meta, async () => {
  await setUp('test');
  await build();
  const tool = (/** @type {string} */ name) => join(repository, 'node_modules/.bin', name);
  try {
    await run(tool('vitest'), ['run', '--config', 'test/images/vitest.config.ts', ...process.argv.slice(2)]);
  } finally {
    // The table's columns become as wide as what stands in them.
    await run(tool('biome'), ['format', '--write', 'docs/image-table.md', 'docs/umoci.md']);
  }
});
