import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile, runnerSources } from '../../support/inroot/compile.js';
import { callsWithoutPaths, kernelNumbers, tableRows } from '../../support/inroot/syscalls.js';
import { isInstalled } from '../../support/installed.js';
import { temporaryFolder } from '../../support/temporary.js';

const missing = ['gcc', 'strace'].every(isInstalled) ? undefined : 'needs the Debian packages gcc and strace';

const COMPILERS = ['gcc', 'aarch64-linux-gnu-gcc'].filter(isInstalled);

/** Names in the headers that are no calls: how many there are, and where an architecture's own begin. */
const NO_CALLS = ['syscalls', 'arch_specific_syscall'];

const names = new Set(tableRows.map(({ name }) => name));

describe.skipIf(missing)(`the table of system calls${missing ? ` (${missing})` : ''}`, () => {
  it('has each call once', () => expect(tableRows.length).toBe(names.size));

  it('knows only calls that the kernel has, or that are newer than its headers', () => {
    const known = kernelNumbers();
    const newer = ['fchmodat2', 'setxattrat', 'getxattrat', 'listxattrat', 'removexattrat'];
    newer.push('open_tree_attr', 'file_getattr', 'file_setattr');
    expect([...names].filter((name) => !known.has(name) && !newer.includes(name))).toEqual([]);
    const size = Number(/SYSCALL_TABLE_SIZE (\d+)/.exec(readFileSync(join(runnerSources, 'layout.h'), 'utf8'))?.[1]);
    expect(size).toBeGreaterThan(Math.max(...known.values()));
  });

  it.each(COMPILERS)('decides on every call in the kernel headers of %s', (compiler) => {
    const decided = (name: string) => names.has(name) || callsWithoutPaths.has(name);
    expect([...kernelNumbers(compiler).keys()].filter((name) => !NO_CALLS.includes(name) && !decided(name))).toEqual(
      [],
    );
    expect([...names].filter((name) => callsWithoutPaths.has(name))).toEqual([]);
  });

  it('decides on every call that takes a path, by the judgement of strace', async () => {
    await using folder = await temporaryFolder();
    const log = join(folder.path, 'log');
    const program = compile('all-calls', folder.path);
    execFileSync('strace', ['-o', log, '-e', 'trace=%file', program]);
    // strace prints what it does not know, too, as `syscall_0x1c3`.
    const calls = readFileSync(log, 'utf8').match(/^(?!syscall_)\w+(?=\()/gm) ?? [];
    expect(calls.length).toBeGreaterThan(60);
    const undecided = new Set(calls.filter((name) => !names.has(alias(name))));
    expect([...undecided]).toEqual([]);
  });
});

/** strace's own name for a call, where it is not the kernel's. */
function alias(name: string): string {
  return name === 'umount' ? 'umount2' : name;
}
