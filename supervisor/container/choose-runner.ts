import type { RunnerName } from '../../src/contract/index.js';
import { UnsupportedImageError } from '../../src/errors.js';
import { InrootRunner } from './inroot-runner.js';
import type { Launcher } from './launcher.js';
import type { Runner } from './runner.js';

/** What the in-process loader does to a program: maps its code, changes it, adds some, and catches SIGTRAP. */
const NEEDS = {
  'in-process': ['mapCode', 'patchCode', 'makeCode', 'handleTrap'],
  namespaces: ['namespaces'],
} as const satisfies Readonly<Record<RunnerName, readonly string[]>>;

/** For each thing that was tried: 0, the errno that was answered, or -1 if whoever tried was killed (`inroot --probe`). */
export type Abilities = Readonly<Record<string, number>>;

/** A runner, and a line for the log that says why this one. */
export interface RunnerChoice {
  runner: Runner;
  because: string;
}

/**
 * Tries out what this place allows; a few milliseconds.
 *
 * @param executable - host path of `inroot`
 */
export async function probeAbilities(executable: string, launcher: Launcher): Promise<Abilities> {
  const { stdout, stderr, exited } = await launcher.launch({ file: executable, args: ['--probe'], environment: {} });
  const [answer, , { failure }] = await Promise.all([stdout.toArray(), stderr.toArray(), exited]);
  if (failure) throw failure;
  return JSON.parse(Buffer.concat(answer).toString()) as Abilities;
}

/**
 * The in-process loader, unless another way is asked for.
 *
 * @param executable - host path of `inroot`
 * @throws UnsupportedImageError if this place allows none
 */
export function chooseRunner(executable: string, abilities: Abilities, wanted: RunnerName | undefined): RunnerChoice {
  const name = wanted ?? 'in-process';
  const missing = missingFor(name, abilities);
  if (missing.length === 0) {
    return { runner: new InrootRunner(name, executable), because: describe(name, abilities) };
  }
  const others = (Object.keys(NEEDS) as RunnerName[]).filter((other) => missingFor(other, abilities).length === 0);
  const wayOut =
    others.length > 0
      ? `Create the function with runner: '${others[0]}', which works here`
      : 'Run the image as a function of package type Image, or on another kind of machine';
  throw new UnsupportedImageError(
    `Containers cannot be run here by the runner ${name}: ${missing.join(', ')}. ${wayOut}`,
    { context: { runner: name, ...abilities } },
  );
}

function missingFor(name: RunnerName, abilities: Abilities): string[] {
  return NEEDS[name].filter((ability) => abilities[ability] !== 0).map((ability) => answer(ability, abilities));
}

function answer(ability: string, abilities: Abilities): string {
  const errno = abilities[ability];
  if (errno === undefined) return `${ability} is unknown`;
  return errno === -1 ? `${ability} is answered by death` : `${ability} is denied (errno ${errno})`;
}

function describe(name: RunnerName, abilities: Abilities): string {
  const denied = Object.keys(abilities).filter((ability) => abilities[ability] !== 0);
  return `runner ${name}; this place denies ${denied.length > 0 ? denied.join(', ') : 'nothing that was tried'}`;
}
