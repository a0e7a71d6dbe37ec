import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkPaths } from '../../images/leaks.js';

/** What a trace shows of a guest whose root is `folder/root`, with `folder/tmp` bound. */
describe('paths of a trace', () => {
  let folder: string;
  let root: string;

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'leaks-')));
    root = join(folder, 'root');
    for (const path of ['etc', 'usr/bin']) mkdirSync(join(root, path), { recursive: true });
    mkdirSync(join(folder, 'tmp'));
    symlinkSync('../etc', join(root, 'usr/inner'));
    symlinkSync('../..', join(root, 'usr/outer'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Checks the calls of a process that has just become the runner, in the root's /usr. */
  async function check(...calls: string[]) {
    const start = ['7 access("/before/it", R_OK) = 0', '7 execve("/inroot", [...], 0x7ffc /* 1 var */) = 0'];
    const log = join(folder, 'log');
    writeFileSync(
      log,
      [...start, `7 chdir("${root}/usr") = 0`, ...calls.map((call) => (/^\d/.test(call) ? call : `7 ${call}`))].join(
        '\n',
      ),
    );
    const { paths, outside } = await checkPaths(log, '/inroot', [root, join(folder, 'tmp')]);
    return { paths: paths - 2, outside: outside.map((line) => line.replaceAll(folder, '')) };
  }

  it.each([
    'openat(AT_FDCWD</>, "ROOT/etc/passwd", O_RDONLY) = 3<ROOT/etc/passwd>',
    'mkdir("TMP/x\\"y\\303\\244", 0777) = 0',
    'stat("../etc", {st_mode=S_IFDIR|0755, st_size=4096, ...}) = 0',
    'stat("inner/../usr/nothing", 0x7ffc) = -1 ENOENT (No such file or directory)',
    'openat(5<ROOT/usr/bin>, "../inner", O_RDONLY) = 6<ROOT/etc>',
    'execve("/proc/self/exe", ["sh", "/etc/passwd"], 0x7ffc /* 3 vars */) = 0',
    'readlink("/proc/self/root", "/"..., 4096) = 1',
    'connect(3<socket:[1]>, {sa_family=AF_UNIX, sun_path="TMP/socket"}, 110) = 0',
    'openat(AT_FDCWD</>, "/dev/stdout", O_WRONLY) = 4<pipe:[1]>',
  ])('counts what stays inside: %s', async (call) => {
    const here = call.replaceAll('ROOT', root).replaceAll('TMP', join(folder, 'tmp'));
    expect(await check(here)).toEqual({ paths: 1, outside: [] });
  });

  it.each([
    ['openat(AT_FDCWD</>, "/etc/passwd", O_RDONLY) = -1 ENOENT (No such file or directory)', 'openat /etc/passwd'],
    ['stat("../../tmpfile", 0x7ffc) = 0', 'stat /root/usr/../../tmpfile'],
    ['stat("outer/x", 0x7ffc) = 0', 'stat /root/usr/outer/x'],
    [
      'openat(5<ROOT/usr/bin>, "../outer/x", O_RDONLY) = -1 EACCES (Permission denied)',
      'openat /root/usr/bin/../outer/x',
    ],
    ['open("inner", O_RDONLY) = 3</root/etc>', 'open opened /root/etc'],
    ['open("/dev/shm/x", O_RDWR) = -1 ENOENT (No such file or directory)', 'open /dev/shm/x'],
    ['stat("/proc/1/root/etc", 0x7ffc) = 0', 'stat /proc/1/root/etc'],
    ['symlinkat("/etc/passwd", AT_FDCWD<ROOT/usr>, "link") = 0', 'symlinkat /etc/passwd'],
    ['bind(3<socket:[1]>, {sa_family=AF_UNIX, sun_path="/run/s"}, 110) = 0', 'bind /run/s'],
    ['rename("bin/a", "/tmp/a") = 0', 'rename /tmp/a'],
  ])('finds what does not: %s', async (call, found) => {
    expect((await check(call.replaceAll('ROOT', root))).outside).toEqual([found]);
  });

  it('knows where children and threads work', async () => {
    const { outside } = await check(
      'vfork( <unfinished ...>',
      '8 chdir("bin") = 0',
      '8 stat("../../etc", 0x7ffc) = 0',
      '<... vfork resumed>) = 8',
      'stat("../etc", 0x7ffc) = 0',
      'clone(child_stack=0x7ffc, flags=CLONE_VM|CLONE_FS|CLONE_THREAD, parent_tid=[9]) = 9',
      '9 chdir("bin") = 0',
      'stat("../../etc", 0x7ffc) = 0',
      'fchdir(3<ROOT/etc>) = 0'.replace('ROOT', root),
      '9 stat("../usr", 0x7ffc) = 0',
      '8 stat("../../../one", 0x7ffc) = 0',
      '9 stat("../../two", 0x7ffc) = 0',
    );
    expect(outside).toEqual(['stat /root/usr/bin/../../../one', 'stat /root/etc/../../two']);
  });
});
