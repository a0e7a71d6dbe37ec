import { join, resolve } from 'node:path';
import { build } from 'esbuild';

/** The built runtime client, for tests that run the engine from its sources: always that of these sources. */
export default async function setup(): Promise<void> {
  const root = resolve(import.meta.dirname, '../..');
  await build({
    entryPoints: [join(root, 'src/local/node-runtime.ts')],
    outfile: join(root, 'dist/node-runtime.js'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    logLevel: 'error',
  });
}
