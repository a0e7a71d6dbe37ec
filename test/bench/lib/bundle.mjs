import { join } from 'node:path';
import { build } from 'tsup';

/**
 * Bundles a program of this folder, which is written in TypeScript, so that Node can run it.
 *
 * @param {string} name - `unpack`, of `unpack.ts`
 * @param {string} folder - where to
 * @returns {Promise<string>} the program's path
 */
export async function bundle(name, folder) {
  await build({
    entry: [join(import.meta.dirname, `${name}.ts`)],
    outDir: folder,
    format: 'esm',
    target: 'node20',
    outExtension: () => ({ js: '.mjs' }),
    noExternal: [/.*/],
    config: false,
    silent: true,
  });
  return join(folder, `${name}.mjs`);
}
