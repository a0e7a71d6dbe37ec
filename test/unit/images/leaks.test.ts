import { appendFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LeakCheck } from '../../images/leaks.js';

/** What a trace shows of a container whose root is `folder/root`, with `folder/tmp` bound. */
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

  const place = (text: string) =>
    text
      .replaceAll(/\bROOT\b/g, root)
      .replaceAll('TMP', join(folder, 'tmp'))
      .replaceAll('RUN', folder);

  /** Checks the calls of a process that has just become the runner, in the root's /usr; 6 is the supervisor. */
  async function check(...calls: string[]) {
    const options =
      '"--bind", "TMP", "/tmp", "--renew", "RUN/folders/shm", "--user", "0:0", "--owners", "RUN/owners", "--undo", "RUN/undo", "--cache", "RUN/code"';
    const lines = [
      '6 execve("/usr/bin/node", ["node"], 0x7ffc /* 1 var */) = 0',
      '6 clone(child_stack=NULL, flags=SIGCHLD) = 7',
      '7 access("/before/it", R_OK) = 0',
      `7 execve("/inroot", ["/inroot", ${options}, "--chdir", "/", "ROOT", "/bin/sh", "/root"], 0x7ffc /* 1 var */) = 0`,
      '7 chdir("ROOT/usr") = 0',
      ...calls.map((call) => (/^\d/.test(call) ? call : `7 ${call}`)),
    ];
    const log = join(folder, 'log');
    writeFileSync(log, place(lines.map((line) => `${line}\n`).join('')));
    const { paths, outside } = await new LeakCheck(log, '/inroot').check();
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
    'openat(AT_FDCWD</>, "RUN/owners", O_RDWR) = 4<RUN/owners>',
    'openat(5<RUN/folders/shm>, "..", O_RDONLY|O_DIRECTORY) = 6<RUN/folders>',
    'mkdir("/", 0777) = -1 EEXIST (File exists)',
    'openat2(5<ROOT/usr>, "/bin", {flags=O_PATH, resolve=RESOLVE_NO_XDEV|RESOLVE_IN_ROOT}, 24) = 6<ROOT/usr/bin>',
    'openat(4<RUN/undo>, "journal", O_WRONLY|O_CREAT, 0600) = 5<RUN/undo/journal>',
    'openat(AT_FDCWD</>, "RUN/code/0123456789abcdef.7", O_WRONLY|O_CREAT, 0600) = 5<RUN/code/0123456789abcdef.7>',
  ])('counts what stays inside: %s', async (call) => {
    expect(await check(call)).toEqual({ paths: 1, outside: [] });
  });

  it("leaves the supervisor's own paths alone", async () => {
    const calls = [
      '6 open("/etc/passwd", O_RDONLY) = 3</etc/passwd>',
      '6 clone(flags=CLONE_THREAD) = 9',
      '9 stat("/etc", 0x7ffc) = 0',
    ];
    expect(await check(...calls)).toEqual({ paths: 0, outside: [] });
  });

  it("leaves an emulator what it asks of the folders on the way, and looks at the guest's paths below its own folder", async () => {
    await check();
    const log = join(folder, 'log');
    const leaks = new LeakCheck(log, '/inroot', '/emulator');
    await leaks.check();
    const calls = [
      '7 readlink("RUN", 0x7ffc, 1023) = -1 EINVAL (Invalid argument)',
      '7 readlink("RUN", "/elsewhere", 1023) = 10',
      '7 stat("RUN", 0x7ffc) = 0',
      '7 readlink("RUN/other", 0x7ffc, 1023) = -1 EINVAL (Invalid argument)',
      `7 stat("/emulator${root}/etc", 0x7ffc) = -1 ENOENT (No such file or directory)`,
      '7 stat("/emulator/etc", 0x7ffc) = -1 ENOENT (No such file or directory)',
    ];
    appendFileSync(log, place(calls.map((call) => `${call}\n`).join('')));
    const { paths, outside } = await leaks.check();
    const found = ['readlink RUN', 'stat RUN', 'readlink RUN/other', 'stat /emulator/etc'];
    expect({ paths, outside }).toEqual({ paths: 3, outside: found.map(place) });
  });

  it('reads a log that grows', async () => {
    await check();
    const log = join(folder, 'log');
    const leaks = new LeakCheck(log, '/inroot');
    await leaks.check();
    appendFileSync(log, '7 stat("/etc/one", 0x7ffc) = 0\n7 stat("/etc/tw');
    expect((await leaks.check()).outside).toEqual(['stat /etc/one']);
    appendFileSync(log, 'o", 0x7ffc) = 0\n');
    expect(await leaks.check()).toEqual({ paths: 1, outside: ['stat /etc/two'] });
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
    ['sendmmsg(3<socket:[1]>, [{msg_name={sun_path="TMP/s"}}, {msg_name={sun_path="/s"}}], 2, 0) = 2', 'sendmmsg /s'],
    ['chmod("/", 0700) = -1 EPERM (Operation not permitted)', 'chmod /'],
    ['openat2(5<ROOT/usr>, "/bin", {flags=O_PATH, resolve=RESOLVE_BENEATH}, 24) = -1 EXDEV (Invalid)', 'openat2 /bin'],
    [
      'openat(5<RUN/folders>, "other", O_RDONLY) = 6<RUN/folders/other>',
      'openat /folders/other',
      'openat opened /folders/other',
    ],
    ['open("RUN/owners.old", O_RDWR) = -1 ENOENT (No such file or directory)', 'open /owners.old'],
    ['open("RUN/undo/other", O_RDWR) = -1 ENOENT (No such file or directory)', 'open /undo/other'],
    ['open("RUN/code/0123456789abcdef/x", O_RDWR) = -1 ENOTDIR (Not a directory)', 'open /code/0123456789abcdef/x'],
  ])('finds what does not: %s', async (call, ...found) => {
    expect((await check(call)).outside).toEqual(found);
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
      'fchdir(3<ROOT/etc>) = 0',
      '9 stat("../usr", 0x7ffc) = 0',
      '8 stat("../../../one", 0x7ffc) = 0',
      '9 stat("../../two", 0x7ffc) = 0',
    );
    expect(outside).toEqual(['stat /root/usr/bin/../../../one', 'stat /root/etc/../../two']);
  });
});
