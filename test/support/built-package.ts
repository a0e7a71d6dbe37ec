import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The repository, whose `dist/` is the package as users have it. */
export const repository = resolve(import.meta.dirname, '../..');
const entry = join(repository, 'dist/index.js');

/** Why the built package cannot be tested, in one line; undefined if it can. */
export const missingPackage = existsSync(entry) ? undefined : 'dist/ is not built: npm run build';

/** The package as it is built, with the types of its sources: these may be checked before anything is built. */
export function builtPackage(): Promise<typeof import('../../src/index.js')> {
  return import(pathToFileURL(entry).href);
}
