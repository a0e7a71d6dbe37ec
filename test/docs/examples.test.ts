import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { busyboxImage, busyboxLayout } from '../support/busybox.js';
import { file } from '../support/tar.js';

/**
 * Runs every fenced block that is marked `js run`, as a program of its own, on the embedded engine. A block `text output`
 * right after it holds the lines that it prints, in any order: results arrive in the order in which containers end.
 */
const marked = /^```js run\n(?<program>[\s\S]*?)^```\n(?:\s*^```text output\n(?<output>[\s\S]*?)^```$)?/gm;

/** What readers would pull from Docker Hub; here it is an image with programs of the same names, of which the examples need no more. */
const published = 'docker.io/library/debian:12';

const root = resolve(import.meta.dirname, '../..');
const guides = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md') && !name.startsWith('api'))
  .map((name) => join('docs', name));
const examples = ['README.md', ...guides].flatMap((file) => {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(marked)].map(({ index, groups }) => ({
    name: `${file}:${text.slice(0, index).split('\n').length}`,
    program: groups?.program ?? '',
    output: groups?.output,
  }));
});

const lines = (text: string) => text.trimEnd().split('\n').sort();

describe('the code in README and guides', () => {
  let image: string;
  let folder: string;

  beforeAll(async () => {
    mkdirSync(join(root, '.cache'), { recursive: true });
    // Inside the repository, so that `scar-client` is what is built here.
    folder = mkdtempSync(join(root, '.cache/examples-'));
    image = await busyboxLayout(join(folder, 'debian'), busyboxImage({}, file('etc/os-release', 'ID=debian\n')));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is found', () => expect(examples.map(({ name }) => name).join()).toContain('README.md'));

  it.each(examples)('$name', async ({ name, program, output }) => {
    const path = join(folder, `${name.replace(/\W/g, '-')}.mjs`);
    writeFileSync(path, program.replaceAll(published, image));
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [path], { cwd: folder, timeout: 120_000 });
    expect(stderr).toBe('');
    if (output !== undefined) expect(lines(stdout)).toEqual(lines(output));
  });
});
