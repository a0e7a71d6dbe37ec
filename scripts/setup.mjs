#!/usr/bin/env node
// Brings in what a purpose needs: Debian packages and node_modules. Runs on Node alone, before anything is installed.
//   node scripts/setup.mjs [build|quickstart|test]
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError, capture, repository, run, runAsProgram } from './lib/command.mjs';
import { progressLine } from './lib/progress-line.mjs';

const runner = ['gcc', 'libc6-dev', 'make'];
// The package has a runner for both of Lambda's architectures; one's own machine needs one.
const build = [...runner, 'gcc-aarch64-linux-gnu', 'linux-libc-dev-arm64-cross'];
const quickstart = [...runner, 'debian-archive-keyring', 'mmdebstrap'];
const test = [
  ...new Set([...build, ...quickstart]),
  // aws-lambda-ric builds its native part with these.
  ...['autoconf', 'automake', 'cmake', 'g++', 'libtool', 'python3'],
  'binutils',
  'bubblewrap',
  'busybox-static',
  'bzip2',
  'cppcheck',
  'curl',
  'docker-registry',
  'golang-go',
  'libc6-dev-arm64-cross',
  'libseccomp-dev',
  'musl-tools',
  'openssl',
  'qemu-user-static',
  'skopeo',
  'strace',
  'umoci',
  'zstd',
];

/** Debian packages by purpose. */
export const packages = { build, quickstart, test };

/**
 * Makes sure that all is there for a purpose; does nothing, at once, when it is. What only root can install is named in
 * one line otherwise, and the caller goes on with what can run.
 *
 * @param {keyof typeof packages} purpose
 */
export async function setUp(purpose) {
  await installPackages(packages[purpose]);
  await installNodeModules();
}

/** Refreshes the package lists, as root; says nothing unless it fails. */
export async function updatePackageLists() {
  await apt(['update'], 'Debian package lists');
}

/** @param {readonly string[]} wanted */
async function installPackages(wanted) {
  const query = await capture('dpkg-query', ['-W', `-f=\${Package} \${db:Status-Status}\n`, ...wanted]);
  if (query === null) {
    console.error(`set-up: this is no Debian system; to be installed by hand if missing: ${wanted.join(' ')}`);
    return;
  }
  const installed = new Set(
    query.stdout.split('\n').flatMap((line) => (line.endsWith(' installed') ? [line.split(' ')[0]] : [])),
  );
  const missing = wanted.filter((name) => !installed.has(name));
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) {
    console.error(`set-up: missing packages; as root: apt-get install --no-install-recommends ${missing.join(' ')}`);
    return;
  }
  await updatePackageLists();
  await withoutServices(() =>
    apt(['install', '--yes', '--no-install-recommends', ...missing], `Debian packages ${missing.join(' ')}`),
  );
}

/**
 * Some packages (docker-registry) start a service on installation; a `policy-rc.d` that answers 101 forbids it
 * (https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt). One that is there already stays.
 *
 * @param {() => Promise<void>} install
 */
async function withoutServices(install) {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return install();
  const remove = () => rmSync(policy, { force: true });
  process.once('exit', remove);
  writeFileSync(policy, '#!/bin/sh\nexit 101\n');
  chmodSync(policy, 0o755);
  try {
    await install();
  } finally {
    remove();
    process.off('exit', remove);
  }
}

/**
 * Runs apt-get with one line of progress, from its status descriptor
 * (apt's doc/progress-reporting.md: `pmstatus:<package>:<percent>:<what>`); its output is shown only if it fails.
 *
 * @param {readonly string[]} args
 * @param {string} label
 */
function apt(args, label) {
  const line = progressLine(`set-up: ${label}`);
  const options = ['-o', 'APT::Status-Fd=3', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Use-Pty=0'];
  const child = spawn('apt-get', [...options, ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  child.stdio[3]?.setEncoding('utf8').on('data', (text) => {
    const [, , percent] = text.trimEnd().split('\n').at(-1)?.split(':') ?? [];
    line.update(`${Math.round(Number(percent) || 0)} %`);
  });
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new CommandError(`apt-get could not be started: ${error.message}`)));
    child.once('close', (code) => {
      if (code === 0) {
        line.done();
        resolve(undefined);
        return;
      }
      line.failed();
      reject(
        new CommandError(`apt-get ${args.join(' ')} failed:\n${output.trimEnd().split('\n').slice(-20).join('\n')}`),
      );
    });
  });
}

/** `npm ci` when node_modules is missing or is not what package-lock.json says. */
async function installNodeModules() {
  const folder = join(repository, 'node_modules');
  if (isInstalled(folder)) return;
  if (lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink()) {
    console.error(`set-up: ${folder} is a link and does not match package-lock.json; run npm ci where it leads`);
    return;
  }
  console.error('set-up: npm ci');
  await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}

/**
 * Compares the lockfile with the one that npm keeps inside node_modules: by content, as a checkout changes times.
 *
 * @param {string} folder
 */
function isInstalled(folder) {
  const wanted = readLock(join(repository, 'package-lock.json'));
  const present = readLock(join(folder, '.package-lock.json'));
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === '') return true;
    const found = present[path];
    return found === undefined ? optional === true : found.version === version;
  });
}

/**
 * @param {string} path
 * @returns {Record<string, { version?: string, optional?: boolean }>}
 */
function readLock(path) {
  if (!existsSync(path)) return {};
  return JSON.parse(readFileSync(path, 'utf8')).packages ?? {};
}

await runAsProgram(import.meta, async () => {
  const purpose = process.argv[2] ?? 'test';
  if (!Object.hasOwn(packages, purpose)) {
    throw new CommandError(`the purpose must be one of ${Object.keys(packages).join(', ')}; received "${purpose}"`);
  }
  mkdirSync(join(repository, '.cache'), { recursive: true });
  await setUp(/** @type {keyof typeof packages} */ (purpose));
});
