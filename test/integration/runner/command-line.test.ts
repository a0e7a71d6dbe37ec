import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { inroot } from '../../support/inroot/inroot.js';
import { isInstalled } from '../../support/installed.js';
import { rootFileSystem, rootsMissing } from '../../support/roots/roots.js';
import { mountMissing, mountTmpfs } from '../../support/tmpfs.js';

const missing = rootsMissing;

describe.skipIf(missing)(`the runner's command line${missing ? ` (${missing})` : ''}`, () => {
  let runner: string;
  let root: string;
  let folder: string;

  beforeAll(async () => {
    runner = inroot();
    root = await rootFileSystem('static');
  }, 900_000);
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'inroot-')));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function run(...args: string[]): SpawnSyncReturns<string> {
    return spawnSync(runner, args, {
      encoding: 'utf8',
      cwd: folder,
      env: { PATH: '/bin', GREETING: 'hello' },
      timeout: 30_000,
    });
  }

  it('says how it is used', () => {
    const { status, stdout } = run('--help');
    expect(status).toBe(0);
    expect(stdout).toContain(
      'inroot [--bind HOST GUEST]... [--chdir GUEST] [--user UID:GID[,GROUP]... [--owners HOST]]',
    );
  });

  it('becomes the program: its exit code, its arguments, its environment', () => {
    const { status, stdout, stderr } = run(root, 'sh', '-c', 'echo "$GREETING $0 $1 $#"; exit 42', 'a b', '');
    expect({ status, stdout, stderr }).toEqual({ status: 42, stdout: 'hello a b  1\n', stderr: '' });
  });

  it.each(['SIGTERM', 'SIGKILL', 'SIGSEGV', 'SIGTRAP'])('dies of the same signal: %s', (signal) => {
    const { status, signal: died } = run(root, '/bin/sh', '-c', `kill -${signal.slice(3)} $$`);
    expect({ status, died }).toEqual({ status: null, died: signal });
  });

  it('keeps the process', () => {
    const { stdout, pid } = run(root, 'sh', '-c', 'echo $$');
    expect(Number(stdout)).toBe(pid);
  });

  it.each([
    [127, 'not found in the root: nothing', ['nothing']],
    [127, 'not found in the root: /nothing', ['/nothing']],
    [127, 'not found in the root: /opt/t/orphan', ['/opt/t/orphan']],
    [127, 'not found in the root: ', ['']],
    [126, 'not executable: /etc/passwd', ['/etc/passwd']],
    [126, 'not executable: /etc', ['/etc']],
    [126, 'neither a script nor a program for this machine: /opt/t/plain', ['/opt/t/plain']],
  ])('exits with %i and one line: %s', (code, message, args) => {
    const { status, stdout, stderr } = run(root, ...args);
    expect({ status, stdout, stderr }).toEqual({ status: code, stdout: '', stderr: `inroot: ${message}\n` });
  });

  it.each([
    ['expected ROOT and PROGRAM', []],
    ['expected ROOT and PROGRAM', ['/']],
    ['unknown option', ['--nonsense', '/', 'true']],
    ['unknown option', ['--bind', '/tmp']],
    ['--bind: not found', ['--bind', '/nothing', '/x', '/', 'true']],
    ['--bind: must be an absolute path', ['--bind', '/tmp', 'x', '/', 'true']],
    ['--bind: must be an absolute path', ['--bind', '/tmp', '/a/../b', '/', 'true']],
    ['ROOT is no directory', ['/nothing', 'true']],
    ['ROOT is no directory', ['/etc/passwd', 'true']],
    ['--chdir: no such directory', ['--chdir', '/nothing', '/', 'true']],
    ['--user: must be UID:GID', ['--user', 'root', '/', 'true']],
    ['--user: must be UID:GID', ['--user', '0', '/', 'true']],
    ['--user: must be UID:GID', ['--user', '0:0,', '/', 'true']],
    ['--user: must be UID:GID', ['--user', '0:4294967295', '/', 'true']],
    ['--owners: cannot be made', ['--owners', '/nothing/owners', '/', 'true']],
  ])('exits with 125 when the command line is wrong: %s', (message, args) => {
    const { status, stderr } = run(...args);
    expect(status).toBe(125);
    expect(stderr).toMatch(/^inroot: .*\n$/);
    expect(stderr).toContain(message);
  });

  it('refuses more binds than it has room for', () => {
    const binds = Array.from({ length: 40 }, (_, i) => ['--bind', folder, `/tmp/b${i}`]).flat();
    const { status, stderr } = run(...binds, root, 'true');
    expect({ status, stderr }).toMatchObject({ status: 125, stderr: expect.stringContaining('too many') });
  });

  it('shows host folders and files where they are bound', () => {
    mkdirSync(join(folder, 'in'));
    writeFileSync(join(folder, 'in/file'), 'content\n');
    const { status, stdout, stderr } = run(
      ...[
        '--bind',
        join(folder, 'in'),
        '/tmp/inroot-test//bound/',
        '--bind',
        join(folder, 'in/file'),
        '/tmp/inroot-test/alone',
      ],
      ...['--chdir', '/tmp/inroot-test/bound', root],
      ...[
        'sh',
        '-c',
        'pwd; cat file /tmp/inroot-test/alone; echo new >made; ls /tmp/inroot-test; rm -r /tmp/inroot-test 2>/dev/null',
      ],
    );
    expect({ status, stderr }).toMatchObject({ stderr: '' });
    expect(stdout).toBe('/tmp/inroot-test/bound\ncontent\ncontent\nalone\nbound\n');
    rmSync(join(root, 'tmp/inroot-test'), { recursive: true, force: true });
  });

  it('stays where it is if that is in the root, and starts in / otherwise', () => {
    expect(run(root, 'pwd').stdout).toBe('/\n');
    const inside = spawnSync(runner, [root, 'pwd'], {
      encoding: 'utf8',
      cwd: join(root, 'opt/t'),
      env: { PATH: '/bin' },
    });
    expect(inside.stdout).toBe('/opt/t\n');
  });

  it('takes a root that is named by a link, and the host itself', () => {
    symlinkSync(root, join(folder, 'link'));
    expect(run(join(folder, 'link'), 'sh', '-c', 'cd /opt/t && pwd -P').stdout).toBe('/opt/t\n');
    expect(run('/', '/bin/sh', '-c', 'cd /etc && pwd -P').stdout).toBe('/etc\n');
  });

  it('shows the user that it is told, and otherwise the real one', () => {
    expect(run('--user', '33:5,1,7', root, 'sh', '-c', 'id; exec id -u').stdout).toBe('uid=33 gid=5 groups=1,7\n33\n');
    expect(run(root, 'id', '-u').stdout).toBe(`${process.getuid?.()}\n`);
  });

  it("shows the real user's files as those of the user that it is told", () => {
    writeFileSync(join(folder, 'file'), '');
    const { stdout } = run(
      '--user',
      '33:5',
      '--bind',
      folder,
      '/tmp/bound',
      root,
      'stat',
      '-c',
      '%u:%g',
      '/tmp/bound/file',
    );
    expect(stdout).toBe('33:5\n');
  });

  it('remembers owners where it is told to, for all that are told the same', () => {
    const file = '/tmp/bound/file';
    const bound = ['--user', '0:0', '--bind', folder, '/tmp/bound'];
    const owners = ['--owners', join(folder, 'owners')];
    const give = ['sh', '-c', `: >${file}; chown 1:2 ${file} && stat -c %u:%g ${file}`];
    expect(run(...bound, root, ...give).stdout).toBe('0:0\n');
    expect(run(...bound, ...owners, root, ...give).stdout).toBe('1:2\n');
    expect(run(...bound, ...owners, root, 'stat', '-c', '%u:%g', file).stdout).toBe('1:2\n');
    expect(statSync(join(folder, 'file')).uid).toBe(process.getuid?.());
  });

  it.skipIf(mountMissing)('says so when there is no room to remember', () => {
    using small = mountTmpfs(1);
    const bound = ['--user', '0:0', '--bind', folder, '/tmp/bound', '--bind', small.path, '/tmp/small'];
    const owners = ['--owners', join(small.path, 'owners')];
    const script = `cd /tmp/bound; : >first; chown 1 first; dd if=/dev/zero of=/tmp/small/full bs=4k 2>/dev/null
      for i in $(seq 5000); do : >$i; done; chown 2 [0-9]*; stat -c %u first; stat -c %u [0-9]* | sort -u`;
    const { stdout, stderr } = run(...bound, ...owners, root, 'sh', '-c', script);
    expect(stdout).toBe('1\n0\n2\n');
    expect(stderr).toMatch(/^(chown: \d+: No space left on device\n)+$/);
  });

  it('leaves no trace of itself in what the program can see of its process', () => {
    const { stdout } = run(root, '/bin/cat', '/proc/self/cmdline');
    expect(stdout.replace(/\0+$/, '').split('\0')).toEqual(['/bin/cat', '/proc/self/cmdline']);
    expect(run(root, 'env').stdout.split('\n').sort().join(' ').trim()).toBe('GREETING=hello PATH=/bin');
    expect(run(root, 'cat', '/proc/self/comm').stdout).toBe('cat\n');
  });

  it('is small', () => expect(readFileSync(runner).length).toBeLessThan(100_000));
});

const arm64Missing = ['aarch64-linux-gnu-gcc', 'qemu-aarch64-static'].every(isInstalled)
  ? undefined
  : 'needs the Debian packages gcc-aarch64-linux-gnu and qemu-user-static';

describe.skipIf(arm64Missing)(`the runner for arm64${arm64Missing ? ` (${arm64Missing})` : ''}`, () => {
  const run = (emulator: string[], ...args: string[]) =>
    spawnSync('qemu-aarch64-static', [...emulator, inroot('arm64'), ...args], { encoding: 'utf8', timeout: 30_000 });

  it('starts, and is small', () => {
    expect(run([], '--help')).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(inroot('arm64')).length).toBeLessThan(100_000);
  });

  it('knows a program for another machine', () => {
    const { status, stderr } = run([], '/', process.execPath);
    expect(status).toBe(126);
    expect(stderr).toContain('neither a script nor a program for this machine');
  });

  it.each([16_384, 65_536])('says that it cannot do with pages of %i bytes', (bytes) => {
    const { status, stderr } = run(['-p', String(bytes)], '--help');
    expect({ status, stderr }).toEqual({ status: 125, stderr: 'inroot: needs a kernel with memory pages of 4 KiB\n' });
  });
});
