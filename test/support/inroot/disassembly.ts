import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { codeSections } from '../elf.js';

const run = promisify(execFile);
const large = { encoding: 'utf8', maxBuffer: 1 << 30 } as const;

export interface Instruction {
  address: number;
  bytes: string;
  text: string;
}

/** What a line of objdump says, with its `-d` and `-w`; undefined if it is about something else. */
export function parseInstruction(line: string): Instruction | undefined {
  const colon = line.indexOf(':\t');
  const tab = line.indexOf('\t', colon + 2);
  if (colon === -1 || tab === -1) return undefined;
  return {
    address: Number.parseInt(line.slice(0, colon), 16),
    bytes: line.slice(colon + 2, tab).trimEnd(),
    text: line.slice(tab + 1),
  };
}

/** What objdump takes for instructions; data in code comes out as some, too. */
export async function disassemble(file: string, objdump: string): Promise<Instruction[]> {
  const { stdout } = await run(objdump, ['-d', '-w', file], large);
  return stdout.split('\n').flatMap((line) => parseInstruction(line) ?? []);
}

/** Addresses that the instructions lead to whose text begins like a jump. */
export function jumpTargets(instructions: readonly Instruction[], jump: RegExp): Set<number> {
  return new Set(
    instructions
      .filter(({ text }) => jump.test(text))
      .flatMap(({ text }) => /\s([0-9a-f]+)(?: |$)/.exec(text)?.[1] ?? [])
      .map((hex) => Number.parseInt(hex, 16)),
  );
}

/**
 * What the runner would do with the places that may be system calls, by address.
 *
 * @param command - runs classify-sites.c
 */
export async function classify(command: readonly [string, ...string[]], file: string): Promise<Map<number, string>> {
  const [program, ...args] = command;
  const ranges = codeSections(file).flatMap(({ offset, size, address }) => [offset, size, address]);
  const { stdout } = await run(program, [...args, file, ...ranges.map((number) => number.toString(16))], large);
  const decisions = new Map<number, string>();
  for (const line of stdout.split('\n').slice(0, -1)) {
    const [at = '', ...decision] = line.split(' ');
    decisions.set(Number.parseInt(at, 16), decision.join(' '));
  }
  return decisions;
}
