import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeTreeSync } from '../../../src/util/remove-tree.js';
import { undoChanges } from '../../../supervisor/container/undo.js';
import { inroot } from '../../support/inroot/inroot.js';
import { isInstalled } from '../../support/installed.js';
import { readTree } from '../../support/tree.js';

const missing = ['gcc', 'make', 'busybox'].every(isInstalled) ? undefined : 'needs gcc, make and busybox-static';

/** What the image has in /data: every kind of entry, in every state that matters. */
const IMAGE = `
  umask 022; mkdir -p d/e closed sub/deep; echo alpha > a; echo beta > d/h; ln d/h b; echo gamma > d/e/f
  printf '#!/bin/sh\\necho hi\\n' > run; chmod 755 run; chmod 4755 run; echo key > secret; chmod 400 secret
  echo in > closed/in; echo deep > sub/deep/est; mkfifo pipe; mkdir empty
  ln -s d/h soft; ln -s d softd; ln -s /data/a hard; ln -s nowhere dangling; ln -s dangling chain
  ln -s ../data/a up; ln -s ../../data/sub sub/deep/up; ln -s /proc/self/cwd/a through; ln -s deep/../deep/est sub/through
  dd if=/dev/zero of=big bs=1k count=300 2>/dev/null; echo tail >> big
  find . -exec touch -h -d '2020-01-02 03:04:05' {} +; chmod 555 closed; touch -d '2020-01-02 03:04:05' closed`;

const words = (text: string) => fc.constantFrom(...text.trim().split(/\s+/));

const name = words(`
  a b d d/h d/e d/e/f closed closed/in closed/new sub sub/deep sub/deep/est empty empty/x run secret big
  soft softd softd/h softd/new hard dangling chain up sub/deep/up sub/deep/up/x through sub/through new new/x new/y d/new
  d/e/../h ./d//e/./f ../data/a /data/a /data/d/new /tmp/x /tmp/y`);

/** Nobody writes to these: they are nothing to open. */
const pipe = words('pipe new/pipe d/pipe');

const phrases = (text: string) => fc.constantFrom(...text.split(',').map((phrase) => phrase.trim()));

/** Commands of BusyBox, each a way to change a file system. */
const command = fc
  .oneof(
    fc.tuple(phrases('echo more >>, echo new >, : >, rm -f, rm -rf, rmdir, mkdir, mkdir -p, sed -i s/a/A/'), name),
    fc.tuple(phrases('touch, touch -h, chmod 700, chmod 0, chmod -R u+rwX, truncate -s 7, tar -C /tmp -cf'), name),
    fc.tuple(phrases('mv, mv -f, ln, ln -s, ln -sf, ln -f, cp, cp -a, cp -f, install -m 600'), name, name),
    fc.tuple(phrases('overwrite, by_descriptor'), name),
    fc.tuple(phrases('rm -f, chmod 600, touch -h, mkfifo'), pipe),
  )
  .map((parts) => parts.join(' '));

/** A program that opens a file for reading and changes it by way of /proc. */
const FUNCTIONS = `
  overwrite() { printf Z | dd of="$1" conv=notrunc 2>/dev/null; }
  by_descriptor() { (exec 3<"$1" && echo via >> /proc/self/fd/3 && chmod 640 /proc/self/fd/3); }`;

describe.skipIf(missing)(`changes in a rootfs (${missing ?? 'by containers'})`, () => {
  let folder: string;
  let images: string;
  let rootfs: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'scar-undo-'));
    images = join(folder, 'images');
    rootfs = join(images, 'rootfs');
    for (const name of ['bin', 'data', 'tmp', 'proc', 'dev']) mkdirSync(join(rootfs, name), { recursive: true });
    copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'));
    execFileSync('/bin/busybox', ['--install', '-s', join(rootfs, 'bin')]);
    run('make', IMAGE);
  });
  afterAll(() => removeTreeSync(folder));

  /** Runs a script in the root; without `undo`, what it does stays. */
  function run(container: string, script: string, undo = false): void {
    const own = join(folder, container);
    mkdirSync(join(own, 'tmp'), { recursive: true });
    writeFileSync(join(own, 'tmp/script'), script);
    const options = ['--bind', join(own, 'tmp'), '/tmp', '--chdir', '/data'];
    if (undo) options.push('--undo', join(own, 'undo'));
    execFileSync(inroot(), [...options, rootfs, '/bin/busybox', 'sh', '/tmp/script'], {
      env: { PATH: '/bin' },
      stdio: ['ignore', 'ignore', 'ignore'],
      timeout: 20_000,
    });
  }

  /** Programs that change what `chain` leads to, between files of the image and nothing, by links, hard links and folders. */
  const MOVING = `
    i=0; while [ $i -lt 150 ]; do
      ln -f d/h dangling; ln -sf nowhere dangling; ln -sf run hard; ln -sf a hard; ln -f a hard; mv -f hard dangling
      mkdir -p new; echo x >new/h; mv -f new swap; ln -s d new; rm -f new; rm -rf swap; ln -sf ../data/secret /tmp/away; ln -sf x /tmp/away
      i=$((i+1))
    done; : >/tmp/done`;
  const changing = (...commands: string[]) => `while [ ! -e /tmp/done ]; do ${commands.join('; ')}; done`;
  const WHILE_MOVED = {
    opened: [changing('echo x >>chain', ': >dangling', 'echo y >>dangling', 'echo z >hard', 'echo z >/tmp/away')],
    'given another mode or time': [changing('chmod 700 hard', 'touch chain', 'chmod 600 dangling', 'chmod 0 new/h')],
    'removed and made': [
      changing('rm -f new/h', 'ln -f new/h hard', 'mkdir new/e', 'rmdir new/e', 'mv -f new/h new/i'),
    ],
  };

  it.each(Object.entries(WHILE_MOVED))(
    'are taken back where others change what a path leads to while it is %s',
    (_, lines) => {
      const before = readTree(rootfs);
      const all = [MOVING, ...lines, ...lines].map((line) => `( ${line} ) 2>/dev/null &`);
      run('race', [...all, 'wait', 'exit 0'].join('\n'), true);
      undoChanges(join(folder, 'race'), images);
      removeTreeSync(join(folder, 'race'));
      expect(Object.fromEntries(readTree(rootfs))).toEqual(Object.fromEntries(before));
    },
    60_000,
  );

  it('are taken back, whatever they were', () => {
    const before = readTree(rootfs);
    let containers = 0;
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 25 }), fc.boolean(), (commands, atOnce) => {
        const container = `c${containers++}`;
        const lines = commands.map((line) => `( ${line} ) </dev/null ${atOnce ? '&' : ''}`);
        run(container, [FUNCTIONS, ...lines, 'wait', 'exit 0'].join('\n'), true);
        undoChanges(join(folder, container), images);
        removeTreeSync(join(folder, container));
        expect(Object.fromEntries(readTree(rootfs))).toEqual(Object.fromEntries(before));
      }),
      { numRuns: Number(process.env.SCAR_UNDO_RUNS ?? 60), endOnFailure: true },
    );
  }, 300_000);
});
