import { defineConfig } from 'vitest/config';

/** The image table is no part of `npm test`: it builds images of gigabytes. `npm run images` runs it. */
export default defineConfig({
  test: {
    name: 'images',
    dir: import.meta.dirname,
    include: ['*.test.ts'],
    // Each needs the machine, and they make the same images.
    fileParallelism: false,
    testTimeout: 1_800_000,
    hookTimeout: 3_600_000,
    reporters: ['verbose'],
  },
});
