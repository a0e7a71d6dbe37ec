import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runnerSources } from './compile.js';

/** The rows of the runner's table of system calls, in all its parts. */
export const tableRows = ['syscalls.def', 'arch/x86_64/syscalls_arch.def', 'arch/aarch64/syscalls_arch.def'].flatMap(
  (part) => {
    const text = readFileSync(join(runnerSources, part), 'utf8');
    return [...text.matchAll(/^CALL\((\w+),\s*(\w+)/gm)].map(([, name = '', handler = '']) => ({ name, handler }));
  },
);

/** Numbers by name, of the kernel's own header for the compiler's machine. */
export function kernelNumbers(compiler = 'gcc'): Map<string, number> {
  const header = execFileSync(compiler, ['-E', '-dM', '-include', 'asm/unistd.h', '-x', 'c', '/dev/null'], {
    encoding: 'utf8',
  });
  // A few are defined by others: `#define __NR_mmap __NR3264_mmap`.
  const defined = new Map(
    [...header.matchAll(/^#define (__NR\w+) (\w+)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
  return new Map(
    [...defined].flatMap(([name, value]) => {
      const number = Number(defined.get(value) ?? value);
      return name.startsWith('__NR_') && number >= 0 ? [[name.slice('__NR_'.length), number] as const] : [];
    }),
  );
}
