import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { watchMemory } from '../../../../supervisor/container/memory.js';
import { ContainerProcesses } from '../../../../supervisor/container/processes.js';
import { temporaryFolder } from '../../../support/temporary.js';

const none = new ContainerProcesses(() => false);
const LITTLE = 1;
const PLENTY = Number.MAX_SAFE_INTEGER;

/** Whether memory ran out for a watch that sees these counters, while something happens. */
function ranOut(limitBytes: number | undefined, counters: string[], meanwhile = () => {}): boolean {
  const watch = watchMemory(none, limitBytes, counters);
  try {
    meanwhile();
    return watch.ranOut();
  } finally {
    watch.stop();
  }
}

describe('watchMemory', () => {
  it('takes a kill that is counted for evidence, however little memory was seen', async () => {
    await using folder = await temporaryFolder();
    const [first, second] = [join(folder.path, 'first'), join(folder.path, 'second')];
    const count = (file: string, kills: number) =>
      writeFileSync(file, `oom ${kills + 1}\noom_kill ${kills}\noom_group_kill 9\n`);
    count(first, 0);
    count(second, 9);
    expect(ranOut(PLENTY, [first, second], () => count(second, 10))).toBe(true);
    expect(ranOut(PLENTY, [join(folder.path, 'missing'), first], () => count(first, 1))).toBe(true);
    expect(ranOut(PLENTY, [first, second], () => count(second, 10))).toBe(false);
  });

  it('does not guess where the kernel counts', () => {
    expect(ranOut(LITTLE, ['/proc/vmstat'])).toBe(false);
  });

  it('goes by the memory that was seen where nobody counts', () => {
    expect(ranOut(LITTLE, ['/missing', '/proc/version'])).toBe(true);
    expect(ranOut(PLENTY, ['/missing'])).toBe(false);
    expect(ranOut(undefined, [])).toBe(false);
  });
});
