import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { edited, edits } from '../../support/inroot/elf-edits.js';
import { ElfMapper, makeOriginals, type Original } from '../../support/inroot/elf-mapper.js';
import { isInstalled } from '../../support/installed.js';
import { temporaryFolder } from '../../support/temporary.js';

const missing = ['gcc', 'make', 'musl-gcc'].every(isInstalled) ? undefined : 'needs gcc, make and musl-tools';

const original: fc.Arbitrary<Original> = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom<Original>('musl static', 'position-independent', 'at a fixed address') },
  { weight: 10, arbitrary: fc.constantFrom<Original>('musl dynamic', 'of few pages') },
  { weight: 1, arbitrary: fc.constantFrom<Original>('static', 'interpreter') },
);

describe.skipIf(missing)(`a file that claims to be a program${missing ? ` (${missing})` : ''}`, () => {
  let folder: string;
  let originals: Record<Original, Buffer>;
  let mapper: ElfMapper;

  beforeAll(async () => {
    const place = await temporaryFolder();
    folder = place.path;
    originals = makeOriginals(folder);
    mapper = new ElfMapper(folder);
    return async () => {
      await mapper[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    };
  });

  async function map(bytes: Buffer): Promise<string> {
    const path = join(folder, 'program');
    writeFileSync(path, bytes);
    return mapper.map(path);
  }

  it('is mapped as it was made', async () => {
    for (const [name, bytes] of Object.entries(originals)) expect(await map(bytes), name).toBe('mapped');
  });

  it('is mapped or refused, whatever is wrong with it', async () => {
    const outcomes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(original, edits, async (name, changes) => {
        const outcome = await map(edited(originals[name], changes));
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }),
      { numRuns: Number(process.env.SCAR_ELF_RUNS ?? 1000), endOnFailure: process.env.SCAR_FZ_FAST !== undefined },
    );
    console.log(outcomes);
  }, 300_000);
});
