import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as Library from '../../src/index.js';

/** The library as it is built, with the sources' types. */
export async function built(): Promise<typeof Library> {
  return await import(pathToFileURL(resolve(import.meta.dirname, '../../dist/index.js')).href);
}
