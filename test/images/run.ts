import { type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { inroot } from '../support/inroot/inroot.js';
import { JAIL_USER, jailed } from '../support/jail/jail.js';
import { programFile, type Row } from './rows.js';

/** The environment that a function's container has (supervisor/container/environment.ts), reduced to what programs need. */
const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/tmp' };

const TIMEOUT_MS = 1_200_000;

export interface Ended {
  /** 0: all that the row checks is as it should be. */
  code: number | null;
  signal: NodeJS.Signals | null;
  output: string;
}

/** What a program finds bound over its root, as in supervisor/container/folders.ts: host folder, path in the root. */
export interface Binds {
  tmp: string;
  shm: string;
}

/** Makes them in a folder, with the row's script in /tmp. */
export async function makeBinds(folder: string, row: Row): Promise<Binds> {
  const binds = { tmp: join(folder, 'tmp'), shm: join(folder, 'shm') };
  for (const path of Object.values(binds)) await mkdir(path, { recursive: true });
  await copyFile(programFile(row.program), join(binds.tmp, 'row.sh'));
  await ended(spawn('chown', ['-R', `${JAIL_USER.uid}:${JAIL_USER.gid}`, folder]));
  return binds;
}

/** The runner's command line for a row; paths as they are where it will run. */
export function runnerCommand(runner: string, root: string, { tmp, shm }: Binds): string[] {
  const binds = ['--bind', tmp, '/tmp', '--bind', shm, '/dev/shm', '--bind', '/etc/hosts', '/etc/hosts'];
  return [runner, ...binds, '--chdir', '/', root, '/bin/sh', '-eux', '/tmp/row.sh'];
}

/** Runs a row under Lambda's restrictions. */
export async function runJailed(row: Row, root: string, folder: string): Promise<Ended> {
  await makeBinds(join(folder, 'run'), row);
  const mounts = [
    { source: root, name: 'root' },
    { source: dirname(inroot()), name: 'supervisor' },
  ];
  const command = runnerCommand('/tmp/supervisor/inroot-amd64', '/tmp/root', {
    tmp: '/tmp/run/tmp',
    shm: '/tmp/run/shm',
  });
  const [file, ...args] = jailed({ tmp: folder, mounts }, command);
  return ended(spawn(file, args, { env: environment, timeout: TIMEOUT_MS }));
}

/** Runs a row as the jail's user with nothing else that restricts it, under strace(1), which writes to `log`. */
export async function runTraced(root: string, binds: Binds, log: string, calls: readonly string[]): Promise<Ended> {
  const user = ['setpriv', `--reuid=${JAIL_USER.uid}`, `--regid=${JAIL_USER.gid}`, '--clear-groups', '--no-new-privs'];
  const strace = [
    '-f',
    '-y',
    '-qq',
    '-s',
    '0',
    '--signal=none',
    '--seccomp-bpf',
    '-e',
    `trace=${calls.join(',')}`,
    '-o',
    log,
  ];
  const options: SpawnOptions = { env: environment, timeout: TIMEOUT_MS, cwd: '/' };
  return ended(spawn('strace', [...strace, ...user, ...runnerCommand(inroot(), root, binds)], options));
}

async function ended(child: ReturnType<typeof spawn>): Promise<Ended> {
  const [[code, signal], ...outputs] = await Promise.all([
    once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>,
    ...[child.stdout, child.stderr].map((stream) => (stream ? text(stream) : '')),
  ]);
  return { code, signal, output: outputs.join('') };
}
