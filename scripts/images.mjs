#!/usr/bin/env node
// npm run images [-- VITEST-OPTION...]: builds the images of test/images, runs a program of each kind in them, and writes
// docs/image-table.md. `-- -t ffmpeg` runs the rows of that name and writes nothing. Needs root.
import { join } from 'node:path';
import { build } from './build.mjs';
import { repository, run, runAsProgram } from './lib/command.mjs';
import { setUp } from './setup.mjs';

await runAsProgram(import.meta, async () => {
  await setUp('test');
  await build();
  const vitest = join(repository, 'node_modules/.bin/vitest');
  await run(vitest, ['run', '--config', 'test/images/vitest.config.ts', ...process.argv.slice(2)]);
});
