import type { HostCommand, ProcessSpec, Runner } from './runner.js';

/** Runs programs by `inroot`, the in-process loader of supervisor/inroot. */
export class InProcessRunner implements Runner {
  readonly name = 'in-process';
  readonly #executable: string;

  /** @param executable - host path of the loader */
  constructor(executable: string) {
    this.#executable = executable;
  }

  command({ rootfs, argv, environment, cwd, binds, undo }: ProcessSpec): HostCommand {
    const options = binds.flatMap(({ host, container }) => ['--bind', host, container]);
    return { file: this.#executable, args: [...options, '--undo', undo, '--chdir', cwd, rootfs, ...argv], environment };
  }
}
