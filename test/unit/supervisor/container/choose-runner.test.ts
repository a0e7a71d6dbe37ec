import { expect, it } from 'vitest';
import { UnsupportedImageError } from '../../../../src/errors.js';
import { chooseRunner } from '../../../../supervisor/container/choose-runner.js';

const all = { mapCode: 0, patchCode: 0, makeCode: 0, handleTrap: 0, ptrace: 0, prctl: 0, chroot: 0, namespaces: 0 };
const lambda = { ...all, ptrace: 1, prctl: 1, chroot: 1, namespaces: 1 };

it('takes the in-process loader where that works, and says what else is denied', () => {
  const { runner, because } = chooseRunner('/run/inroot', lambda, undefined);
  expect(runner.name).toBe('in-process');
  expect(because).toBe('runner in-process; this place denies ptrace, prctl, chroot, namespaces');
  expect(chooseRunner('/run/inroot', all, undefined)).toMatchObject({
    runner: { name: 'in-process' },
    because: 'runner in-process; this place denies nothing that was tried',
  });
});

it('takes namespaces only where they are asked for and allowed', () => {
  expect(chooseRunner('/run/inroot', all, 'namespaces').runner.name).toBe('namespaces');
  const refused = () => chooseRunner('/run/inroot', lambda, 'namespaces');
  expect(refused).toThrow(UnsupportedImageError);
  expect(refused).toThrow(/namespaces is denied \(errno 1\).*runner: 'in-process', which works here/);
});

it('names the way out where code cannot be changed', () => {
  const strict = { ...lambda, patchCode: 13, makeCode: -1 };
  expect(() => chooseRunner('/run/inroot', strict, undefined)).toThrow(
    /runner in-process: patchCode is denied \(errno 13\), makeCode is answered by death. Run the image as a function of package type Image/,
  );
  expect(() => chooseRunner('/run/inroot', { ...strict, namespaces: 0 }, undefined)).toThrow(/runner: 'namespaces'/);
});

it('asks inroot for what was chosen', () => {
  const appearance = { uid: 1, gid: 2, groups: [3], owners: '/o' };
  const folders = { rootfs: '/r', renewed: ['/old'], undo: '/u', codeCache: '/c', cwd: '/', binds: [] };
  const spec = { ...folders, argv: ['sh'] as [string], environment: {}, appearance };
  expect(chooseRunner('/i', all, 'namespaces').runner.command(spec).args).toEqual([
    ...[
      '--namespaces',
      '--renew',
      '/old',
      '--user',
      '1:2,3',
      '--owners',
      '/o',
      '--undo',
      '/u',
      '--cache',
      '/c',
      '--chdir',
      '/',
      '/r',
      'sh',
    ],
  ]);
});
