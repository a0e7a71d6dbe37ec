import type { HostCommand, ProcessSpec, Runner } from './runner.js';

/** Runs programs by `inroot`, the in-process loader of supervisor/inroot. */
export class InProcessRunner implements Runner {
  readonly name = 'in-process';
  readonly #executable: string;

  /** @param executable - host path of the loader */
  constructor(executable: string) {
    this.#executable = executable;
  }

  command({ rootfs, codeCache, argv, environment, cwd, binds }: ProcessSpec): HostCommand {
    const options = binds.flatMap(({ host, container }) => ['--bind', host, container]);
    options.push('--cache', codeCache, '--chdir', cwd);
    return { file: this.#executable, args: [...options, rootfs, ...argv], environment };
  }
}
