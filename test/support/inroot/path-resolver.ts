import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runnersLinks } from '../../../src/oci/index.js';
import { compile } from './compile.js';
import type { MadeEntry } from './path-arbitraries.js';

const PARTS = ['paths.c', 'walk.c', 'links.c', 'guest_memory.c', 'text.c', 'view.c'];

// Words of the guest are read at whatever address they have.
const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize=alignment', '-fno-sanitize-recover=all'];

/** A path, and how it is meant. */
export interface Query {
  /** Folder of the root, without links, that the path is relative to. */
  folder: string;
  last: 'followed' | 'itself' | 'entry';
  /** Flags of openat2(2). */
  resolve: number;
  path: string;
}

/** Where it leads by the runner, and by the kernel in a tree that needs no runner: a path, the name of an error, or `-`. */
export interface Answer {
  runner: string;
  kernel: string;
}

/** A root as the runner has it, with folders bound over it, and its twin: everything in its place, with links as they were meant. */
export class PathResolver {
  readonly #program: string;
  readonly #folder: string;
  readonly #binds: readonly string[];

  /**
   * @param folder - gets the program and the trees; canonical
   * @param binds - paths of the root at which folders from elsewhere appear
   */
  constructor(folder: string, binds: readonly string[]) {
    const watched = [
      '-iquote',
      join(import.meta.dirname, 'watched'),
      '-include',
      join(import.meta.dirname, 'guarded-scratch.h'),
    ];
    this.#program = compile('resolve-paths', folder, {
      parts: PARTS,
      flags: ['-g', '-O1', '-D_GNU_SOURCE', ...watched, ...SANITIZERS],
    });
    this.#folder = folder;
    this.#binds = binds;
  }

  get trees(): string {
    return join(this.#folder, 'trees');
  }

  /** Makes both trees of these entries. */
  make(entries: readonly MadeEntry[]): void {
    const links = runnersLinks(this.#binds);
    mkdirSync(join(this.trees, 'root'), { recursive: true });
    mkdirSync(this.#twin('.'));
    for (const guest of this.#binds) {
      for (const host of [this.#host(guest), join(this.trees, 'root', guest), this.#twin(guest)])
        mkdirSync(host, { recursive: true });
    }
    for (const [index, decoy] of ['a', 'b', 'c'].entries()) {
      mkdirSync(join(this.trees, decoy));
      writeFileSync(join(this.trees, decoy, `${index}`), 'outside');
    }
    for (const entry of entries) {
      const folder = dirname(entry.path) === '.' ? '' : dirname(entry.path);
      const stored = entry.type === 'link' ? links.stored(entry.target, folder) : '';
      make(this.#host(`/${entry.path}`), entry, stored);
      make(this.#twin(entry.path), entry, entry.type === 'link' ? entry.target : '');
    }
  }

  /**
   * Answers queries in the trees that were made.
   *
   * @throws Error with the sanitizer's report, if the resolver did what it may not
   */
  resolve(queries: readonly Query[]): Answer[] {
    const fields = queries.flatMap(({ folder, last, resolve, path }) => [folder, last, `${resolve}`, path]);
    const binds = this.#binds.flatMap((guest) => [this.#host(guest), guest]);
    const { stdout, stderr, status } = spawnSync(this.#program, [join(this.trees, 'root'), this.#twin('.'), ...binds], {
      input: Buffer.from(fields.map((field) => `${field}\0`).join(''), 'latin1'),
      encoding: 'latin1',
      env: { ASAN_OPTIONS: 'detect_leaks=0' },
      maxBuffer: 64 << 20,
    });
    const words = stdout.split('\0').slice(0, -1);
    if (status !== 0 || words.length !== 2 * queries.length) {
      throw new Error(`${JSON.stringify(queries[Math.floor(words.length / 2)])}: ${stderr}`);
    }
    return queries.map((_, i) => ({ runner: words[2 * i] ?? '', kernel: words[2 * i + 1] ?? '' }));
  }

  /** Host path of a path of the root. */
  #host(path: string): string {
    const index = this.#binds.findIndex((guest) => path === guest || path.startsWith(`${guest}/`));
    const bind = this.#binds[index];
    return bind === undefined
      ? join(this.trees, 'root', path)
      : join(this.trees, `bound${index}`, path.slice(bind.length));
  }

  #twin(path: string): string {
    return join(this.trees, 'twin', path);
  }
}

function make(path: string, { type }: MadeEntry, target: string): void {
  if (type === 'folder') mkdirSync(path, { recursive: true });
  else if (type === 'link') symlinkSync(Buffer.from(target, 'latin1'), path);
  else writeFileSync(path, '');
}
