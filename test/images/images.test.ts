import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elfFiles } from '../support/elf.js';
import { emulatorMissing } from '../support/emulator/emulator.js';
import { FunctionBench, supervisorMissing } from '../support/function-bench.js';
import { InstructionChecker } from '../support/inroot/instructions.js';
import { isInstalled } from '../support/installed.js';
import { jailMissing } from '../support/jail/jail.js';
import { arm64RootsMissing, rootsMissing } from '../support/roots/roots.js';
import { temporaryFolder } from '../support/temporary.js';
import { readTree } from '../support/tree.js';
import { architectureOf, type ImageName } from './images.js';
import { rows } from './rows.js';
import { checkRow, type ImageFunction, runRow, startJailed, startTraced } from './run.js';
import { type CodeResult, type ImageResult, imageFacts, type RowResult, table } from './table.js';

const tools = ['strace', 'setpriv', 'objdump'].every(isInstalled) ? undefined : 'needs strace and binutils';
const missing = jailMissing ?? rootsMissing ?? tools ?? supervisorMissing;
const arm64Missing = missing ?? arm64RootsMissing ?? emulatorMissing;
const missingFor = (image: ImageName) => (architectureOf(image) === 'arm64' ? arm64Missing : missing);

const document = resolve(import.meta.dirname, '../../docs/image-table.md');
const images = [...new Set(rows.map(({ image }) => image))];

const rowResults: RowResult[] = rows.map((row) => ({ row, runs: false, paths: undefined, outside: [] }));
const imageResults: ImageResult[] = [];
const codeResults: CodeResult[] = [];
/** Digests of files: many a library is in several images. */
const seen = new Set<string>();
let checker: InstructionChecker;

beforeAll(async () => {
  const folder = await temporaryFolder();
  if (!missing) checker = new InstructionChecker(folder.path);
  return () => folder[Symbol.asyncDispose]();
});

// Only a whole run makes a table.
afterAll(() => {
  if (rowResults.every(({ paths }) => paths !== undefined) && imageResults.length === images.length) {
    writeFileSync(document, table(rowResults, imageResults, codeResults));
  }
});

describe.each(images)('%s', (image) => {
  describe.skipIf(missingFor(image))(missingFor(image) ?? 'in the jail', () => {
    const results = rowResults.filter(({ row }) => row.image === image);
    let bench: FunctionBench;
    let jailed: ImageFunction;
    let before: ReturnType<typeof readTree>;

    beforeAll(async () => {
      bench = await FunctionBench.open();
      jailed = await startJailed(bench, image);
      before = readTree(jailed.rootfs);
      return () => bench[Symbol.asyncDispose]();
    });

    it.each(results)('runs $row.name', async (result) => {
      await runRow(jailed, result.row);
      result.runs = true;
    });

    it('is as it was', () => {
      const after = readTree(jailed.rootfs);
      const paths = [...new Set([...before.keys(), ...after.keys()])];
      expect(paths.filter((path) => !isDeepStrictEqual(before.get(path), after.get(path)))).toEqual([]);
      imageResults.push({ image, files: paths.length, ...imageFacts(jailed.rootfs) });
    });

    describe('under strace', () => {
      let traced: Awaited<ReturnType<typeof startTraced>>;

      beforeAll(async () => {
        await jailed.environment.kill();
        traced = await startTraced(bench, image, jailed.environment.tmp, join(bench.folder, 'log'));
        await traced.leaks.check();
      });

      it.each(results)('keeps $row.name inside', async (result) => {
        Object.assign(result, await checkRow(traced, result.row));
        expect(result.paths).toBeGreaterThan(100);
        expect(result.outside).toEqual([]);
      });
    });

    it.runIf(architectureOf(image) === 'amd64')('has code that is read as objdump reads it', async () => {
      const counts = { files: 0, instructions: 0, candidates: 0, redirected: 0, otherLengths: 0 };
      const result: CodeResult = { image, ...counts, wrong: [], missed: [] };
      for (const file of elfFiles(jailed.rootfs)) {
        const digest = createHash('sha256').update(readFileSync(file)).digest('hex');
        if (seen.has(digest)) continue;
        seen.add(digest);
        const report = await checker.check(file);
        const named = (problem: string) => `${file.slice(jailed.rootfs.length)} ${problem}`;
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
