import { writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Edit, edited, edits, type Value } from '../../support/inroot/elf-edits.js';
import { ElfMapper, makeOriginals, type Original } from '../../support/inroot/elf-mapper.js';
import { isInstalled } from '../../support/installed.js';
import { temporaryFolder } from '../../support/temporary.js';

const { ENOEXEC } = constants.errno;
const missing = ['gcc', 'make', 'musl-gcc'].every(isInstalled) ? undefined : 'needs gcc, make and musl-tools';

const original: fc.Arbitrary<Original> = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom<Original>('musl static', 'position-independent', 'at a fixed address') },
  { weight: 10, arbitrary: fc.constantFrom<Original>('musl dynamic', 'of few pages') },
  { weight: 1, arbitrary: fc.constantFrom<Original>('static', 'interpreter') },
);

function program(entry: number, field: string, value: Value): Edit {
  return { structure: 'program', entry, field, value };
}

const unwindTableAtEnd: Edit[] = [
  program(4, 'p_filesz', { is: 0x1000n }),
  program(4, 'p_memsz', { is: 0x1000n }),
  program(10, 'p_offset', { is: 0x2ffcn }),
  { code: 'b8020000000f05', at: 500 },
];

function sectionsOfCodeAt(offset: bigint): Edit[] {
  return [5, 6, 7, 8, 9].map((entry) => ({ structure: 'section', entry, field: 'sh_offset', value: { is: offset } }));
}

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

  const refused = `refused ${ENOEXEC}`;
  it.each<[string, Original, string, Edit[]]>([
    ['a segment behind the end of the file', 'musl static', refused, [program(1, 'p_offset', { fileSizePlus: 4096n })]],
    ['one that the file was cut short in', 'musl static', refused, [{ size: { is: 400n } }]],
    ['segments in one page', 'musl static', refused, [program(2, 'p_vaddr', { entry: 1, plus: 0n })]],
    ['a segment at the end of all addresses', 'musl static', refused, [program(3, 'p_vaddr', { is: -0x30n })]],
    ['code that may not be read', 'musl static', 'mapped', [program(1, 'p_flags', { is: 1n })]],
    ['sections of code upon each other', 'static', 'mapped', sectionsOfCodeAt(0x1000n)],
    ['a table of unwinding in the last bytes of a segment', 'position-independent', 'mapped', unwindTableAtEnd],
  ])('may have %s', async (_, name, outcome, changes) => {
    expect(await map(edited(originals[name], changes))).toBe(outcome);
  });

  it('is mapped or refused, whatever is wrong with it', async () => {
    const outcomes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(original, edits, async (name, changes) => {
        outcomes.add(await map(edited(originals[name], changes)));
      }),
      { numRuns: Number(process.env.SCAR_ELF_RUNS ?? 500) },
    );
    expect([...outcomes]).toEqual(expect.arrayContaining(['mapped', `refused ${ENOEXEC}`]));
  }, 3_600_000);
});
