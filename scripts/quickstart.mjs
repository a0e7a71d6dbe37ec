#!/usr/bin/env node
// npm run quickstart: brings in what docs/examples/quickstart.mjs needs, and runs it. What was made is kept in .cache.
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { help, parseOptions, UsageError } from '../docs/examples/quickstart/options.mjs';
import { build } from './build.mjs';
import { CommandError, repository, runAsProgram } from './lib/command.mjs';
import { debianImage } from './quickstart/image.mjs';
import { photographs } from './quickstart/photographs.mjs';
import { setUp } from './setup.mjs';

const cache = join(repository, '.cache/quickstart');
const program = join(repository, 'docs/examples/quickstart.mjs');

// The SDK's notice of the Node versions that it will support is for who deploys, and hides what is shown here.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

await runAsProgram(import.meta, async () => {
  const args = process.argv.slice(2);
  const options = readOptions(args);
  if (options.help) {
    console.log(help);
    return;
  }
  mkdirSync(cache, { recursive: true });
  await setUp('quickstart');
  await build();
  const image = options.image ?? (await debianImage(cache));
  const pictures = options.pictures ?? (await cutPictures(cache, image));
  process.exitCode = await handOver([...args, `--image=${image}`, `--pictures=${pictures}`]);
});

/** Bad options are told before minutes of set-up. @param {string[]} args */
function readOptions(args) {
  try {
    return parseOptions(args, process.env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new CommandError(`${error.message}. npm run quickstart -- --help tells all options`);
  }
}

/**
 * At least 100 pictures of many sizes, cut from Debian's photographs by a container.
 *
 * @param {string} folder
 * @param {string} image
 */
async function cutPictures(folder, image) {
  const originals = await photographs(folder);
  // Imports the package itself, which exists only now.
  const { pictures } = await import('./quickstart/pictures.mjs');
  return pictures(folder, { image, originals });
}

/**
 * Runs the program in our place: Ctrl-C reaches it by the terminal, and it ends in order.
 *
 * @param {string[]} args
 * @returns {Promise<number>} its exit code
 */
function handOver(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: 'inherit' });
    process.removeAllListeners('SIGINT').on('SIGINT', () => {});
    process.removeAllListeners('SIGTERM').on('SIGTERM', () => child.kill('SIGTERM'));
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}
