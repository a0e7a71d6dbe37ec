import { ImageError } from '../../errors.js';
import { display } from '../tar/header.js';

/** Longest chain of symbolic links that is followed, as Linux has it (path_resolution(7)). */
export const MAX_LINKS = 40;

/**
 * An entry's name as a path relative to the root: no leading slash, no `.`, no empty components; empty for the root
 * itself. A leading slash is dropped, as tar does. Throws `image-unsafe` for `..` anywhere (no tool writes it into a layer,
 * and what it means depends on links) and for a NUL.
 */
export function cleanName(name: string, what = 'An entry'): string {
  if (name.includes('\0')) throw unsafe(`${what} of the layer has a NUL in its name ${display(name)}`);
  // Nearly every name is clean already, except for "./" before it or "/" behind it.
  let clean = name.startsWith('./') ? name.slice(2) : name;
  if (clean.endsWith('/')) clean = clean.slice(0, -1);
  if (!/(^|\/)(\.{0,2})(\/|$)/.test(clean)) return clean;
  const components = clean.split('/').filter((component) => component !== '' && component !== '.');
  if (components.includes('..')) {
    throw unsafe(`${what} of the layer is named ${display(name)}: ".." would lead out of the root file system`);
  }
  return components.join('/');
}

/** Folder and last component of a clean path. */
export function splitPath(path: string): { folder: string; base: string } {
  const slash = path.lastIndexOf('/');
  return { folder: slash < 0 ? '' : path.slice(0, slash), base: path.slice(slash + 1) };
}

export function joinPath(folder: string, base: string): string {
  return folder === '' ? base : `${folder}/${base}`;
}

export function unsafe(what: string): ImageError {
  return new ImageError('image-unsafe', `${what}. Images like this are not unpacked.`);
}
