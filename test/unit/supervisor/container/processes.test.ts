import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { NewProcesses } from '../../../../supervisor/container/processes.js';

/** Processes that last for the test: a first one, and one that it has started. */
async function family() {
  const first = spawn('sh', ['-c', 'sleep 60 & echo; wait'], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  await once(first.stdout, 'data');
  const pid = first.pid as number;
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').map(Number);
  return { pid, child: child as number, [Symbol.dispose]: () => process.kill(-pid, 'SIGKILL') };
}

describe('NewProcesses', () => {
  const { now } = performance;
  afterEach(() => {
    performance.now = now;
  });

  it('tells those since, of a few and of many', async () => {
    performance.now = () => 0;
    using before = await family();
    const started = new NewProcesses();
    using after = await family();
    expect(started.since(after.pid)).toEqual(expect.arrayContaining([after.pid, after.child]));
    expect(started.since(after.pid)).not.toContain(before.child);
    for (let fork = 0; fork < 20; fork++) spawnSync('true');
    using late = await family();
    const since = started.since(after.pid);
    expect(since).toEqual(expect.arrayContaining([after.pid, after.child, late.pid, late.child]));
    expect(since).not.toContain(before.child);
  });

  it('tells all where the numbers of processes may have begun anew', async () => {
    using before = await family();
    const started = new NewProcesses();
    performance.now = () => now.call(performance) + 86_400_000;
    expect(started.since(process.pid)).toContain(before.child);
  });
});
