import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { missingPackage } from '../../support/built-package.js';
import { busyboxLayout, busyboxMissing } from '../../support/busybox.js';
import { processesBelow } from '../../support/leftovers.js';
import { type Program, startProgram } from '../../support/program.js';
import { startScarLocal } from '../../support/scar-local.js';
import { temporaryFolder } from '../../support/temporary.js';

const missing = missingPackage ?? busyboxMissing;

describe.skipIf(missing)("a user's program", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  /** Its TMPDIR. */
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>;
  let image: string;
  let program: Program | undefined;

  beforeEach(async () => {
    folder = await temporaryFolder('scar-image-');
    temporary = await temporaryFolder('scar-program-');
    image = await busyboxLayout(folder.path);
  });
  afterEach(async () => {
    program?.process.kill('SIGKILL');
    program = undefined;
    await temporary[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  /** The processes of containers are there, so that it means something when they are gone. */
  async function containersRun(): Promise<void> {
    await expect
      .poll(() => processesBelow(temporary.path).filter((line) => line.includes('sleep 3333')).length, {
        timeout: 20_000,
      })
      .toBeGreaterThanOrEqual(4);
  }

  /** What is left of it: the guard, which outlives the program, has a moment. */
  async function nothingIsLeft(): Promise<void> {
    await expect.poll(() => processesBelow(temporary.path), { timeout: 10_000, message: 'processes' }).toEqual([]);
    await expect.poll(() => readdirSync(temporary.path), { timeout: 10_000, message: 'temporary files' }).toEqual([]);
  }

  it.each(['SIGINT', 'SIGKILL'] as const)(
    '%s in the middle of a map leaves no process and no temporary folder',
    async (signal) => {
      program = startProgram('map-for-ever.mjs', temporary.path, [image]);
      await program.said('mapping');
      await containersRun();
      program.process.kill(signal);
      expect(await program.ended).toMatchObject({ code: null, signal });
      await nothingIsLeft();
    },
  );

  it('SIGINT to a program that then closes its client: the map is aborted, and the program ends by itself', async () => {
    program = startProgram('map-for-ever.mjs', temporary.path, [image, 'closing']);
    await program.said('mapping');
    await containersRun();
    program.process.kill('SIGINT');
    const { code, signal, stderr } = await program.ended;
    expect({ code, signal }).toEqual({ code: 1, signal: null });
    expect(stderr).toMatch(/aborted/);
    await nothingIsLeft();
  });

  it('gives the same results on the embedded engine and on scar-local, and ends by itself', async () => {
    program = startProgram('same-everywhere.mjs', temporary.path, [image]);
    const here = await program.ended;
    expect(here).toMatchObject({ code: 0, stderr: '' });
    await nothingIsLeft();

    const local = await startScarLocal(['--port', '0'], { ...process.env, TMPDIR: temporary.path });
    try {
      const { endpoint, region, accessKeyId, secretAccessKey } = JSON.parse(local.line);
      const credentials = { accessKeyId, secretAccessKey };
      const options = { endpoint, region, credentials, roleArn: 'arn:aws:iam::000000000000:role/scar-local' };
      program = startProgram('same-everywhere.mjs', temporary.path, [image, JSON.stringify(options)]);
      const there = await program.ended;
      expect(there).toMatchObject({ code: 0, stderr: '' });
      expect(JSON.parse(there.stdout)).toEqual(JSON.parse(here.stdout));
    } finally {
      await local.stop();
    }
    await nothingIsLeft();
    const { items, output, direct } = JSON.parse(here.stdout);
    expect(output).toBe('two\n3\n');
    expect(direct).toEqual({ status: 'succeeded', stdout: { text: 'direct\n', bytes: 7 } });
    expect(items).toMatchObject([
      { key: 'input/fails.txt', status: 'failed', reason: 'exit', exitCode: 7, stderr: { text: 'no fails.txt\n' } },
      { key: 'input/one.txt', status: 'succeeded', outputs: [{ key: 'output/one.txt', bytes: 6 }] },
      { key: 'input/three.txt', status: 'succeeded' },
      { key: 'input/two.txt', status: 'succeeded', stdout: { text: 'working on two.txt\n' } },
    ]);
  });
});
