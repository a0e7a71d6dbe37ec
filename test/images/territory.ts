import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The runner's options that have values, and how many (`inroot --help`). */
const VALUES: Readonly<Record<string, number>> = {
  '--bind': 2,
  '--cache': 1,
  '--chdir': 1,
  '--owners': 1,
  '--renew': 1,
  '--undo': 1,
  '--user': 1,
};

/** Names of what the runner itself keeps in the folders that these options name (code_cache.c; keep.c, inode_set.c). */
const OWN_FILES: Readonly<Record<string, RegExp>> = {
  '--cache': /^(since|[0-9a-f]{16}(\.\d+)?)$/,
  '--undo': /^(journal|copy|inodes|\d+)$/,
};

/** Which files of the host a container may reach: what its runner's command line names. */
export class Territory {
  /** Host paths that may be reached with all below them. */
  readonly #folders: string[] = [];
  /** Host paths that may be reached, and nothing below them but the names that match. */
  readonly #own: { path: string; names: RegExp | undefined }[] = [];
  readonly #known = new Map<string, boolean>();
  readonly #real = new Map<string, string>();

  /** @param command - the runner and its arguments */
  constructor([runner = '', ...args]: readonly string[]) {
    this.#own.push({ path: runner, names: undefined });
    let at = 0;
    for (let option = args[at]; option?.startsWith('--'); option = args[at]) {
      const value = args[at + 1] ?? '';
      if (option === '--bind') this.#folders.push(value);
      // The flags that a new folder in it would have are those of the one above.
      if (option === '--renew') this.#own.push({ path: dirname(value), names: undefined });
      if (option === '--owners' || OWN_FILES[option]) this.#own.push({ path: value, names: OWN_FILES[option] });
      at += 1 + (VALUES[option] ?? 0);
    }
    const root = args[at];
    if (!root?.startsWith('/')) throw new Error(`the command line must name a root: ${args.join(' ')}`);
    this.#folders.push(root);
  }

  /** Where a path leads counts: links are followed as they are on the disk when it is asked. */
  includes(path: string): boolean {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const plain = !path.includes('/..');
    const answer = (plain && isSystem(path)) || this.#holds(this.#resolve(path));
    this.#known.set(path, answer);
    return answer;
  }

  /** Whether a path is a folder on the way to one that may be reached. */
  isAbove(path: string): boolean {
    return this.#folders.some((folder) => folder.startsWith(`${path}/`));
  }

  #holds(path: string): boolean {
    return (
      isSystem(path) ||
      this.#folders.some((folder) => path === folder || path.startsWith(`${folder}/`)) ||
      this.#own.some((own) => path === own.path || (path.startsWith(`${own.path}/`) && isOwn(path, own)))
    );
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

const isOwn = (path: string, own: { path: string; names: RegExp | undefined }) =>
  own.names?.test(path.slice(own.path.length + 1)) ?? false;

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
