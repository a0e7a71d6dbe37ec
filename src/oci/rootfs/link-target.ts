/**
 * How the target of a symbolic link is stored, so that the kernel, which follows it from the host's root, gets to where a chroot
 * would lead it or to an error, and never out of the rootfs; and so that a program is given the image's own text. supervisor/inroot/links.h
 * has the other side, and why each form is what it is.
 */

/** How the targets of symbolic links are written to the disk, and read from it. Folders are relative to the root. */
export interface LinkForm {
  stored(target: string, folder: string): string;
  original(stored: string): string;
}

/** As the image has them: for a container whose root is the kernel's. */
export const verbatimLinks: LinkForm = { stored: (target) => target, original: (stored) => stored };

/**
 * For the in-process runner.
 *
 * @param mountPoints - paths of the root over which something else lies when a container runs (`['/proc', '/dev', '/tmp']`): links to
 *   them are left to the runner
 */
export function runnersLinks(mountPoints: readonly string[]): LinkForm {
  const relative = mountPoints.map((path) => path.replace(/^\/+|\/+$/g, ''));
  return { stored: (target, folder) => storedTarget(target, folder, relative), original: originalTarget };
}

/** No file system has names of 256 bytes: the kernel answers ENAMETOOLONG, and the runner resolves the path. */
const UNFOLLOWABLE = `${'='.repeat(256)}/`;

/** The way up to the root, before an absolute target: `../..` `/usr/lib`; `.` in the root itself. */
const WAY_TO_ROOT = /^(?:\.\/|(?:\.\.\/)+)(?=\/)/;

/**
 * The stored form of a target: as it is, if it is relative and stays in the root; behind the way up to the root, if it is absolute;
 * unfollowable, if it comes to the root itself or to a mount, climbs above the root, or has `..` behind a name, which counts from where that name leads.
 *
 * @param folder - the real folder that holds the link, relative to the root
 * @param mountPoints - paths, relative to the root, of what a container finds something else at
 */
function storedTarget(target: string, folder: string, mountPoints: readonly string[]): string {
  const natural = naturalTarget(target, split(folder), mountPoints);
  return natural !== undefined && originalTarget(natural) === target ? natural : UNFOLLOWABLE + target;
}

/** What the image says. */
function originalTarget(stored: string): string {
  return stored.startsWith(UNFOLLOWABLE) ? stored.slice(UNFOLLOWABLE.length) : stored.replace(WAY_TO_ROOT, '');
}

function naturalTarget(target: string, folder: string[], mountPoints: readonly string[]): string | undefined {
  const names = split(target);
  const absolute = target.startsWith('/');
  const up = absolute ? folder.length : leadingParents(names);
  const down = absolute ? names : names.slice(up);
  if (up > folder.length || down.includes('..')) return undefined;
  const from = folder.join('/');
  const top = folder.slice(0, folder.length - up);
  const to = [...top, ...down].join('/');
  for (const mount of mountPoints) {
    // Inside of one mount is as good as inside of the root.
    const stays = isWithin(from, mount) && isWithin(top.join('/'), mount) && isWithin(to, mount);
    if (!stays && (isWithin(from, mount) || isWithin(to, mount) || isWithin(mount, to))) return undefined;
  }
  if (!absolute) return target;
  return folder.length === 0 ? `./${target}` : `${'../'.repeat(up)}${target}`;
}

function leadingParents(names: readonly string[]): number {
  const first = names.findIndex((name) => name !== '..');
  return first < 0 ? names.length : first;
}

function isWithin(path: string, folder: string): boolean {
  return folder === '' || path === folder || path.startsWith(`${folder}/`);
}

function split(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}
