import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Entry, Journal } from '../../../../src/local/services/s3/journal.js';
import { temporaryFolder } from '../../../support/temporary.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let path: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  path = join(folder.path, 'journal');
});

afterEach(() => folder[Symbol.asyncDispose]());

async function reopen(): Promise<{ journal: Journal; entries: Entry[] }> {
  const entries: Entry[] = [];
  return { journal: await Journal.open(path, (entry) => void entries.push(entry)), entries };
}

const entry = (index: number): Entry => ['put', `key ${index}\n`, { size: index }];

describe('journal', () => {
  it('gives back what was appended', async () => {
    const first = await reopen();
    first.journal.append([entry(1), entry(2)]);
    first.journal.append([entry(3)]);
    first.journal.close();
    const second = await reopen();
    expect(second.entries).toEqual([entry(1), entry(2), entry(3)]);
    expect(second.journal.entries).toBe(3);
    second.journal.close();
  });

  it('cuts off a last line that is torn, at every byte', async () => {
    const { journal } = await reopen();
    journal.append([entry(1), entry(2)]);
    journal.close();
    const whole = readFileSync(path);
    const firstLine = whole.indexOf('\n') + 1;
    for (let length = firstLine; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      const torn = await reopen();
      expect(torn.entries).toEqual([entry(1)]);
      torn.journal.append([entry(3)]);
      torn.journal.close();
      const after = await reopen();
      expect(after.entries).toEqual([entry(1), entry(3)]);
      after.journal.close();
    }
  });

  it('does not take damage for the end', async () => {
    const { journal } = await reopen();
    journal.append([entry(1)]);
    journal.close();
    appendFileSync(path, '["put", "broken\n["put","key",{}]\n');
    await expect(reopen()).rejects.toThrow(/is damaged: line 2/);
  });

  it('reads lines that are longer than what it reads at once', async () => {
    const { journal } = await reopen();
    const long: Entry = ['put', 'x'.repeat(9_000_000)];
    journal.append([entry(1), long, entry(2)]);
    journal.close();
    const again = await reopen();
    expect(again.entries).toEqual([entry(1), long, entry(2)]);
    again.journal.close();
  });

  it('is rewritten while it grows', async () => {
    const { journal } = await reopen();
    for (let index = 0; index < 5000; index++) journal.append([entry(index)]);
    const rewriting = journal.rewrite(Array.from({ length: 2500 }, (_, index) => entry(index)));
    journal.append([['delete', 'during 1']]);
    await new Promise(setImmediate);
    journal.append([['delete', 'during 2']]);
    await rewriting;
    journal.append([['delete', 'after']]);
    expect(journal.entries).toBe(2503);
    journal.close();
    const { entries, journal: again } = await reopen();
    expect(entries).toHaveLength(2503);
    expect(entries.slice(2499)).toEqual([
      entry(2499),
      ['delete', 'during 1'],
      ['delete', 'during 2'],
      ['delete', 'after'],
    ]);
    again.close();
  });

  it('stays as it was when it cannot be rewritten', async () => {
    const { journal } = await reopen();
    journal.append([entry(1)]);
    const failing = (function* (): Generator<Entry> {
      yield entry(2);
      throw new Error('no');
    })();
    await expect(journal.rewrite(failing)).rejects.toThrow('no');
    journal.append([entry(3)]);
    journal.close();
    const { entries, journal: again } = await reopen();
    expect(entries).toEqual([entry(1), entry(3)]);
    again.close();
  });
});
