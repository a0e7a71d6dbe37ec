#!/usr/bin/env node
// Builds dist/: the library, the engine, the supervisor (one file) and the native runner. Does nothing when dist/ was
// made of the same sources.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository, run, runAsProgram } from './lib/command.mjs';
import { compilerFor, makeRunner, runnerArchitectures } from './lib/inroot.mjs';
import { setUp } from './setup.mjs';

/** What dist/ is made of: files, and folders with all below them. */
const sources = ['src', 'supervisor', 'scripts/build.mjs', 'package-lock.json', 'tsconfig.json', 'tsup.config.ts'];
const dist = join(repository, 'dist');
/** Digest of the sources that dist/ was made of; not part of the package. */
const stamp = '.sources';

/** Builds unless dist/ is up to date. It is put in place whole: a build that fails leaves the last one. */
export async function build() {
  const { buildable, missing } = await runnerArchitectures();
  const digest = digestOfSources(buildable);
  if (readIfThere(join(dist, stamp)) === digest) return;
  const fresh = join(repository, `.dist-${process.pid}`);
  const old = join(repository, `.dist-${process.pid}-old`);
  const remove = () => {
    for (const folder of [fresh, old]) rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', remove);
  try {
    await run(process.execPath, [join(repository, 'node_modules/tsup/dist/cli-default.js'), '--out-dir', fresh]);
    for (const architecture of buildable) await makeRunner(architecture, `OUT=${join(fresh, 'supervisor')}`);
    reportSizes(join(fresh, 'supervisor'));
    for (const architecture of missing) {
      console.error(`build: dist/ lacks the runner for ${architecture}, as there is no ${compilerFor(architecture)}`);
    }
    writeFileSync(join(fresh, stamp), digest);
    if (existsSync(dist)) renameSync(dist, old);
    renameSync(fresh, dist);
  } finally {
    remove();
    process.off('exit', remove);
  }
}

/**
 * The native runner is in every function's zip and in the memory of each environment: it is to stay below 100 KB.
 *
 * @param {string} folder
 */
function reportSizes(folder) {
  for (const name of readdirSync(folder).filter((file) => file.startsWith('inroot-'))) {
    console.error(`build: ${name} has ${(statSync(join(folder, name)).size / 1000).toFixed(1)} KB`);
  }
}

/** @param {readonly string[]} architectures - of the native runner */
function digestOfSources(architectures) {
  const hash = createHash('sha256').update(`${process.version} ${architectures}`);
  for (const source of sources) {
    const path = join(repository, source);
    const names = statSync(path).isDirectory() ? readdirSync(path, { recursive: true, encoding: 'utf8' }).sort() : [''];
    for (const name of names) {
      const file = join(path, name);
      if (statSync(file).isFile()) hash.update(`${source}/${name}\0`).update(readFileSync(file)).update('\0');
    }
  }
  return hash.digest('hex');
}

/** @param {string} path */
function readIfThere(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

await runAsProgram(import.meta, async () => {
  await setUp('build');
  await build();
});
