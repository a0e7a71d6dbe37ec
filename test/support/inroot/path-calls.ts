import { execFile } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, lchownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { JAIL_USER } from '../jail/jail.js';
import { compile } from './compile.js';
import { inroot } from './inroot.js';

/** One call of path-calls.c: the operation and its arguments. */
export type PathCall = readonly (string | number)[];

/** A host folder that appears in the root. */
export interface Bind {
  host: string;
  guest: string;
}

/** Folders of every root: what the system mounts, and the binds, lie over them. */
const MOUNT_POINTS = ['proc', 'dev', 'sys'];

/** Programs and folders to make the same calls in a chroot and under the runner. */
export class PathCalls {
  readonly #folder: string;
  readonly #program: string;
  readonly #runner: string;

  /** @param folder - a new one, of which the roots will be part */
  constructor(folder: string) {
    this.#folder = folder;
    chmodSync(folder, 0o755); // the runner's user must get to its root
    this.#program = compile('path-calls', folder, { flags: ['-static'] });
    this.#runner = join(folder, 'runner');
    copyFileSync(inroot(), this.#runner);
  }

  /** Where the root of one side may be made: around it lie files that nothing in it may reach. */
  makeSurroundings(side: string): string {
    const around = join(this.#folder, side);
    mkdirSync(around);
    for (const decoy of ['a', 'b', 'c', 'l1']) writeFileSync(join(around, decoy), 'outside');
    return join(around, 'root');
  }

  /** An empty root for one side, in its surroundings, with what both sides need in it. */
  makeRoot(side: string, binds: readonly string[] = []): string {
    const root = this.makeSurroundings(side);
    mkdirSync(root);
    this.finishRoot(root, binds);
    return root;
  }

  /** Puts into a root what both sides need, and gives all of it to the user. */
  finishRoot(root: string, binds: readonly string[] = []): void {
    for (const name of [...MOUNT_POINTS, ...binds]) mkdirSync(join(root, name), { recursive: true });
    own(root);
    // What mounts lie in stays open to everybody: the runner takes their paths for its host's.
    for (const folder of ['', ...binds.map(dirname)]) {
      chownSync(join(root, folder), 0, 0);
      chmodSync(join(root, folder), 0o777);
    }
    copyFileSync(this.#program, join(root, 'p'));
    chownSync(join(root, 'p'), 0, 0);
    chmodSync(join(root, 'p'), 0o755);
  }

  /** What the calls answer in a chroot. */
  inChroot(root: string, calls: readonly PathCall[], binds: readonly Bind[] = []): Promise<string[]> {
    const mounts = binds.flatMap(({ host, guest }) => [host, guest]);
    return run(this.#program, ['enter', root, `${JAIL_USER.uid}`, `${JAIL_USER.gid}`, ...mounts], calls, {});
  }

  /** What they answer under the runner. */
  inRunner(root: string, calls: readonly PathCall[], binds: readonly Bind[] = []): Promise<string[]> {
    const options = binds.flatMap(({ host, guest }) => ['--bind', host, guest]);
    return run(this.#runner, [...options, '--chdir', '/', root, '/p'], calls, JAIL_USER);
  }
}

/** Gives a tree to the user. */
export function own(path: string): void {
  lchownSync(path, JAIL_USER.uid, JAIL_USER.gid);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) own(join(path, entry.name));
    else lchownSync(join(path, entry.name), JAIL_USER.uid, JAIL_USER.gid);
  }
}

/** The lines of the program's output. */
function run(file: string, args: string[], calls: readonly PathCall[], user: object): Promise<string[]> {
  const options = { ...user, cwd: '/', env: {}, timeout: 60_000, maxBuffer: 64 << 20, encoding: 'latin1' } as const;
  return new Promise((resolve, reject) => {
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      if (error || stderr !== '')
        reject(new Error(`${file} ${args.join(' ')}: ${stderr}\n${stdout}`, { cause: error }));
      else resolve(stdout.trimEnd().split('\n'));
    });
    child.stdin?.end(calls.map((call) => `${call.map(encoded).join('\t')}\n`).join(''));
  });
}

/** A word of a line: printable ASCII but %, a lone % for nothing. */
function encoded(word: string | number): string {
  if (word === '') return '%';
  return Buffer.from(`${word}`, 'latin1')
    .toString('latin1')
    .replace(/[^!-$&-~]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
