import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runnersLinks, verbatimLinks } from '../../../../src/oci/rootfs/link-target.js';
import { FileView } from '../../../../supervisor/container/file-view.js';

let base: string;
let view: FileView;
const root = (path: string) => join(base, 'root', path);

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'scar-view-'));
  mkdirSync(root('etc'), { recursive: true });
  mkdirSync(root('opt/app'), { recursive: true });
  mkdirSync(join(base, 'bound'));
  view = new FileView(join(base, 'root'), [
    { host: join(base, 'bound'), container: '/tmp' },
    { host: join(base, 'hosts'), container: '/etc/hosts' },
  ]);
});
afterEach(() => rmSync(base, { recursive: true }));

it('finds files of the root and of what is bound over it', () => {
  expect(view.resolve('/etc/passwd')).toBe(root('etc/passwd'));
  expect(view.resolve('/etc/hosts')).toBe(join(base, 'hosts'));
  expect(view.resolve('/etc/hosts2')).toBe(root('etc/hosts2'));
  expect(view.resolve('/tmp/r/output/x')).toBe(join(base, 'bound/r/output/x'));
  expect(view.resolve('/tmpx')).toBe(root('tmpx'));
});

it('never leaves by .. or by links', () => {
  symlinkSync('/etc/passwd', root('absolute'));
  symlinkSync('../../../../../../etc/passwd', root('opt/climbing'));
  symlinkSync('/', root('opt/slash'));
  expect(view.resolve('/../../etc/passwd')).toBe(root('etc/passwd'));
  expect(view.resolve('/absolute')).toBe(root('etc/passwd'));
  expect(view.resolve('/opt/climbing')).toBe(root('etc/passwd'));
  expect(view.resolve('/opt/slash/opt/slash/etc')).toBe(root('etc'));
});

it('takes .. behind a link from where the link leads', () => {
  symlinkSync('/opt/app', root('link'));
  expect(view.resolve('/link/../x')).toBe(root('opt/x'));
});

it('follows links between the root and what is bound', () => {
  symlinkSync('/tmp/data', root('opt/data'));
  symlinkSync('/etc/passwd', join(base, 'bound/p'));
  expect(view.resolve('/opt/data/f')).toBe(join(base, 'bound/data/f'));
  expect(view.resolve('/tmp/p')).toBe(root('etc/passwd'));
});

it('knows absolute links that the runner made, with paths of the host', () => {
  symlinkSync(root('etc/passwd'), root('opt/made'));
  symlinkSync(join(base, 'bound/r/x'), root('opt/into'));
  expect(view.resolve('/opt/made')).toBe(root('etc/passwd'));
  expect(view.resolve('/opt/into')).toBe(join(base, 'bound/r/x'));
});

it('knows links that only the runner can follow, and those that the unpacker made', () => {
  symlinkSync(runnersLinks(['/tmp']).stored('/tmp/data', 'opt'), root('opt/data'));
  symlinkSync(runnersLinks([]).stored('../../../etc/passwd', 'opt'), root('opt/climbing'));
  symlinkSync(runnersLinks([]).stored('/etc/passwd', 'opt'), root('opt/absolute'));
  expect(view.resolve('/opt/data/f')).toBe(join(base, 'bound/data/f'));
  expect(view.resolve('/opt/climbing')).toBe(root('etc/passwd'));
  expect(view.resolve('/opt/absolute')).toBe(root('etc/passwd'));
});

it('takes links as they are where the kernel does, too', () => {
  const seen = new FileView(join(base, 'root'), [], verbatimLinks);
  mkdirSync(root('opt/etc'));
  writeFileSync(root('opt/etc/passwd'), '');
  symlinkSync('..//opt/etc/passwd', root('opt/relative'));
  symlinkSync('.//etc/passwd', root('opt/own'));
  symlinkSync('/etc/passwd', root('opt/absolute'));
  expect(seen.resolve('/opt/relative')).toBe(root('opt/etc/passwd'));
  expect(seen.resolve('/opt/own')).toBe(root('opt/etc/passwd'));
  expect(seen.resolve('/opt/absolute')).toBe(root('etc/passwd'));
});

it('gives up on a circle', () => {
  symlinkSync('b', root('a'));
  symlinkSync('a', root('b'));
  expect(view.resolve('/a')).toBeUndefined();
});
