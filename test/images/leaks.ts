import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runnerSources } from '../support/inroot/compile.js';
import { descriptorPath, readTrace, stringArgument, type TracedCall } from './strace.js';

/** What a trace must show: by strace's judgement all calls with file names; addresses of sockets; who starts whom, and where. */
export const TRACED = ['%file', 'bind', 'connect', 'sendto', 'sendmsg', 'fchdir', 'clone', 'clone3', 'fork', 'vfork'];

const SOCKET_CALLS = ['bind', 'connect', 'sendto', 'sendmsg'];

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
 * Checks every path that a guest's processes, and the runner in them, gave to the kernel since the runner was started.
 *
 * @param log - strace's
 * @param runner - host path of the runner's executable
 * @param inside - host paths that may be reached, with all below them; /proc, /dev and /sys are among them by themselves
 */
export async function checkPaths(log: string, runner: string, inside: readonly string[]): Promise<PathCheck> {
  const calls = await readTrace(log);
  const started = calls.findIndex(({ name, args }) => name === 'execve' && stringArgument(args[0]) === runner);
  if (started === -1) throw new Error(`the trace must have an execve of ${runner}`);
  const check: PathCheck = { paths: 0, outside: [] };
  const directories = new WorkingDirectories();
  const judge = new Judge([...inside, runner]);
  for (const call of calls.slice(started)) {
    const cwd = directories.of(call);
    for (const path of pathsOf(call, cwd)) {
      check.paths++;
      if (!judge.isInside(path)) check.outside.push(`${call.name} ${path}`);
    }
    const opened = descriptorPath(call.result);
    if (opened !== undefined && !judge.isInside(opened)) check.outside.push(`${call.name} opened ${opened}`);
    directories.note(call);
  }
  return check;
}

function pathsOf(call: TracedCall, cwd: string): string[] {
  if (SOCKET_CALLS.includes(call.name)) {
    const address = /sun_path=("(?:[^"\\]|\\.)*")/.exec(call.args.join())?.[1];
    const path = stringArgument(address);
    return path ? [resolveAgainst(cwd, path)] : [];
  }
  const places = pathArguments.get(call.name) ?? [];
  const paths = places.flatMap(({ dir, path }) => {
    const text = stringArgument(call.args[path]);
    if (!text) return []; // none, or the descriptor itself
    return [resolveAgainst(dir === undefined ? cwd : (descriptorPath(call.args[dir]) ?? cwd), text)];
  });
  // The kernel follows an absolute target from the host's root.
  const target = call.name.startsWith('symlink') ? stringArgument(call.args[0]) : undefined;
  return target?.startsWith('/') ? [...paths, target] : paths;
}

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
    if (/^clone|fork$/.test(call.name)) {
      const shared = call.args.some((argument) => argument.includes('CLONE_FS'));
      this.#of.set(Number.parseInt(call.result, 10), shared ? entry : { ...entry });
    }
  }
}

/** Tells where paths lead: links are followed as they are on the disk when it is asked. */
class Judge {
  readonly #inside: readonly string[];
  readonly #known = new Map<string, boolean>();
  readonly #real = new Map<string, string>();

  constructor(inside: readonly string[]) {
    this.#inside = inside;
  }

  isInside(path: string): boolean {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const plain = !path.includes('/..');
    const answer = (plain && isSystem(path)) || this.#holds(this.#resolve(path));
    this.#known.set(path, answer);
    return answer;
  }

  #holds(path: string): boolean {
    return isSystem(path) || this.#inside.some((folder) => path === folder || path.startsWith(`${folder}/`));
  }

  /** What is not there, or no more, lies in what its folder is. */
  #resolve(path: string): string {
    const known = this.#real.get(path);
    if (known !== undefined) return known;
    const real =
      realPath(path) ?? (path === '/' ? path : join(this.#resolve(dirname(path)), path.slice(dirname(path).length)));
    this.#real.set(path, real);
    return real;
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch {
    return undefined;
  }
}

/** /dev/shm is bound, and through /proc/PID/root everything could be reached. */
function isSystem(path: string): boolean {
  if (/^\/dev\/shm(\/|$)/.test(path) || /^\/proc\/.*\/root\/./.test(path)) return false;
  return /^\/(proc|dev|sys)(\/|$)/.test(path) || path.startsWith('/memfd:');
}
