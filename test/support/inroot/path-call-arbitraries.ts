import fc from 'fast-check';
import { known, mode, path, tree, withKnownPaths } from './path-arbitraries.js';
import type { PathCall } from './path-calls.js';

/** From the kernel's headers: asm-generic/fcntl.h, linux/fcntl.h, linux/openat2.h, linux/inotify.h. */
const O = { WRONLY: 1, RDWR: 2, CREAT: 0o100, EXCL: 0o200, TRUNC: 0o1000, DIRECTORY: 0o200000 } as const;
const O_NOFOLLOW = 0o400000;
const O_PATH = 0o10000000;
const AT = { NOFOLLOW: 0x100, REMOVEDIR: 0x200, FOLLOW: 0x400, EMPTY: 0x1000 } as const;
const RESOLVE = { NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8, IN_ROOT: 16 } as const;
const IN = { ALL: 0xfff, DONT_FOLLOW: 0x02000000, ONLYDIR: 0x01000000 } as const;

const some = (...flags: readonly number[]) =>
  fc.subarray([...flags]).map((chosen) => chosen.reduce((all, flag) => all | flag, 0));

const slot = fc.integer({ min: 0, max: 2 });
const dir = fc.oneof({ weight: 1, arbitrary: fc.constant('cwd') }, { weight: 2, arbitrary: slot });
const nofollow = some(AT.NOFOLLOW, AT.EMPTY);
const openFlags = fc.oneof(
  fc.constantFrom(0, O_PATH, O.DIRECTORY, O_PATH | O.DIRECTORY, O_PATH | O_NOFOLLOW),
  fc
    .tuple(fc.constantFrom(0, O.WRONLY, O.RDWR), some(O.CREAT, O.EXCL, O.TRUNC, O.DIRECTORY, O_NOFOLLOW))
    .map(([access, flags]) => access | flags),
);
const access = fc.constantFrom(0, 1, 2, 4);
const nodes = fc.constantFrom(0o100600, 0o140600, 0o020600);
const owner = fc.constantFrom(-1, 993, 0);
const group = fc.constantFrom(-1, 990);
const room = fc.constant(100);
/** With the host's folders in front, a longer name does not fit into an address (unix(7)). */
const socketPath = path.filter((text) => !text.includes('nnn'));

/** Arguments by operation, as path-calls.c takes them. */
const operations: Record<string, fc.Arbitrary<string | number>[]> = {
  open: [slot, path, openFlags, mode],
  openat: [slot, dir, path, openFlags, mode],
  openat2: [slot, dir, path, openFlags, fc.constant(0), some(...Object.values(RESOLVE))],
  creat: [slot, path, mode],
  stat: [path],
  lstat: [path],
  fstat: [slot],
  fstatat: [dir, path, nofollow],
  statx: [dir, path, nofollow],
  access: [path, access],
  faccessat: [dir, path, access],
  faccessat2: [dir, path, access, some(AT.NOFOLLOW, AT.REMOVEDIR, AT.EMPTY)],
  readlink: [path, fc.constantFrom(4096, 4096, 3, 0)],
  readlinkat: [dir, path, fc.constantFrom(4096, 1)],
  'readlink-fd': [slot],
  mkdir: [path, mode],
  mkdirat: [dir, path, mode],
  mknod: [path, nodes],
  mknodat: [dir, path, nodes],
  fifo: [dir, path],
  rmdir: [path],
  unlink: [path],
  unlinkat: [dir, path, some(AT.REMOVEDIR)],
  rename: [path, path],
  renameat: [dir, path, dir, path],
  renameat2: [dir, path, dir, path, fc.constantFrom(0, 1, 2, 4)],
  link: [path, path],
  linkat: [dir, path, dir, path, some(AT.FOLLOW, AT.EMPTY)],
  symlink: [path, path],
  symlinkat: [path, dir, path],
  chmod: [path, mode],
  'chmod-fd': [slot, mode],
  fchmodat: [dir, path, mode],
  fchmodat2: [dir, path, mode, nofollow],
  chown: [path, owner, group],
  lchown: [path, owner, group],
  fchownat: [dir, path, owner, group, nofollow],
  utime: [path],
  utimes: [path],
  futimesat: [dir, path],
  utimensat: [dir, path, nofollow],
  truncate: [path, fc.constantFrom(0, 10)],
  chdir: [path],
  fchdir: [slot],
  getcwd: [fc.constantFrom(4096, 2, 1, 0)],
  statfs: [path],
  setxattr: [path, fc.constant(0)],
  lsetxattr: [path, fc.constant(0)],
  getxattr: [path, room],
  lgetxattr: [path, room],
  listxattr: [path, room],
  llistxattr: [path, room],
  removexattr: [path],
  lremovexattr: [path],
  setxattrat: [dir, path, nofollow],
  getxattrat: [dir, path, nofollow],
  listxattrat: [dir, path, nofollow, room],
  removexattrat: [dir, path, nofollow],
  file_getattr: [dir, path, nofollow],
  name_to_handle_at: [dir, path, some(AT.FOLLOW, AT.EMPTY)],
  watch: [path, fc.constantFrom(IN.ALL, IN.ALL | IN.DONT_FOLLOW, IN.ALL | IN.ONLYDIR)],
  bind: [slot, socketPath],
  connect: [socketPath],
  exec: [path],
  execat: [dir, path, nofollow],
};

const call: fc.Arbitrary<PathCall> = fc.oneof(
  ...Object.entries(operations).map(([operation, args]) =>
    fc.tuple(...args).map((values): PathCall => [operation, ...values]),
  ),
);
/** What the tree's links lead to depends on where they are. */
const move = fc
  .tuple(known, known, fc.constantFrom('', '/new', '-new'))
  .map(([from, to, end]): PathCall => ['rename', from, `${to}${end}`]);
/** Folders, or what else there is, to begin relative paths in. */
const slots = fc.tuple(
  ...[0, 1, 2].map((to) =>
    fc
      .tuple(known, fc.constantFrom(O_PATH | O.DIRECTORY, O_PATH | O.DIRECTORY, O_PATH | O_NOFOLLOW))
      .map(([path, flags]): PathCall => ['open', to, path, flags, 0]),
  ),
);

/** Calls that make a tree, and others for it. */
export const treeAndCalls: fc.Arbitrary<{ made: PathCall[]; calls: PathCall[] }> = fc
  .tuple(
    tree,
    slots,
    fc.array(fc.oneof({ weight: 9, arbitrary: call }, { weight: 1, arbitrary: move }), { minLength: 1, maxLength: 25 }),
  )
  .map(([made, opened, calls]) => ({
    made: withKnownPaths(made, made),
    calls: withKnownPaths(made, [...opened, ...calls]),
  }));
