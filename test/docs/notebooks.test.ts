import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeTree } from '../../src/util/remove-tree.js';
import { busyboxLayout, busyboxMissing } from '../support/busybox.js';
import { processesBelow } from '../support/leftovers.js';
import { Notebook, notebookMissing } from '../support/notebook.js';
import { installPacked } from '../support/packed-package.js';

/** A block that is marked `ts cell` is a cell; a block `text output` right after it is what it prints. */
const marked = /^```ts cell\n(?<code>[\s\S]*?)^```\n(?:\s*^```text output\n(?<output>[\s\S]*?)^```$)?/gm;
const guide = readFileSync(resolve(import.meta.dirname, '../../docs/guides/notebooks.md'), 'utf8');

const missing = busyboxMissing ?? notebookMissing;
describe.skipIf(missing)(`a notebook, in tslab (${missing ?? 'by the protocol of Jupyter'})`, () => {
  let folder: string;
  let image: string;
  let notebook: Notebook;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'scar-notebook-'));
    image = await busyboxLayout(join(folder, 'image'));
    mkdirSync(join(folder, 'tmp'));
    notebook = await Notebook.open(installPacked(folder).project, { TMPDIR: join(folder, 'tmp') });
  });
  afterAll(async () => {
    await notebook?.[Symbol.asyncDispose]();
    await removeTree(folder);
  });

  it('runs the cells of the guide', async () => {
    const cells = [...guide.matchAll(marked)];
    expect(cells.length).toBeGreaterThan(3);
    const displays: Record<string, string>[] = [];
    for (const { groups } of cells) {
      const output = await notebook.run((groups?.code ?? '').replaceAll('docker.io/library/debian:12', image));
      expect(output).toMatchObject({ status: 'ok', stdout: groups?.output ?? '', stderr: '' });
      displays.push(...output.displays);
    }
    expect(displays.at(-1)?.['text/plain']).toMatch(/^4\/4 · 2 failed · 6 B · \$0\.0000\d+$/);
  });

  it('knows the types, and prints errors', async () => {
    const wrong = await notebook.run(`scar.mapOverBucket('halve', { buckets: 'numbers' });`);
    expect(wrong).toMatchObject({ status: 'error', stderr: expect.stringContaining('buckets') });
    const closed = await notebook.run(`const never = await scar.invoke('halve');`);
    expect(closed).toMatchObject({ status: 'error', stderr: expect.stringContaining('closed') });
  });

  it('goes on with a run when its cell is interrupted, until it is cancelled; a restart leaves nothing', async () => {
    const prepare = `const other = await ScarClient.local();
      await other.s3.send(new CreateBucketCommand({ Bucket: 'slow' }));
      for (const key of ['a', 'b', 'c', 'd']) await other.s3.send(new PutObjectCommand({ Bucket: 'slow', Key: key, Body: key }));
      const nap = await other.createFunction({ name: 'nap', image: '${image}', script: { inline: 'sleep 1' } });
      const naps = other.mapOverBucket('nap', { bucket: 'slow', concurrency: 1 });`;
    expect(await notebook.run(prepare)).toMatchObject({ status: 'ok', stderr: '' });
    const waiting = notebook.run('const count = await naps.reduce((sum) => sum + 1, 0);');
    const environments = () => processesBelow(folder).filter((command) => command.includes('node-runtime'));
    await expect.poll(environments, { timeout: 20_000 }).toHaveLength(1);
    notebook.interrupt();
    expect(await waiting).toMatchObject({ status: 'error', stderr: expect.stringContaining('Interrupted') });
    expect(await notebook.run('naps.summary.complete;')).toMatchObject({ stdout: 'false\n' });
    const { stdout } = await notebook.run(
      'await naps.cancel(); naps.summary.listed > 0 && naps.summary.cancelled > 0;',
    );
    expect(stdout).toBe('true\n');
    await notebook[Symbol.asyncDispose]();
    await expect.poll(() => processesBelow(folder), { timeout: 20_000 }).toEqual([]);
    expect(readdirSync(join(folder, 'tmp'))).toEqual([]);
  });
});
