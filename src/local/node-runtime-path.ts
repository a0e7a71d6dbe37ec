import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ScarError } from '../errors.js';

const FILE = 'node-runtime.js';

/**
 * Where the built runtime client lies: beside the built engine; in `dist/` when the engine runs from its sources.
 *
 * @throws ScarError `engine` when it was not built
 */
export function nodeRuntimePath(): string {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const places = [join(here, FILE), join(here, '../../dist', FILE)];
  const path = places.find((place) => existsSync(place));
  if (path !== undefined) return path;
  throw new ScarError(
    'engine',
    `The engine needs ${FILE}, found in none of ${places.join(', ')}: run \`npm run build\``,
  );
}
