import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBucket, download, upload } from '../../docs/examples/quickstart/bucket.mjs';
import { check } from '../../docs/examples/quickstart/check.mjs';
import { debianImage } from '../../scripts/quickstart/image.mjs';
import type { ScarClient } from '../../src/index.js';

const root = resolve(import.meta.dirname, '../..');
const library = join(root, 'dist/index.js');
const missing = existsSync(library) ? undefined : 'dist/ is not built: npm run build';

/** Coloured pictures of four sizes, made by ImageMagick of a picture that it has built in. */
const makePictures = `
for size in 40x30 64x64 30x90 120x50; do convert rose: -resize "$size!" "$SCAR_OUTPUT_DIR/rose-$size.jpg"; done
`;
const count = 4;

describe.skipIf(missing)(`the quickstart${missing ? ` (${missing})` : ''}`, () => {
  const work = mkdtempSync(join(tmpdir(), 'scar-quickstart-'));
  const pictures = join(work, 'pictures');
  let image: string;
  let scar: ScarClient;

  beforeAll(async () => {
    image = await debianImage(join(root, '.cache/quickstart'));
    const built: typeof import('../../src/index.js') = await import(pathToFileURL(library).href);
    scar = await built.ScarClient.local();
    await createBucket(scar.s3, 'quickstart');
    await scar.createFunction({ name: 'gray', image, memoryMiB: 512, timeoutSeconds: 60 });
    const output = [{ bucket: 'quickstart', prefix: 'roses/' }];
    const made = await scar.invoke('gray', { script: { inline: makePictures }, output });
    expect(made).toMatchObject({ status: 'succeeded' });
    mkdirSync(pictures);
    for (const { bucket, key } of made.outputs) {
      writeFileSync(join(pictures, basename(key)), await download(scar.s3, { bucket, key }));
    }
  });
  afterAll(async () => {
    await scar?.close();
    rmSync(work, { recursive: true, force: true });
  });

  describe('its check', () => {
    const bucket = 'quickstart';
    const signal = new AbortController().signal;

    /** Maps a script over the pictures, and lets the check judge what it made of them. */
    async function judge(name: string, script: string): Promise<string[]> {
      const prefix = `${name}/`;
      await upload(scar.s3, { bucket, prefix: `${prefix}input/`, folder: pictures, signal });
      const outputs = new Map<string, string[]>();
      const output = [{ bucket, prefix: `${prefix}output/` }];
      const map = { bucket, prefix: `${prefix}input/`, script: { inline: script }, output, concurrency: 2 };
      for await (const item of scar.mapOverBucket('gray', map)) {
        const keys = item.outputs.map(({ key }) => key);
        outputs.set(item.key, keys);
      }
      expect(outputs.size).toBe(count);
      return check(scar, {
        name: 'gray',
        bucket,
        prefix,
        pictures,
        outputs,
        concurrency: 2,
        signal,
        progress: () => {},
      });
    }

    const convert = (options: string) =>
      `convert "$SCAR_INPUT_FILE" ${options} "$SCAR_OUTPUT_DIR/$(basename "$SCAR_INPUT_FILE")"`;

    it('accepts gray pictures', async () => {
      expect(await judge('gray', convert('-colorspace Gray'))).toEqual([]);
    });

    it.each([
      ['coloured pictures', convert(''), /its output has 3 colour components/],
      ['smaller pictures', convert('-colorspace Gray -resize 50%'), /its output \d+x\d+/],
      ['files that are no pictures', 'echo gray > "$SCAR_OUTPUT_DIR/gray.jpg"', /does not begin as a JPEG file does/],
      [
        'pictures whose end is missing',
        `${convert('-colorspace Gray')}; cd "$SCAR_OUTPUT_DIR"; truncate -s -9 *`,
        /does not end/,
      ],
      ['no pictures', 'true', /1 output was expected, there are 0/],
    ])('refuses %s', async (name, script, message) => {
      const problems = await judge(name.replaceAll(' ', '-'), script);
      expect(problems).toHaveLength(count);
      for (const problem of problems) expect(problem).toMatch(message);
    });
  });

  describe('its program', () => {
    /** Runs the program in a temporary folder of its own, in which nothing may be left. */
    function start(folder: string): { program: ChildProcess; output: () => string; temporary: string } {
      const temporary = mkdtempSync(join(work, 'tmp-'));
      const file = join(root, 'docs/examples/quickstart.mjs');
      const program = spawn(process.execPath, [file, `--image=${image}`, `--pictures=${folder}`], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, TMPDIR: temporary },
      });
      let text = '';
      for (const stream of [program.stdout, program.stderr]) {
        stream?.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
      }
      return { program, output: () => text, temporary };
    }

    it('turns pictures gray, checks them, and leaves nothing behind', async () => {
      const { program, output, temporary } = start(pictures);
      const [code] = await once(program, 'close');
      expect(output()).toContain(`all ${count} pictures came out gray`);
      expect(output()).toContain(`${count} of ${count} containers reported in`);
      expect(output()).toMatch(/compute +\d+\.\d+ GB-seconds/);
      expect(code).toBe(0);
      expect(readdirSync(temporary)).toEqual([]);
    });

    it('says which file is no picture, and fails', async () => {
      const folder = mkdtempSync(join(work, 'mixed-'));
      writeFileSync(join(folder, 'letter.jpg'), 'Dear Sir or Madam');
      const { program, output, temporary } = start(folder);
      const [code] = await once(program, 'close');
      expect(output()).toMatch(/wrong +letter\.jpg: /);
      expect(code).toBe(1);
      expect(readdirSync(temporary)).toEqual([]);
    });

    it('ends in order on Ctrl-C', async () => {
      const { program, output, temporary } = start(pictures);
      program.stdout?.on('data', () => {
        if (output().includes('function ')) program.kill('SIGINT');
      });
      const [code] = await once(program, 'close');
      expect(output()).toContain('stopped by SIGINT; all that was made is removed');
      expect(code).toBe(130);
      expect(readdirSync(temporary)).toEqual([]);
    });
  });
});
