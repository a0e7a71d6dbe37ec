import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** One project per kind of test; `vitest --project unit` runs one. Integration tests load what is built in dist/. */
const kinds = ['unit', 'architecture', 'property', 'protocol', 'integration', 'fault', 'docs'] as const;

export default defineConfig({
  test: {
    // One for each processor, where vitest would leave one free: many tests wait for programs that they have started.
    maxWorkers: availableParallelism(),
    projects: kinds.map((name) => ({
      test: {
        name,
        include: [`test/${name}/**/*.test.ts`],
        // The SDK's notice of the Node versions that it will support: once per worker, and again per program that is tested.
        env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
        testTimeout: ['integration', 'fault', 'docs'].includes(name) ? 180_000 : 30_000,
        hookTimeout: 300_000,
        // These run the engine from its sources, but its functions need the built runtime client.
        globalSetup: ['unit', 'protocol'].includes(name) ? ['test/support/build-node-runtime.ts'] : [],
      },
    })),
  },
});
