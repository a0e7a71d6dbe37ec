import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerOutcome } from '../../src/contract/index.js';
import { sleep } from '../../src/util/sleep.js';
import { emulated, emulatorPrefix } from '../support/emulator/emulator.js';
import type { FunctionBench, FunctionEnvironment } from '../support/function-bench.js';
import { JAIL_USER } from '../support/jail/jail.js';
import { architectureOf, type ImageName, makeImage } from './images.js';
import { LeakCheck, type PathCheck, TRACED } from './leaks.js';
import { programFile, type Row } from './rows.js';

const TIMEOUT_MS = 1_800_000;

/** An execution environment of the built supervisor with an image's function, in which its rows run one after the other. */
export interface ImageFunction {
  environment: FunctionEnvironment;
  /** Host path of the image's files as the supervisor unpacked them. */
  rootfs: string;
}

/** Starts one under Lambda's restrictions, and brings the image in. */
export function startJailed(bench: FunctionBench, name: ImageName): Promise<ImageFunction> {
  return start(bench, name, { jailed: true, under: (command) => where(name, command) });
}

/**
 * Starts one as the jail's user with nothing else that restricts it, under strace(1).
 *
 * @param tmp - of an environment that has ended: the image is there
 * @param log - strace's
 */
export async function startTraced(
  bench: FunctionBench,
  name: ImageName,
  tmp: string,
  log: string,
): Promise<ImageFunction & { leaks: LeakCheck }> {
  const user = ['setpriv', `--reuid=${JAIL_USER.uid}`, `--regid=${JAIL_USER.gid}`, '--clear-groups', '--no-new-privs'];
  // Strings of up to PATH_MAX: the runner's command line is to be whole.
  const options = ['-f', '-y', '-qq', '-s', '4096', '--signal=none', '--seccomp-bpf', '-e', `trace=${TRACED.join()}`];
  // Who is traced lives on when strace is killed, but not in a namespace whose first process that is.
  const namespace = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const under = (command: readonly string[]) =>
    where(name, [...namespace, 'strace', ...options, '-o', log, ...user, ...command]);
  const started = await start(bench, name, { tmp, under });
  const run = join(tmp, 'scar/run');
  const [identity = ''] = readdirSync(run);
  const prefix = architectureOf(name) === 'arm64' ? emulatorPrefix : undefined;
  return { ...started, leaks: new LeakCheck(log, join(run, identity, 'inroot'), prefix) };
}

/** The command on this machine, or on one that seems to execute the image's programs. */
const where = (name: ImageName, command: readonly string[]) =>
  architectureOf(name) === 'arm64' ? emulated(command) : command;

async function start(
  bench: FunctionBench,
  name: ImageName,
  options: Pick<Parameters<FunctionBench['start']>[0], 'jailed' | 'tmp' | 'under'>,
): Promise<ImageFunction> {
  const environment = await bench.start({
    image: await makeImage(name),
    architecture: architectureOf(name),
    ...options,
  });
  expectSuccess(await environment.run({ script: 'true' }, { timeoutMs: TIMEOUT_MS }), `starting ${name}`);
  const images = join(environment.tmp, 'scar/images');
  const [digest = ''] = readdirSync(images).filter((entry) => entry !== 'lock');
  return { environment, rootfs: join(images, digest, 'rootfs') };
}

/** Runs a row. */
export async function runRow({ environment }: ImageFunction, row: Row): Promise<void> {
  expectSuccess(await environment.run({ script: scriptOf(row) }, { timeoutMs: TIMEOUT_MS }), row.name);
}

/** Runs a row and checks the paths that it gave to the kernel, while its files are still there. */
export async function checkRow(traced: Awaited<ReturnType<typeof startTraced>>, row: Row): Promise<PathCheck> {
  const { environment, leaks } = traced;
  const marker = `${row.name} has ended`;
  const script = `${scriptOf(row)}\nmkfifo /tmp/.checked; echo '${marker}'; read -r _ </tmp/.checked`;
  let hasEnded = false;
  const running = environment.run({ script }, { timeoutMs: TIMEOUT_MS }).finally(() => {
    hasEnded = true;
  });
  while (!hasEnded && !environment.log.includes(marker)) await Promise.race([running, sleep(50)]);
  const check = await leaks.check();
  if (!hasEnded) await writeFile(join(containerOf(environment), 'tmp/.checked'), 'go on\n');
  expectSuccess(await running, row.name);
  return check;
}

/** Host path of the folder of the one container that runs. */
function containerOf({ tmp }: FunctionEnvironment): string {
  const run = join(tmp, 'scar/run');
  const [identity = ''] = readdirSync(run);
  const [number = ''] = readdirSync(join(run, identity)).filter((entry) => /^\d+$/.test(entry));
  return join(run, identity, number);
}

const scriptOf = ({ program }: Row) => `set -eux\n${readFileSync(programFile(program), 'utf8')}`;

function expectSuccess(outcome: ContainerOutcome, what: string): void {
  if (outcome.status === 'succeeded') return;
  throw new Error(`${what}: ${outcome.message}\n${outcome.stdout?.text}\n${outcome.stderr?.text.slice(-4_000)}`);
}
