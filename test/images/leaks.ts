import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runnerSources } from '../support/inroot/compile.js';
import { descriptorPath, stringArgument, stringArguments, type TracedCall, TraceReader } from './strace.js';
import { Territory } from './territory.js';

const SOCKET_CALLS = ['bind', 'connect', 'sendto', 'sendmsg', 'sendmmsg'];

const STARTING_CALLS = ['clone', 'clone3', 'fork', 'vfork'];

/** What a trace must show: by strace's judgement all calls with file names; addresses of sockets; who starts whom, and where. */
export const TRACED = ['%file', 'fchdir', ...SOCKET_CALLS, ...STARTING_CALLS];

export interface PathCheck {
  /** Paths that were given to the kernel. */
  paths: number;
  /** Those that led elsewhere than they may, with the call. */
  outside: string[];
}

/** Which arguments are paths, and relative to which descriptor: `undefined` is the working directory. */
const pathArguments = readTable();

function readTable(): Map<string, { dir: number | undefined; path: number }[]> {
  const text = ['syscalls.def', 'arch/x86_64/syscalls_arch.def'].map((part) =>
    readFileSync(join(runnerSources, part), 'utf8'),
  );
  const place = String.raw`(?:AT|CWD)\([^)]*\)|NONE`;
  const rows = text.join('').matchAll(new RegExp(String.raw`^CALL\((\w+),.*?(${place}),\s*(${place}),`, 'gm'));
  return new Map([...rows].map(([, name = '', ...places]) => [name, places.flatMap(parsePlace)]));
}

function parsePlace(place: string): { dir: number | undefined; path: number }[] {
  const numbers = (place.match(/\d+/g) ?? []).map(Number);
  const path = numbers.at(-1);
  return path === undefined ? [] : [{ dir: numbers.length > 1 ? numbers[0] : undefined, path }];
}

/**
 * Checks every path that the containers of an execution environment, and the runner in them, give to the kernel. The environment's other
 * processes are the supervisor's; one becomes a container's when it executes the runner.
 */
export class LeakCheck {
  readonly #reader: TraceReader;
  readonly #runner: string;
  /** The supervisor's processes and threads; it is the first that is seen. */
  readonly #supervisor = new Set<number>();
  readonly #directories = new WorkingDirectories();
  readonly #emulatorPrefix: string | undefined;
  #territory: Territory | undefined;

  /**
   * @param log - strace's, of the whole environment
   * @param runner - host path of the runner's executable
   * @param emulatorPrefix - host path of a folder in which an emulator looks for each path first: what it looks for must be inside
   */
  constructor(log: string, runner: string, emulatorPrefix?: string) {
    this.#reader = new TraceReader(log);
    this.#runner = runner;
    this.#emulatorPrefix = emulatorPrefix;
  }

  /** Checks what the log got since the last time; what its links led to must still be there. */
  async check(): Promise<PathCheck> {
    const check: PathCheck = { paths: 0, outside: [] };
    for (const call of await this.#reader.read()) {
      if (!this.#territory && this.#supervisor.size === 0) this.#supervisor.add(call.pid);
      const command = this.#supervisor.has(call.pid) ? this.#containerCommand(call) : undefined;
      if (command) {
        this.#supervisor.delete(call.pid);
        this.#territory = new Territory(command);
      }
      this.#noteStart(call);
      if (!this.#supervisor.has(call.pid)) this.#judge(call, check);
      this.#directories.note(call);
    }
    return check;
  }

  /** The runner and its arguments, if the call executes it for a container, and not to find out what is possible. */
  #containerCommand({ name, args, result }: TracedCall): string[] | undefined {
    if (name !== 'execve' || result !== '0' || stringArgument(args[0]) !== this.#runner) return undefined;
    const command = stringArguments(args[1]);
    return command.includes('--probe') ? undefined : command;
  }

  /** Numbers of processes are given out again. */
  #noteStart({ pid, name, result }: TracedCall): void {
    const child = Number.parseInt(result, 10);
    if (!STARTING_CALLS.includes(name) || !(child > 0)) return;
    if (this.#supervisor.has(pid)) this.#supervisor.add(child);
    else this.#supervisor.delete(child);
  }

  /** QEMU asks whether a path leads to /proc, by realpath(3), which reads every folder on the way as if it were a link. */
  #isEmulatorsRealPath({ name, result }: TracedCall, path: string): boolean {
    const isWay = name === 'readlink' && result.startsWith('-1 EINVAL') && this.#territory?.isAbove(path) === true;
    return isWay && this.#emulatorPrefix !== undefined;
  }

  #judge(call: TracedCall, check: PathCheck): void {
    const cwd = this.#directories.of(call);
    for (const path of pathsOf(call, cwd)) {
      if (this.#isEmulatorsRealPath(call, path)) continue;
      const isEmulators = this.#emulatorPrefix !== undefined && path.startsWith(`${this.#emulatorPrefix}/`);
      if (!isEmulators) check.paths++;
      const judged = isEmulators ? path.slice(this.#emulatorPrefix?.length) : path;
      if (!isOnlyRefused(call.name, judged) && !this.#territory?.includes(judged))
        check.outside.push(`${call.name} ${path}`);
    }
    const opened = descriptorPath(call.result);
    if (opened !== undefined && !this.#territory?.includes(opened)) {
      check.outside.push(`${call.name} opened ${opened}`);
    }
  }
}

function pathsOf(call: TracedCall, cwd: string): string[] {
  if (SOCKET_CALLS.includes(call.name)) {
    const addresses = call.args.join().matchAll(/sun_path=("(?:[^"\\]|\\.)*")/g);
    return [...addresses].flatMap(([, address]) => {
      const path = stringArgument(address);
      return path ? [resolveAgainst(cwd, path)] : [];
    });
  }
  const places = pathArguments.get(call.name) ?? [];
  const paths = places.flatMap(({ dir, path }) => {
    const text = stringArgument(call.args[path]);
    if (!text) return []; // none, or the descriptor itself
    const directory = dir === undefined ? cwd : (descriptorPath(call.args[dir]) ?? cwd);
    // openat2(2): the directory takes the place of the root.
    return [call.args.some(isInRoot) ? `${directory}/${text}` : resolveAgainst(directory, text)];
  });
  // The kernel follows an absolute target from the host's root.
  const target = call.name.startsWith('symlink') ? stringArgument(call.args[0]) : undefined;
  return target?.startsWith('/') ? [...paths, target] : paths;
}

/** The root's own name, which lies in no directory: the kernel refuses to make, remove or move it, and the runner has it say how (paths.c). */
const isOnlyRefused = (name: string, path: string) =>
  path === '/' && /^(mkdir|mknod|rmdir|unlink|rename|link|symlink)/.test(name);

const isInRoot = (argument: string) => /\bresolve=[A-Z_|]*RESOLVE_IN_ROOT\b/.test(argument);

/** Not path.join(): where a `..` leads is known only when the links before it are. */
const resolveAgainst = (directory: string, path: string) => (path.startsWith('/') ? path : `${directory}/${path}`);

/** The working directory of each process; threads share it (clone(2), CLONE_FS). */
class WorkingDirectories {
  readonly #of = new Map<number, { path: string }>();

  of({ pid, args }: TracedCall): string {
    const entry = this.#of.get(pid) ?? { path: '/' };
    this.#of.set(pid, entry);
    const shown = args.find((argument) => argument.startsWith('AT_FDCWD<'));
    entry.path = descriptorPath(shown) ?? entry.path;
    return entry.path;
  }

  note(call: TracedCall): void {
    const entry = this.#of.get(call.pid);
    if (!entry || call.result.startsWith('-1')) return;
    if (call.name === 'chdir') entry.path = resolveAgainst(entry.path, stringArgument(call.args[0]) ?? '.');
    if (call.name === 'fchdir') entry.path = descriptorPath(call.args[0]) ?? entry.path;
    if (STARTING_CALLS.includes(call.name)) {
      const shared = call.args.some((argument) => argument.includes('CLONE_FS'));
      this.#of.set(Number.parseInt(call.result, 10), shared ? entry : { ...entry });
    }
  }
}
