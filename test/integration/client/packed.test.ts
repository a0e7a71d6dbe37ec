import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeTree } from '../../../src/util/remove-tree.js';
import { busyboxImage, busyboxLayout, busyboxMissing } from '../../support/busybox.js';
import { isInstalled } from '../../support/installed.js';
import { installPacked } from '../../support/packed-package.js';

let folder: string;
let project: string;
let files: string[];
let packageFolder: string;
let image: string;

beforeAll(async () => {
  if (busyboxMissing) return;
  folder = mkdtempSync(join(tmpdir(), 'scar-packed-'));
  ({ project, files, packageFolder } = installPacked(folder));
  image = await busyboxLayout(join(folder, 'image'), busyboxImage({ Cmd: ['echo', 'hello from the image'] }));
});
afterAll(async () => {
  if (folder) await removeTree(folder);
});

/** Runs a program in the project that installed the package. */
async function run(name: string, program: string): Promise<string> {
  const file = join(project, name);
  writeFileSync(file, program);
  const { stdout } = await promisify(execFile)(process.execPath, [file, image], { cwd: project, timeout: 120_000 });
  return stdout;
}

/** From a function to its removal, on the embedded engine. */
const body = `
async function main() {
  const scar = await ScarClient.local();
  try {
    await scar.createFunction({ name: 'hello', image: process.argv[2] });
    const { status, stdout } = await scar.invoke('hello');
    console.log(status, stdout.text.trim());
    console.log(JSON.stringify(await scar.deleteFunction('hello').then(({ function: f, logGroup }) => [f, logGroup])));
    const error = await scar.invoke('hello').catch((reason) => reason);
    console.log(error instanceof ScarError, error.code);
  } finally {
    await scar.close();
  }
}
`;
const expected = 'succeeded hello from the image\n[true,true]\ntrue function-not-found\n';

describe.skipIf(busyboxMissing)('the package as it is published', () => {
  it('has what it needs and nothing else', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'README.md',
        'CHANGELOG.md',
        'package.json',
        'dist/index.js',
        'dist/index.cjs',
        'dist/index.d.ts',
        'dist/index.d.cts',
        'dist/engine.js',
        'dist/scar-local.js',
        'dist/supervisor/index.mjs',
        'dist/supervisor/inroot-amd64',
        ...(isInstalled('aarch64-linux-gnu-gcc') ? ['dist/supervisor/inroot-arm64'] : []),
      ]),
    );
    expect(files.filter((file) => !/^(dist\/|LICENSE|README\.md|CHANGELOG\.md|package\.json)/.test(file))).toEqual([]);
  });

  it('works when it is imported', async () => {
    expect(await run('esm.mjs', `import { ScarClient, ScarError } from 'scar-client';\n${body}\nawait main();\n`)).toBe(
      expected,
    );
  });

  it('works when it is required', async () => {
    const program = `const { ScarClient, ScarError } = require('scar-client');\n${body}\nmain();\n`;
    expect(await run('cjs.cjs', program)).toBe(expected);
  });

  it('loads nothing of the engine for a program that runs on AWS', async () => {
    const program = `
      import { register } from 'node:module';
      register('data:text/javascript,' + encodeURIComponent(
        'export async function load(url, context, next) { if (url.includes("engine.js")) throw new Error("loaded " + url); return next(url, context); }'
      ));
      const { ScarClient } = await import('scar-client');
      const scar = new ScarClient({ region: 'eu-west-1' });
      await scar.close();
      console.log(await ScarClient.local().catch((error) => error.message.replace(/ .*\\//, ' ')));
    `;
    expect(await run('aws.mjs', program)).toBe('loaded engine.js\n');
  });

  const program = `
    import { ScarClient, type MapItem, type InvocationResult, ScarError } from 'scar-client';
    export async function all(scar: ScarClient): Promise<string[]> {
      const result: InvocationResult = await scar.invoke('f', { args: ['-v'] });
      if (result.status === 'failed') throw result.error;
      const run = scar.mapOverBucket('f', { bucket: 'photos' });
      run.on('progress', ({ done, total }) => console.log(done, total));
      scar.on('warning', ({ code }) => console.log(code));
      const items: MapItem[] = [];
      for await (const item of run) items.push(item);
      for await (const { message } of scar.streamLogs('f', { follow: true })) console.log(message);
      const error: unknown = undefined;
      if (error instanceof ScarError && error.code === 'throttled') console.log(error.retryable);
      return items.map(({ key, error }) => key + (error?.message ?? ''));
    }
    // @ts-expect-error -- a misspelt option
    export const wrong = (scar: ScarClient) => scar.mapOverBucket('f', { bucket: 'photos', concurency: 3 });
  `;

  it.each([
    ['node16', 'node16'],
    ['commonjs', 'node'],
  ])('has types, for %s modules', async (module, resolution) => {
    const file = join(project, 'program.ts');
    writeFileSync(file, program);
    const options = [
      '--strict',
      '--noEmit',
      '--target',
      'es2020',
      '--lib',
      'es2022',
      '--types',
      'node',
      '--skipLibCheck',
      'false',
    ];
    const tsc = join(project, 'node_modules/typescript/bin/tsc');
    const args = [tsc, ...options, '--module', module, '--moduleResolution', resolution, file];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: project }).catch((error) => error);
    // Only what is ours: others' declarations are not free of errors.
    const ours = String(stdout)
      .split('\n')
      .filter((line) => /scar-client|program\.ts/.test(line));
    expect(ours).toEqual([]);
  });

  it('has types that TypeScript 5.0 can read, which tslab carries', () => {
    const scanner = ts.createScanner(ts.ScriptTarget.Latest, true);
    for (const name of ['index.d.ts', 'index.d.cts']) {
      scanner.setText(readFileSync(join(packageFolder, 'dist', name), 'utf8'));
      const words = new Set<string>();
      while (scanner.scan() !== ts.SyntaxKind.EndOfFileToken) words.add(scanner.getTokenText());
      expect(words).toContain('ScarClient');
      for (const newer of ['using', 'NoInfer', 'defer']) expect(words, name).not.toContain(newer);
    }
  });
});
