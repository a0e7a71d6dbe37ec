import { createHash } from 'node:crypto';
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elfFiles } from '../support/elf.js';
import { inroot } from '../support/inroot/inroot.js';
import { InstructionChecker } from '../support/inroot/instructions.js';
import { isInstalled } from '../support/installed.js';
import { JAIL_USER, jailMissing } from '../support/jail/jail.js';
import { rootsMissing } from '../support/roots/roots.js';
import { temporaryFolder } from '../support/temporary.js';
import { imageRoot } from './images.js';
import { checkPaths, TRACED } from './leaks.js';
import { rows } from './rows.js';
import { type Ended, makeBinds, runJailed, runTraced } from './run.js';
import { type CodeResult, type RowResult, rootFacts, table } from './table.js';

const tools = ['strace', 'setpriv', 'objdump'].every(isInstalled) ? undefined : 'needs strace and binutils';
const missing = jailMissing ?? rootsMissing ?? tools;
const document = resolve(import.meta.dirname, '../../docs/image-table.md');
const images = [...new Set(rows.map(({ image }) => image))];

const rowResults: RowResult[] = [];
const codeResults: CodeResult[] = [];
/** Digests of files: many a library is in several images. */
const seen = new Set<string>();
let checker: InstructionChecker;

describe.skipIf(missing)(`images of all kinds${missing ? ` (${missing})` : ''}`, () => {
  beforeAll(async () => {
    const folder = await temporaryFolder();
    checker = new InstructionChecker(folder.path);
    return () => folder[Symbol.asyncDispose]();
  });
  // Only a whole run makes a table.
  afterAll(() => {
    if (rowResults.length === rows.length && codeResults.length === images.length) {
      writeFileSync(document, table(rowResults, codeResults));
    }
  });

  describe.each(images)('%s', (image) => {
    let root: Awaited<ReturnType<typeof imageRoot>>;

    beforeAll(async () => {
      root = await imageRoot(image);
      return () => root[Symbol.asyncDispose]();
    });

    it.each(rows.filter((row) => row.image === image))('runs $name', async (row) => {
      const result: RowResult = { row, passed: false, paths: 0, outside: [] };
      rowResults.push(result);
      await using scratch = await temporaryFolder();
      const jail = join(scratch.path, 'jail');
      mkdirSync(jail);
      for (const folder of [scratch.path, jail]) chownSync(folder, JAIL_USER.uid, JAIL_USER.gid);
      expectSuccess(await runJailed(row, root.path, jail), 'in the jail');

      const binds = await makeBinds(join(scratch.path, 'traced'), row);
      const log = join(scratch.path, 'log');
      expectSuccess(await runTraced(root.path, binds, log, TRACED), 'under strace');
      Object.assign(result, await checkPaths(log, inroot(), [root.path, '/etc/hosts', ...Object.values(binds)]));
      expect(result.paths).toBeGreaterThan(100);
      expect(result.outside).toEqual([]);
      result.passed = true;
    });

    it('has code that is read as objdump reads it', async () => {
      const counts = { files: 0, instructions: 0, candidates: 0, redirected: 0, otherLengths: 0 };
      const result: CodeResult = { image, ...rootFacts(root.path), ...counts, wrong: [], missed: [] };
      for (const file of elfFiles(root.path)) {
        const digest = createHash('sha256').update(readFileSync(file)).digest('hex');
        if (seen.has(digest)) continue;
        seen.add(digest);
        const report = await checker.check(file);
        const named = (problem: string) => `${file.slice(root.path.length)} ${problem}`;
        result.files++;
        result.instructions += report.instructions;
        result.candidates += report.candidates;
        result.redirected += report.redirected;
        result.otherLengths += report.lengths.differ;
        result.wrong.push(...report.wrong.map(named));
        result.missed.push(...report.missed.map(named));
      }
      codeResults.push(result);
      expect(result.wrong).toEqual([]);
    });
  });
});

function expectSuccess({ code, signal, output }: Ended, where: string): void {
  expect({ code, signal }, `${where}:\n${output.slice(-4_000)}`).toEqual({ code: 0, signal: null });
}
