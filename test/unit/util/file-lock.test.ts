import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withFileLock } from '../../../src/util/file-lock.js';
import { isProcessAlive, processIdentity } from '../../../src/util/process-identity.js';
import { sleep } from '../../../src/util/sleep.js';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'scar-lock-'));
  file = join(folder, 'lock');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('processIdentity', () => {
  it('tells a running process from one that has ended, and from a later one with its pid', async () => {
    const child = spawn('sleep', ['60']);
    const identity = processIdentity(child.pid);
    expect(isProcessAlive(identity)).toBe(true);
    expect(isProcessAlive(`${child.pid}-1`)).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isProcessAlive(identity)).toBe(false);
  });

  it('takes nothing else for an identity', () => {
    expect(isProcessAlive('../../etc')).toBe(false);
    expect(isProcessAlive('')).toBe(false);
  });
});

describe('withFileLock', () => {
  it('lets one in at a time, and leaves nothing behind', async () => {
    let inside = 0;
    let most = 0;
    const enter = () =>
      withFileLock(file, async () => {
        most = Math.max(most, ++inside);
        await sleep(5);
        inside--;
      });
    await Promise.all([enter(), enter(), enter()]);
    expect(most).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('takes over the lock of a process that was killed', async () => {
    writeFileSync(file, '4194304-1');
    expect(await withFileLock(file, async () => 'in')).toBe('in');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('waits for a living holder until the signal aborts, and throws its reason', async () => {
    writeFileSync(file, processIdentity());
    const reason = new Error('no more time');
    const controller = new AbortController();
    const waiting = withFileLock(file, async () => 'in', controller.signal);
    setTimeout(() => controller.abort(reason), 30);
    await expect(waiting).rejects.toBe(reason);
    expect(readdirSync(folder)).toEqual(['lock']);
  });

  it('is released when the action fails', async () => {
    await expect(withFileLock(file, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await withFileLock(file, async () => 'in')).toBe('in');
  });
});
