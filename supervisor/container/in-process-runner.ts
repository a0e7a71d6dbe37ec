import type { Appearance, HostCommand, ProcessSpec, Runner } from './runner.js';

/** Runs programs by `inroot`, the in-process loader of supervisor/inroot. */
export class InProcessRunner implements Runner {
  readonly name = 'in-process';
  readonly #executable: string;

  /** @param executable - host path of the loader */
  constructor(executable: string) {
    this.#executable = executable;
  }

  command({ rootfs, argv, environment, cwd, binds, appearance }: ProcessSpec): HostCommand {
    const options = binds.flatMap(({ host, container }) => ['--bind', host, container]);
    if (appearance) options.push(...userOptions(appearance));
    return { file: this.#executable, args: [...options, '--chdir', cwd, rootfs, ...argv], environment };
  }
}

function userOptions({ uid, gid, groups, owners }: Appearance): string[] {
  return ['--user', [`${uid}:${gid}`, ...groups].join(), '--owners', owners];
}
