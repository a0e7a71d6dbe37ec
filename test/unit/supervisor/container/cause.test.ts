import { describe, expect, it } from 'vitest';
import { causeOfEnd, type EndFacts } from '../../../../supervisor/container/cause.js';

const tail = (text: string) => ({ text, bytes: text.length });

function cause(facts: Partial<EndFacts>) {
  return causeOfEnd({
    program: '/bin/prog',
    exitCode: null,
    signal: null,
    stdout: tail(''),
    stderr: tail(''),
    ranOutOfMemory: false,
    memoryBytes: 512 * 2 ** 20,
    peakBytes: 0,
    freeBytes: 2 ** 30,
    ...facts,
  });
}

describe('causeOfEnd', () => {
  it('is nothing after exit code 0, even on a full disk', () => {
    expect(cause({ exitCode: 0, freeBytes: 0 })).toBeUndefined();
  });

  it.each([
    ['exit', { exitCode: 3 }, 'exit code 3'],
    ['exit', { exitCode: 127, stderr: tail('sh: nope: not found\n') }, 'exit code 127'],
    ['exit', { exitCode: 126, stderr: tail('inroot: a\nand a second line\n') }, 'exit code 126'],
    ['exit', { exitCode: 127, stdout: tail('x'), stderr: tail('inroot: not by the runner\n') }, 'exit code 127'],
    ['exit', { exitCode: 1, stderr: tail('inroot: x\n') }, 'exit code 1'],
    ['not-started', { exitCode: 127, stderr: tail('inroot: nope: not found\n') }, 'nope: not found'],
    ['not-started', { exitCode: 126, stderr: tail('inroot: /x: not executable\n') }, 'cannot be executed'],
    ['signal', { signal: 'SIGSEGV' as const }, 'SIGSEGV'],
    ['signal', { signal: 'SIGKILL' as const }, 'perhaps the memory'],
    ['exit', { exitCode: 137 }, 'a program that it ran was killed. Nothing here sent it: perhaps the memory'],
    ['out-of-memory', { signal: 'SIGKILL' as const, ranOutOfMemory: true, peakBytes: 500 * 2 ** 20 }, '500.0 MiB'],
    ['out-of-memory', { exitCode: 137, ranOutOfMemory: true }, '512.0 MiB of memory'],
    ['exit', { exitCode: 1, ranOutOfMemory: true }, 'exit code 1'],
    ['no-space', { exitCode: 1, stderr: tail('cp: write error: No space left on device\n') }, 'exit code 1'],
    ['no-space', { signal: 'SIGBUS' as const, freeBytes: 4096 }, 'SIGBUS'],
  ])('%s: %j', (reason, facts, hint) => {
    expect(cause(facts)).toMatchObject({ reason, message: expect.stringContaining(hint) });
  });
});
