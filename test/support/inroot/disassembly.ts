import { execFileSync } from 'node:child_process';

const large = { encoding: 'utf8', maxBuffer: 1 << 30 } as const;

export interface Instruction {
  address: number;
  bytes: string;
  text: string;
}

/** What objdump takes for instructions; data in code comes out as some, too. */
export function disassemble(file: string, objdump = 'objdump'): Instruction[] {
  const listing = execFileSync(objdump, ['-d', '-w', file], large);
  return [...listing.matchAll(/^ +([0-9a-f]+):\t([0-9a-f ]+?) *\t(.*)$/gm)].map(
    ([, address = '', bytes = '', text = '']) => ({ address: Number.parseInt(address, 16), bytes, text }),
  );
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
 * What the runner would do, by address.
 *
 * @param command - runs classify-sites.c
 */
export function classify(command: readonly [string, ...string[]], file: string): Map<number, string> {
  const [program, ...args] = command;
  const sections = execFileSync('readelf', ['-SW', file], large);
  const decisions = new Map<number, string>();
  for (const [, address = '', offset = '', size = ''] of sections.matchAll(
    /PROGBITS +([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) \S+ +AX/g,
  )) {
    const lines = execFileSync(program, [...args, file, offset, size, address], large).trim();
    for (const line of lines === '' ? [] : lines.split('\n')) {
      const [at = '', ...decision] = line.split(' ');
      decisions.set(Number.parseInt(at, 16), decision.join(' '));
    }
  }
  return decisions;
}
