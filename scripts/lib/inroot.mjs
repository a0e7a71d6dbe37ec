import { machine } from 'node:os';
import { capture, run } from './command.mjs';

/** The machines that Lambda has, as uname(1) names them. */
const machines = ['x86_64', 'aarch64'];

/** @param {string} architecture */
export const compilerFor = (architecture) => (architecture === machine() ? 'gcc' : `${architecture}-linux-gnu-gcc`);

/** The machines that the native runner can be built for here, and those that there is no compiler for. */
export async function runnerArchitectures() {
  const versions = await Promise.all(machines.map((name) => capture(compilerFor(name), ['--version'])));
  return {
    buildable: machines.filter((_, index) => versions[index] !== null),
    missing: machines.filter((_, index) => versions[index] === null),
  };
}

/**
 * Runs make in the folder of the native runner.
 *
 * @param {string} architecture
 * @param {readonly string[]} args
 */
export function makeRunner(architecture, ...args) {
  return run('make', ['--no-print-directory', '-C', 'supervisor/inroot', `ARCH=${architecture}`, ...args]);
}
