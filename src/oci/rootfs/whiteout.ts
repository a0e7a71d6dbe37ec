import { display } from '../tar/header.js';
import { unsafe } from './names.js';

/** What an entry whose name begins with `.wh.` means. */
export type Whiteout =
  /** Hides one name of the layers below. */
  | { type: 'name'; name: string }
  /** Hides all that the layers below have in this folder. */
  | { type: 'opaque' }
  /** Bookkeeping of AUFS that old tools left in layers (`.wh..wh.plnk`). */
  | { type: 'ignored' };

const PREFIX = '.wh.';

/**
 * Reads a whiteout (https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts); undefined for any other
 * name. Throws `image-unsafe` for one that would hide the folder itself or the one above.
 */
export function parseWhiteout(base: string, path: string): Whiteout | undefined {
  if (!base.startsWith(PREFIX)) return undefined;
  const name = base.slice(PREFIX.length);
  if (name === '.wh..opq') return { type: 'opaque' };
  if (name.startsWith(PREFIX)) return { type: 'ignored' };
  if (name === '' || name === '.' || name === '..') {
    throw unsafe(`The whiteout ${display(path)} hides no name but a folder that it is in`);
  }
  return { type: 'name', name };
}
