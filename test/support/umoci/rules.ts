import type { FileFacts } from './facts.js';

/** A way in which our unpacker differs from umoci on purpose. */
export interface Rule {
  name: string;
  reason: string;
  /**
   * What a file of umoci's should be with us (undefined: not there); the same object where the rule says nothing.
   *
   * @param ours - only to tell by it whether we took a freedom that the rule gives
   */
  apply(theirs: FileFacts, ours: FileFacts | undefined, path: string, startedNs: bigint): FileFacts | undefined;
}

/** Everything that may differ; applied one after the other. */
export const rules: readonly Rule[] = [
  {
    name: 'device',
    reason:
      'Below `/dev` there are no devices, pipes and sockets: mknod(2) is refused to us, and a container has the host’s ' +
      '`/dev`. Rootless umoci makes empty files for devices.',
    apply(theirs, ours, path) {
      const standsIn = isSpecial(theirs) || theirs.bytes === 0;
      return ours === undefined && standsIn && path.startsWith('dev/') ? undefined : theirs;
    },
  },
  {
    name: 'pipe',
    reason:
      'Elsewhere a pipe or a socket becomes an empty file: the name is there, and nobody waits for its other end.',
    apply: (theirs) =>
      isSpecial(theirs) ? { ...theirs, type: 'file', bytes: 0, digest: EMPTY, holes: false } : theirs,
  },
  {
    name: 'setuid',
    reason: 'setuid and setgid are dropped: the function has one user, and what it writes into a folder is its own.',
    apply: (theirs) => withMode(theirs, theirs.mode & ~0o6000),
  },
  {
    name: 'sticky file',
    reason: 'The sticky bit of a file is dropped: it means nothing to Linux. Folders keep it.',
    apply: (theirs) => (theirs.type === 'folder' ? theirs : withMode(theirs, theirs.mode & ~0o1000)),
  },
  {
    name: 'owner',
    reason:
      'The owner can always read and write, and enter folders: the one user that there is stands for all of them.',
    apply(theirs) {
      if (theirs.type === 'link') return theirs;
      return withMode(theirs, theirs.mode | (theirs.type === 'folder' ? 0o700 : 0o600));
    },
  },
  {
    name: 'xattr',
    reason:
      'Extended attributes, capabilities among them, are dropped: most cannot be set without being root. Rootless umoci keeps ' +
      'owners in one.',
    apply: (theirs) => (theirs.attributes.length > 0 ? { ...theirs, attributes: [] } : theirs),
  },
  {
    name: 'link’s twin',
    reason: 'A second name of a symbolic link is a link of its own, as its stored form depends on its folder.',
    apply(theirs, ours, path) {
      const alone = theirs.type === 'link' && ours?.twin === path;
      return alone && theirs.twin !== path ? { ...theirs, twin: path } : theirs;
    },
  },
  {
    name: 'hole',
    reason: 'What a sparse file has no bytes for in the layer is a hole again; umoci writes zeros.',
    apply: (theirs, ours) => (theirs.holes === false && ours?.holes ? { ...theirs, holes: true } : theirs),
  },
  {
    name: 'folder’s time',
    reason:
      'A folder has the time of its last entry; without any, that at which it was made. umoci leaves some at the time of a ' +
      'change: where it makes a folder that has no entry, or follows a whiteout after the folder’s own entry; and it says ' +
      '1970 of a root without entry.',
    apply(theirs, ours, path, startedNs) {
      const unset = theirs.mtimeNs >= startedNs || (path === '.' && theirs.mtimeNs === 0n);
      return theirs.type === 'folder' && unset ? withTimeOf(theirs, ours) : theirs;
    },
  },
  {
    name: 'before 1970',
    reason: 'A time before 1970 becomes that of 1970: Node sets none.',
    apply: (theirs) => (theirs.mtimeNs < 0n ? { ...theirs, mtimeNs: 0n } : theirs),
  },
  {
    name: 'microsecond',
    reason: 'Times are set to the microsecond: Node gives them to the kernel as floating-point numbers.',
    apply(theirs, ours) {
      const close = ours !== undefined && abs(ours.mtimeNs - theirs.mtimeNs) < 1_000n;
      return close ? withTimeOf(theirs, ours) : theirs;
    },
  },
];

const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

const isSpecial = ({ type }: FileFacts): boolean => type === 'pipe' || type === 'socket' || type === 'device';

const withMode = (facts: FileFacts, mode: number): FileFacts => (facts.mode === mode ? facts : { ...facts, mode });

const withTimeOf = (facts: FileFacts, other: FileFacts | undefined): FileFacts =>
  other === undefined || facts.mtimeNs === other.mtimeNs ? facts : { ...facts, mtimeNs: other.mtimeNs };

const abs = (value: bigint): bigint => (value < 0n ? -value : value);
