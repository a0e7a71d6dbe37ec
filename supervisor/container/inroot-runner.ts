import type { RunnerName } from '../../src/contract/index.js';
import type { Appearance, HostCommand, ProcessSpec, Runner } from './runner.js';

/** What each way asks of `inroot`. */
const OPTIONS: Readonly<Record<RunnerName, readonly string[]>> = {
  'in-process': [],
  namespaces: ['--namespaces'],
};

/** Runs programs by `inroot`, the loader of supervisor/inroot. */
export class InrootRunner implements Runner {
  readonly name: RunnerName;
  readonly #executable: string;

  /** @param executable - host path of the loader */
  constructor(name: RunnerName, executable: string) {
    this.name = name;
    this.#executable = executable;
  }

  command({ rootfs, codeCache, argv, environment, cwd, binds, renewed, undo, appearance }: ProcessSpec): HostCommand {
    const options = binds.flatMap(({ host, container }) => ['--bind', host, container]);
    options.push(...renewed.flatMap((folder) => ['--renew', folder]));
    if (appearance) options.push(...userOptions(appearance));
    return {
      file: this.#executable,
      args: [...OPTIONS[this.name], ...options, '--undo', undo, '--cache', codeCache, '--chdir', cwd, rootfs, ...argv],
      environment,
    };
  }
}

function userOptions({ uid, gid, groups, owners }: Appearance): string[] {
  return ['--user', [`${uid}:${gid}`, ...groups].join(), '--owners', owners];
}
