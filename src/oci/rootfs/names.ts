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

/**
 * The target that a symbolic link gets on disk, so that it means inside the rootfs what it meant inside a chroot, and
 * never leads out of it when the kernel resolves it without one: leading `..`s, at most as many as the link's folder is
 * deep, then names only. An absolute target becomes relative; what climbs above the root stays at the root.
 *
 * `..` behind a name is resolved by name, because with a link in that place it would count from elsewhere: that is how
 * `a/../..` climbs out when `a` leads to the root. RootfsWriter corrects those at the end, from the real tree.
 *
 * @param folder - the real folder that holds the link, relative to the root
 * @param hostFolders - first components, such as `proc`, below which absolute targets stay absolute
 */
export function clampTarget(target: string, folder: string, hostFolders: ReadonlySet<string>): string {
  const depth = folder === '' ? 0 : folder.split('/').length;
  const absolute = target.startsWith('/');
  let up = absolute ? depth : 0;
  const names: string[] = [];
  for (const component of target.split('/')) {
    if (component === '' || component === '.') continue;
    if (component !== '..') names.push(component);
    else if (names.length > 0) names.pop();
    else if (up < depth) up++;
  }
  if (absolute && hostFolders.has(names[0] ?? '')) return `/${names.join('/')}`;
  return [...Array<string>(up).fill('..'), ...names].join('/') || '.';
}

/** Whether a target has `..` behind a name, so that only the tree can say what it means. */
export function climbsMidway(target: string): boolean {
  const components = target.split('/').filter((component) => component !== '' && component !== '.');
  const firstName = components.findIndex((component) => component !== '..');
  return firstName >= 0 && components.includes('..', firstName);
}

export function unsafe(what: string): ImageError {
  return new ImageError('image-unsafe', `${what}. Images like this are not unpacked.`);
}
