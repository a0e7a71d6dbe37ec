import { execFile } from 'node:child_process';
import { copyFile, mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { emulated } from '../emulator/emulator.js';
import { JAIL_USER, jailed } from '../jail/jail.js';
import { temporaryFolder } from '../temporary.js';
import { inroot } from './inroot.js';

const run = promisify(execFile);

/** What Lambda leaves of an environment, reduced to what programs need. */
const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/tmp',
  LANG: 'C.UTF-8',
};

/** Options of the runner that make the guest root, as the supervisor gives them. */
export const AS_ROOT = ['--user', '0:0', '--owners', '/tmp/owners'] as const;

export interface SuiteOptions {
  /** Options of the runner. Default: none. */
  options?: readonly string[];
  /** How often the script runs; what a round leaves in /tmp, the next one has. Default: once. */
  rounds?: number;
  /** What the root's programs are made for. Default: this machine. */
  architecture?: 'amd64' | 'arm64';
}

/** How long a round may take here, and where its programs are emulated. */
export const ROUND_MS = { amd64: 150_000, arm64: 900_000 } as const;

/**
 * Runs a script of checks in a root, in the jail, with the request's folder /tmp/REQ1, and returns the lines of each round:
 * "ok NAME" or "FAIL NAME: why".
 *
 * @param script - on this machine
 * @param argument - the script's own
 */
export async function runSuite(
  script: string,
  root: string,
  argument: string,
  { options = [], rounds = 1, architecture = 'amd64' }: SuiteOptions = {},
): Promise<string[][]> {
  const executable = inroot(architecture);
  await using scratch = await temporaryFolder();
  const tmp = join(scratch.path, 'tmp');
  const request = join(scratch.path, 'request');
  for (const folder of [tmp, request, join(request, 'input'), join(request, 'output')]) await mkdir(folder);
  await run('chown', ['-R', `${JAIL_USER.uid}:${JAIL_USER.gid}`, tmp, request]);
  await copyFile(script, join(request, 'suite.sh'));
  const mounts = [
    { source: root, name: 'root' },
    { source: request, name: 'request' },
    { source: dirname(executable), name: 'supervisor' },
  ];
  const runner = [`/tmp/supervisor/${basename(executable)}`, ...options];
  runner.push('--bind', '/tmp/request', '/tmp/REQ1', '--chdir', '/', '/tmp/root');
  const command = jailed({ tmp, mounts }, [...runner, '/bin/sh', '/tmp/REQ1/suite.sh', argument]);
  const [file, ...args] = architecture === 'arm64' ? emulated(command) : command;
  const lines: string[][] = [];
  while (lines.length < rounds) {
    const { stdout } = await run(file, args, {
      env: environment,
      timeout: ROUND_MS[architecture],
      maxBuffer: 16 << 20,
    });
    lines.push(stdout.split('\n').filter((line) => /^(ok|FAIL) /.test(line)));
  }
  return lines;
}
