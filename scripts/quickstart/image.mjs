import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { CommandError } from '../lib/command.mjs';
import { writeLayout } from '../lib/oci-layout.mjs';
import { progressLine } from '../lib/progress-line.mjs';

/**
 * What an image is made of; the cache's key is its digest.
 *
 * @typedef {object} Recipe
 * @property {string} suite - of Debian
 * @property {string} variant - mmdebstrap's
 * @property {string[]} packages
 * @property {string[]} excluded - patterns of paths that dpkg leaves out
 * @property {string[]} [hooks] - further options of mmdebstrap
 * @property {string} [architecture] - Debian's word, which is also Go's, for amd64 and arm64; default: this machine's
 * @property {object} config - Env, Entrypoint, Cmd, WorkingDir, User
 */

/** @type {Recipe} */
const pictures = {
  suite: 'bookworm',
  // Debian's essential packages without apt, which nothing needs at run time.
  variant: 'essential',
  packages: ['imagemagick'],
  excluded: ['doc', 'info', 'locale', 'man'].map((folder) => `/usr/share/${folder}/*`),
  config: {
    Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    Cmd: ['convert', '-version'],
    WorkingDir: '/',
  },
};

/**
 * A Debian image, made of Debian's packages: no registry and no container engine is involved.
 *
 * @param {string} cache - folder that keeps it, and no other image
 * @param {Recipe} [recipe] - default: Debian 12 with ImageMagick
 * @param {readonly string[]} [launcher] - command that runs mmdebstrap where programs of the architecture can be executed
 * @returns {Promise<string>} its reference, `oci:DIRECTORY:TAG`
 */
export async function debianImage(cache, recipe = pictures, launcher = []) {
  const key = createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 12);
  const name = `image-${key}`;
  const layout = join(cache, name);
  if (!existsSync(layout)) {
    mkdirSync(cache, { recursive: true });
    await build(layout, recipe, launcher);
    for (const other of readdirSync(cache)) {
      if (other.startsWith('image-') && other !== name) rmSync(join(cache, other), { recursive: true, force: true });
    }
  }
  return `oci:${layout}:latest`;
}

/**
 * @param {string} layout
 * @param {Recipe} recipe
 * @param {readonly string[]} launcher
 */
async function build(layout, recipe, launcher) {
  const line = progressLine(`image: Debian ${[recipe.suite, ...recipe.packages].join(' + ')}, from packages`);
  const architecture = recipe.architecture ?? { x64: 'amd64' }[process.arch] ?? process.arch;
  const [program = '', ...args] = [
    ...launcher,
    'mmdebstrap',
    `--architectures=${architecture}`,
    // Debian's own binfmt_misc is not what the launcher has.
    ...(launcher.length > 0 ? ['--skip=check/qemu'] : []),
    `--variant=${recipe.variant}`,
    ...recipe.packages.map((name) => `--include=${name}`),
    ...recipe.excluded.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    ...(recipe.hooks ?? []),
    // What is not whole is made anew: no need to wait for the disk after each file.
    '--dpkgopt=force-unsafe-io',
    // A container's /dev is its host's.
    '--skip=output/dev',
    '--format=tar',
    recipe.suite,
    '-',
  ];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let messages = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    messages += text;
    line.update(text.trimEnd().split('\n').at(-1)?.replace('I: ', '') ?? '');
  });
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(undefined) : reject(new Error(`exit code ${code}`))));
  });
  try {
    await writeLayout(layout, {
      tag: 'latest',
      architecture,
      created: new Date().toISOString(),
      config: recipe.config,
      // The layout must not become whole when mmdebstrap fails after its last byte.
      layer: Readable.from(untilSuccess(child.stdout, ended)),
    });
    line.done();
  } catch (error) {
    line.failed();
    const last = messages.trimEnd().split('\n').slice(-8).join('\n');
    throw new CommandError(
      `mmdebstrap could not build the image (${error.message}). It needs root or user namespaces; ` +
        `or give an image that has ImageMagick: SCAR_IMAGE=<reference> npm run quickstart\n${last}`,
    );
  }
}

/**
 * A program's output, which ends well only if the program does.
 *
 * @param {AsyncIterable<Buffer>} output
 * @param {Promise<unknown>} ended
 */
async function* untilSuccess(output, ended) {
  // Awaited below; a failure before that must not count as unhandled.
  ended.catch(() => {});
  yield* output;
  await ended;
}
