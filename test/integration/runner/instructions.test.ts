import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../support/inroot/compile.js';
import { classify, disassemble, jumpTargets } from '../../support/inroot/disassembly.js';
import { isInstalled } from '../../support/installed.js';
import { rootFileSystem, rootsMissing } from '../../support/roots/roots.js';
import { temporaryFolder } from '../../support/temporary.js';

const missing = rootsMissing ?? (isInstalled('objdump') ? undefined : 'needs the Debian package binutils');
const large = { encoding: 'utf8', maxBuffer: 1 << 30 } as const;

/** Every C library, and programs whose runtimes make system calls themselves. libcrypto has tables of numbers in its code. */
const FILES = [
  ['bullseye', 'lib/x86_64-linux-gnu/libc-2.31.so'],
  ['bullseye', 'lib/x86_64-linux-gnu/libpthread-2.31.so'],
  ['bullseye', 'usr/lib/x86_64-linux-gnu/libcrypto.so.1.1'],
  ['bookworm', 'usr/lib/x86_64-linux-gnu/libc.so.6'],
  ['bookworm', 'usr/lib/x86_64-linux-gnu/libcrypto.so.3'],
  ['bookworm', 'usr/bin/python3.11'],
  ['trixie', 'usr/lib/x86_64-linux-gnu/libc.so.6'],
  ['trixie', 'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2'],
  ['musl', 'lib/ld-musl-x86_64.so.1'],
  ['static', 'bin/busybox'],
  ['static', 'opt/t/gotest'],
  ['static', 'opt/t/probe'],
] as const;

describe.skipIf(missing)(`instructions of real programs${missing ? ` (${missing})` : ''}`, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let decodeLines: string;
  let classifySites: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    decodeLines = compile('decode-lines', folder.path, { parts: ['arch/x86_64/decode.c'] });
    classifySites = compile('classify-sites', folder.path, {
      parts: ['rules.c', 'unwind.c', 'arch/x86_64/decode.c', 'arch/x86_64/patch_sites.c'],
    });
    for (const root of new Set(FILES.map(([name]) => name))) await rootFileSystem(root);
    return () => folder[Symbol.asyncDispose]();
  }, 900_000);

  it.each(FILES)('are redirected where they are system calls, and nowhere else: %s %s', async (root, path) => {
    const file = join(await rootFileSystem(root), path);
    const instructions = disassemble(file);
    const starts = new Set(instructions.map(({ address }) => address));
    const targets = jumpTargets(instructions, /^(bnd )?(j|call|loop)/);
    const calls = new Map(
      instructions.flatMap((instruction, index) =>
        instruction.text.startsWith('syscall') ? [[instruction.address, instructions[index - 1]?.text ?? '']] : [],
      ) as [number, string][],
    );
    const decisions = classify([classifySites], file);

    const missed: string[] = [];
    for (const [address, decision] of decisions) {
      const at = `${address.toString(16)}: ${decision}`;
      const before = calls.get(address);
      if (before === undefined) {
        expect(decision, at).toBe('skip');
      } else if (decision === 'skip') {
        // With the number right before it, it is a call of no interest; a jump to it would bring another number.
        if (/^(mov +\$0x[0-9a-f]+,%[er]ax|xor +%eax,%eax)/.test(before)) expect(targets.has(address), at).toBe(false);
        else missed.push(`${at} behind ${before}`);
      } else if (decision.startsWith('window')) {
        const size = Number(decision.slice('window '.length));
        expect(starts.has(address - size), `${at}: starts within an instruction`).toBe(true);
        for (let inside = address - size + 1; inside <= address; inside++) {
          expect(targets.has(inside), `${at}: jumped into at ${inside.toString(16)}`).toBe(false);
        }
      }
    }
    // objdump's own mistakes in data; and raise() of glibc 2.31, where nothing but signal masks and numbers is at stake.
    expect(missed.length, missed.join('\n')).toBeLessThanOrEqual(2);
  });

  it.each(FILES.filter(([, path]) => !path.includes('libcrypto')))(
    'are as long as objdump says: %s %s',
    async (root, path) => {
      const file = join(await rootFileSystem(root), path);
      const input = disassemble(file)
        // fwait is an instruction of its own (SDM, volume 2, WAIT/FWAIT); a lone prefix and bad bytes are none.
        .filter(
          ({ bytes, text }) =>
            !bytes.startsWith('9b') &&
            !/\(bad\)|^\.byte|^rex|^(data16|cs|ds|es|ss|fs|gs|lock|repz?|repnz)$/.test(text.trim()),
        )
        .map(({ bytes, text }) => `${bytes}\t${text}\n`)
        .join('');
      const output = execFileSync(decodeLines, { ...large, input });
      expect(output.split('\n').slice(0, -2), output).toEqual([]);
      expect(Number(output.trim().split('\n').at(-1)?.split(' ')[0])).toBeGreaterThan(1_000);
    },
  );
});
