#!/usr/bin/env node
// npm run bench [-- NAME...]: runs test/bench/NAME.mjs, all of them without a name. Each prints a table for people and, as
// its last line, JSON; the last line of all is JSON with every result by name.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from './build.mjs';
import { CommandError, repository, runAsProgram } from './lib/command.mjs';
import { setUp } from './setup.mjs';

const folder = join(repository, 'test/bench');

/**
 * Passes a benchmark's output on and gives back its last line, which is its result.
 *
 * @param {string} name
 * @returns {Promise<unknown>}
 */
async function bench(name) {
  const child = spawn(process.execPath, [join(folder, `${name}.mjs`)], {
    cwd: repository,
    stdio: ['ignore', 'pipe', 'inherit'],
    // The SDK's notice of the Node versions that it will support would stand between the tables.
    env: { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  let last = '';
  for await (const line of createInterface({ input: child.stdout })) {
    if (last !== '') console.log(last);
    last = line;
  }
  const code = await ended;
  if (code !== 0) throw new CommandError(`${last}\nthe benchmark ${name} ended with exit code ${code}`);
  try {
    return JSON.parse(last);
  } catch {
    throw new CommandError(`the last line of the benchmark ${name} must be JSON; it was "${last}"`);
  }
}

await runAsProgram(import.meta, async () => {
  const known = existsSync(folder)
    ? readdirSync(folder).flatMap((file) => (file.endsWith('.mjs') ? [file.slice(0, -'.mjs'.length)] : []))
    : [];
  const chosen = process.argv.length > 2 ? process.argv.slice(2) : known;
  const unknown = chosen.find((name) => !known.includes(name));
  if (unknown) throw new CommandError(`no benchmark "${unknown}"; there are: ${known.join(', ')}`);
  await setUp('test');
  await build();
  /** @type {Record<string, unknown>} */
  const results = {};
  for (const name of chosen) {
    console.log(`\n=== ${name}`);
    results[name] = await bench(name);
  }
  console.log(`\n${JSON.stringify(results)}`);
});
