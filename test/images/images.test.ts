import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elfFiles } from '../support/elf-files.js';
import { inroot } from '../support/inroot/inroot.js';
import { InstructionChecker } from '../support/inroot/instructions.js';
import { isInstalled } from '../support/installed.js';
import { JAIL_USER, jailMissing } from '../support/jail/jail.js';
import { rootsMissing } from '../support/roots/roots.js';
import { temporaryFolder } from '../support/temporary.js';
import { imageRoot } from './images.js';
import { checkPaths, TRACED } from './leaks.js';
import { rows } from './rows.js';
import { makeBinds, runJailed, runTraced } from './run.js';
import { type CodeResult, type RowResult, table } from './table.js';

const tools = ['strace', 'setpriv', 'objdump'].every(isInstalled) ? undefined : 'needs strace and binutils';
const missing = jailMissing ?? rootsMissing ?? tools;
const document = resolve(import.meta.dirname, '../../docs/image-table.md');
const images = [...new Set(rows.map(({ image }) => image))];

const rowResults: RowResult[] = [];
const codeResults: CodeResult[] = [];

describe.skipIf(missing)(`images of all kinds${missing ? ` (${missing})` : ''}`, () => {
  // Only a whole run makes a table.
  afterAll(() => {
    if (rowResults.length === rows.length && codeResults.length === images.length) {
      writeFileSync(document, table(rowResults, codeResults));
    }
  });

  it.each(rows)('$name', async (row) => {
    const result: RowResult = { row, passed: false, paths: 0, outside: [] };
    rowResults.push(result);
    const root = await imageRoot(row.image);
    await using scratch = await temporaryFolder();
    const [jailed, traced] = ['jailed', 'traced'].map((name) => join(scratch.path, name)) as [string, string];
    for (const folder of [scratch.path, jailed, traced]) {
      mkdirSync(folder, { recursive: true });
      await chown(folder, JAIL_USER.uid, JAIL_USER.gid);
    }
    const end = await runJailed(row, root, jailed);
    expect(end, 'in the jail').toMatchObject({ code: 0 });

    const binds = await makeBinds(traced, row);
    const log = join(scratch.path, 'trace');
    expect(await runTraced(root, binds, log, TRACED), 'under strace').toMatchObject({ code: 0 });
    Object.assign(result, await checkPaths(log, inroot(), [root, '/etc/hosts', ...Object.values(binds)]));
    expect(result.paths).toBeGreaterThan(100);
    expect(result.outside).toEqual([]);
    result.passed = true;
  });

  describe('code', () => {
    let checker: InstructionChecker;
    const seen = new Set<string>();

    beforeAll(async () => {
      const folder = await temporaryFolder();
      checker = new InstructionChecker(folder.path);
      return () => folder[Symbol.asyncDispose]();
    });

    it.each(images)('%s', async (image) => {
      const root = await imageRoot(image);
      const counts = { files: 0, instructions: 0, candidates: 0, redirected: 0 };
      const result: CodeResult = { image, root, ...counts, wrong: [], missed: [] };
      for (const file of elfFiles(root)) {
        const digest = createHash('sha256').update(readFileSync(file)).digest('hex');
        if (seen.has(digest)) continue; // the same library in another image
        seen.add(digest);
        const report = await checker.check(file);
        const name = file.slice(root.length);
        result.files++;
        result.instructions += report.instructions;
        result.candidates += report.candidates;
        result.redirected += report.redirected;
        result.wrong.push(...report.wrong.map((problem) => `${name} ${problem}`));
        result.missed.push(...report.missed.map((problem) => `${name} ${problem}`));
      }
      codeResults.push(result);
      expect(result.wrong).toEqual([]);
    });
  });
});
