import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../support/inroot/compile.js';
import { classify, disassemble, type Instruction, jumpTargets } from '../../support/inroot/disassembly.js';
import { kernelNumbers, tableRows } from '../../support/inroot/syscalls.js';
import { arm64RootsMissing as missing, rootFileSystem } from '../../support/roots/roots.js';
import { temporaryFolder } from '../../support/temporary.js';

/** Every C library, and programs whose runtimes make system calls themselves. */
const FILES = [
  ['bookworm-arm64', 'usr/lib/aarch64-linux-gnu/libc.so.6'],
  ['bookworm-arm64', 'usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1'],
  ['bookworm-arm64', 'usr/lib/aarch64-linux-gnu/libcrypto.so.3'],
  ['bookworm-arm64', 'usr/bin/python3.11'],
  ['musl-arm64', 'lib/ld-musl-aarch64.so.1'],
  ['static-arm64', 'bin/busybox'],
  ['static-arm64', 'opt/t/gotest'],
  ['static-arm64', 'opt/t/probe'],
] as const;

/** What cannot be moved: it goes elsewhere, says where it is, or may be where an indirect jump lands. */
const UNMOVABLE =
  /^(b|bl|br|blr|ret|b\.\w+|cbn?z|tbn?z|adrp?|svc|brk|udf|nop|hint|bti|pac\w+|aut\w+|m[rs]{2}|dmb|dsb|isb)\b|^ldr.*<|^\./;

/** The number that the instructions before a call put into x8, if they say so within a few. */
function numberBefore(instructions: readonly Instruction[], call: number): number | undefined {
  for (let index = call - 1; index >= call - 8; index--) {
    const text = instructions[index]?.text ?? '';
    const number = /^mov\t[wx]8, #0x([0-9a-f]+)/.exec(text)?.[1];
    if (number !== undefined) return Number.parseInt(number, 16);
    if (/\b[wx]8\b/.test(text) || UNMOVABLE.test(text)) return undefined;
  }
  return undefined;
}

describe.skipIf(missing)(`instructions of real programs for arm64${missing ? ` (${missing})` : ''}`, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let classifySites: string;
  let wanted: Set<number | undefined>;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const parts = ['rules.c', 'unwind.c', 'arch/aarch64/patch_sites.c'];
    classifySites = compile('classify-sites', folder.path, { parts, machine: 'aarch64' });
    const numbers = kernelNumbers('aarch64-linux-gnu-gcc');
    wanted = new Set(tableRows.map(({ name }) => numbers.get(name)));
    for (const root of new Set(FILES.map(([name]) => name))) await rootFileSystem(root);
    return () => folder[Symbol.asyncDispose]();
  }, 1_800_000);

  it.each(FILES)('are redirected where they are system calls, and nowhere else: %s %s', async (root, path) => {
    const file = join(await rootFileSystem(root), path);
    const instructions = await disassemble(file, 'aarch64-linux-gnu-objdump');
    expect(instructions.length).toBeGreaterThan(10_000);
    const targets = jumpTargets(instructions, /^(b|bl|b\.\w+|cbn?z|tbn?z)\t/);
    const decisions = await classify(['qemu-aarch64-static', classifySites], file);

    for (const [index, { address, text }] of instructions.entries()) {
      if (!/^svc\t#0x0$/.test(text)) continue;
      const decision = decisions.get(address);
      decisions.delete(address);
      const before = instructions[index - 1]?.text ?? '';
      const at = `${address.toString(16)}: ${decision} behind ${before}`;
      const number = numberBefore(instructions, index);
      if (decision === 'skip') {
        // A call of no interest, unless something jumps to where it would have another number.
        expect(number, at).toBeDefined();
        expect(wanted.has(number), at).toBe(false);
        expect(targets.has(address), at).toBe(false);
      } else {
        const moved = !UNMOVABLE.test(before) && !targets.has(address);
        expect(decision, at).toBe(moved ? 'window 4' : 'trap');
      }
    }
    expect([...decisions].filter(([, decision]) => decision !== 'skip')).toEqual([]);
  });
});
