import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { compile } from './compile.js';
import { classify, type Instruction, parseInstruction } from './disassembly.js';

/** How the runner reads a file's code, against objdump's reading of it. */
export interface InstructionReport {
  /** Instructions by objdump; data in code comes out as some, too. None are looked at if there are no candidates. */
  instructions: number;
  /** Pairs of bytes that may be a `syscall`, and how many of them the runner redirects. */
  candidates: number;
  redirected: number;
  /** Redirections of what is no system call, or that would break what is around it. */
  wrong: string[];
  /** System calls that are left alone though their number is not known to be of no interest. */
  missed: string[];
  /** Instructions that are longer or shorter than objdump says: how many, and the first 20. */
  lengths: { differ: number; examples: string[] };
}

/** Compares the runner with objdump; `folder` gets the programs that it needs. */
export class InstructionChecker {
  readonly #decodeLines: string;
  readonly #classifySites: string;

  constructor(folder: string) {
    this.#decodeLines = compile('decode-lines', folder, { parts: ['arch/x86_64/decode.c'] });
    this.#classifySites = compile('classify-sites', folder, {
      parts: ['rules.c', 'unwind.c', 'arch/x86_64/decode.c', 'arch/x86_64/patch_sites.c'],
    });
  }

  /** Whether there is a place in the file that the runner would redirect. */
  async redirects(file: string): Promise<boolean> {
    return redirectedOf(await classify([this.#classifySites], file)) > 0;
  }

  async check(file: string): Promise<InstructionReport> {
    const decisions = await classify([this.#classifySites], file);
    const sites = new Sites(decisions);
    const { instructions, lengths } =
      decisions.size === 0 ? NOTHING_READ : await this.#read(file, (instruction) => sites.note(instruction));
    return {
      instructions,
      candidates: decisions.size,
      redirected: redirectedOf(decisions),
      ...sites.judge(),
      lengths,
    };
  }

  /** Passes objdump's instructions to `note`, and compares their lengths with the runner's decoder. */
  async #read(
    file: string,
    note: (instruction: Instruction) => void,
  ): Promise<Pick<InstructionReport, 'instructions' | 'lengths'>> {
    const objdump = spawn('objdump', ['-d', '-w', file], { stdio: ['ignore', 'pipe', 'ignore'] });
    const decoder = spawn(this.#decodeLines, { stdio: ['pipe', 'pipe', 'inherit'] });
    const decoded = text(decoder.stdout);
    let instructions = 0;
    let lines = '';
    for await (const line of createInterface({ input: objdump.stdout })) {
      const instruction = parseInstruction(line);
      if (!instruction) continue;
      instructions++;
      note(instruction);
      if (isWhole(instruction)) lines += `${instruction.bytes}\t${instruction.text}\n`;
      if (lines.length < 1 << 16) continue;
      if (!decoder.stdin.write(lines)) await once(decoder.stdin, 'drain');
      lines = '';
    }
    decoder.stdin.end(lines);
    const examples = (await decoded).trimEnd().split('\n');
    const differ = Number(examples.pop()?.split(' ')[1]);
    return { instructions, lengths: { differ, examples } };
  }
}

const NOTHING_READ = { instructions: 0, lengths: { differ: 0, examples: [] } };

const redirectedOf = (decisions: ReadonlyMap<number, string>) =>
  [...decisions.values()].filter((decision) => decision !== 'skip').length;

/** fwait is an instruction of its own (SDM, volume 2, WAIT/FWAIT); a lone prefix and bad bytes are none. */
function isWhole({ bytes, text }: Instruction): boolean {
  if (bytes.startsWith('9b') || text.startsWith('.byte') || text.startsWith('rex') || text.includes('(bad)'))
    return false;
  return !/^(data16|cs|ds|es|ss|fs|gs|lock|repz?|repnz)$/.test(text.trim());
}

/** Collects what objdump says about the places that the runner has decided on. */
class Sites {
  readonly #decisions: ReadonlyMap<number, string>;
  /** All addresses of sites and of the bytes that would be moved. */
  readonly #watched = new Set<number>();
  readonly #starts = new Set<number>();
  readonly #targets = new Set<number>();
  /** Addresses of system calls, and the instruction before each. */
  readonly #calls = new Map<number, string>();
  #before = '';

  constructor(decisions: ReadonlyMap<number, string>) {
    this.#decisions = decisions;
    for (const [address, decision] of decisions) {
      for (let at = address - windowSize(decision); at <= address; at++) this.#watched.add(at);
    }
  }

  note({ address, text }: Instruction): void {
    if (this.#watched.has(address)) {
      this.#starts.add(address);
      if (text.startsWith('syscall')) this.#calls.set(address, this.#before);
    }
    if ('jclb'.includes(text[0] ?? ' ')) {
      const target = /^(?:bnd )?(?:j\w+|call\w*|loop\w*) +([0-9a-f]+)(?: |$)/.exec(text)?.[1];
      if (target !== undefined && this.#watched.has(Number.parseInt(target, 16))) {
        this.#targets.add(Number.parseInt(target, 16));
      }
    }
    this.#before = text;
  }

  judge(): Pick<InstructionReport, 'wrong' | 'missed'> {
    const wrong: string[] = [];
    const missed: string[] = [];
    for (const [address, decision] of this.#decisions) {
      const at = `${address.toString(16)}: ${decision}`;
      const before = this.#calls.get(address);
      if (before === undefined) {
        if (decision !== 'skip') wrong.push(`${at}: no system call`);
      } else if (decision === 'skip') {
        // With the number right before it, it is a call of no interest; a jump to it would bring another number.
        if (!/^(mov +\$0x[0-9a-f]+,%[er]ax|xor +%eax,%eax)/.test(before)) missed.push(`${at} behind ${before}`);
        else if (this.#targets.has(address)) wrong.push(`${at}: jumped to, with another number`);
      } else {
        wrong.push(...this.#problemsOfWindow(address, windowSize(decision)).map((problem) => `${at}: ${problem}`));
      }
    }
    return { wrong, missed };
  }

  #problemsOfWindow(address: number, size: number): string[] {
    if (size === 0) return [];
    const inside = Array.from({ length: size }, (_, i) => address - i);
    return [
      ...(this.#starts.has(address - size) ? [] : ['starts within an instruction']),
      ...inside.flatMap((at) => (this.#targets.has(at) ? [`jumped into at ${at.toString(16)}`] : [])),
    ];
  }
}

/** Bytes in front of the site that move: `window 5`; none for a trap. */
const windowSize = (decision: string) => Number(/^window (\d+)$/.exec(decision)?.[1] ?? 0);
