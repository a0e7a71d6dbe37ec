import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { buildSync } from 'esbuild';
import { describe, expect, it } from 'vitest';

const source = resolve(import.meta.dirname, '../../../../../src/client/map/journal/file-store.ts');

/** In a process of its own: one that never came back from the file system would hold up the tests for ever. */
function openedElsewhere(file: string): { code: string; message: string } {
  const { outputFiles } = buildSync({
    stdin: {
      contents:
        `import { FileStore } from ${JSON.stringify(source)};\n` +
        `FileStore.open(${JSON.stringify(file)}, 'new').catch((error) => console.log(JSON.stringify(error)));`,
      resolveDir: import.meta.dirname,
    },
    bundle: true,
    format: 'esm',
    platform: 'node',
    write: false,
  });
  const script = outputFiles[0]?.text ?? '';
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 });
  return JSON.parse(stdout.toString());
}

describe('FileStore', () => {
  it.each(['/proc/scar', '/proc/scar/runs', '/dev/null/runs'])('refuses a folder that cannot be made: %s', (folder) => {
    const file = join(folder, 'run.jsonl');
    expect(openedElsewhere(file)).toMatchObject({
      code: 'invalid-option',
      message: expect.stringMatching(new RegExp(`^The journal ${file} cannot be opened \\(E[A-Z]+\\): give a folder`)),
    });
  });
});
