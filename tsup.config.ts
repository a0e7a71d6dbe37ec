import { join } from 'node:path';
import { defineConfig, type Options } from 'tsup';

/**
 * The library reaches the engine only by a lazy `import('./local/index.js')`; built, that is a file of its own beside the
 * library (ESM, also for `require`), so that a program that runs on AWS never loads it.
 */
const engineStaysOutside: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'engine-stays-outside',
  setup(build) {
    build.onResolve({ filter: /\/local\/index\.js$/ }, () => ({ path: './engine.js', external: true }));
  },
};

/**
 * Of a client package the engine needs the schemas alone: `import('@aws-sdk/client-s3')` loads the whole client when the
 * sources run, and only this file of it when they are bundled.
 */
const schemasOnly: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'schemas-only',
  setup(build) {
    build.onResolve({ filter: /^@aws-sdk\/client-(s3|lambda|cloudwatch-logs)$/ }, ({ path }) => ({
      path: join(import.meta.dirname, 'node_modules', path, 'dist-es/schemas/schemas_0.js'),
      sideEffects: false,
    }));
  },
};

const common: Options = { target: 'node20', platform: 'node', outDir: 'dist', clean: false, silent: true };

export default defineConfig([
  {
    ...common,
    name: 'library',
    entry: { index: 'src/index.ts' },
    format: ['esm', 'cjs'],
    dts: true,
    sourcemap: true,
    splitting: false,
    shims: true,
    // Published as ESM only: bundling it is what lets `require('scar-client')` work on Node 20.
    noExternal: ['p-limit', 'yocto-queue'],
    esbuildPlugins: [engineStaysOutside],
  },
  {
    ...common,
    name: 'engine',
    entry: {
      engine: 'src/local/index.ts',
      'scar-local': 'src/local/bin.ts',
      'node-runtime': 'src/local/node-runtime.ts',
    },
    format: ['esm'],
    splitting: true,
    // Only the SDK's schemas are used: bundled and tree-shaken, the engine starts without loading the clients.
    noExternal: [/^@aws-sdk\//, /^@smithy\//],
    esbuildPlugins: [schemasOnly],
    esbuildOptions(options) {
      // The ESM builds of the packages: what is unused of them can be left out.
      options.mainFields = ['module', 'main'];
    },
    banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
  },
  {
    ...common,
    name: 'supervisor',
    // What runs inside the function: one file, with nothing to install beside it.
    entry: { 'supervisor/index': 'supervisor/main.ts' },
    format: ['esm'],
    splitting: false,
    minify: true,
    noExternal: [/.*/],
    outExtension: () => ({ js: '.mjs' }),
    banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
  },
]);
