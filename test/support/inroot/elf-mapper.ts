import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { compile } from './compile.js';

const PARTS = [
  ...['elf.c', 'unwind.c', 'patch.c', 'redirect.c', 'code_cache.c', 'rules.c', 'text.c', 'view.c'],
  ...['arch/x86_64/decode.c', 'arch/x86_64/patch_sites.c'],
];

// The unwind tables are read at whatever address they have, as any program does.
const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize=alignment', '-fno-sanitize-recover=all'];

/** The runner's reader of ELF files, in a program that checks what it does. */
export class ElfMapper implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #closed: Promise<unknown>;
  #reports = '';

  /** @param folder - gets the program, and files */
  constructor(folder: string) {
    const flags = ['-g', '-O1', '-iquote', join(import.meta.dirname, 'watched'), ...SANITIZERS];
    const program = compile('map-elf', folder, { parts: PARTS, flags });
    const child = spawn(program, { stdio: 'pipe', env: { ASAN_OPTIONS: 'detect_leaks=0' } });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#closed = new Promise((resolve) => child.once('close', resolve));
    child.stderr.on('data', (chunk) => {
      this.#reports += chunk;
    });
  }

  /** What became of the file: `mapped`, or `refused` with an errno. Throws if that was a crash, with the report of it. */
  async map(path: string): Promise<string> {
    this.#reports = '';
    this.#child.stdin?.write(`${path}\n`);
    const { value } = await this.#lines.next();
    if (!/^(mapped|refused \d+)$/.test(value)) throw new Error(`${value ?? 'the program ended'}\n${this.#reports}`);
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    await this.#closed;
  }
}

const EMPTY = 'int main(void) { return 42; }\n';

/** Ways to link a program: what compilers make of them differs in every structure that is read. */
const LINKED = {
  'musl static': ['musl-gcc', '-static'],
  'musl dynamic': ['musl-gcc'],
  'position-independent': ['gcc'],
  'at a fixed address': ['gcc', '-no-pie'],
  'of few pages': ['gcc', '-Wl,-z,noseparate-code'],
  static: ['gcc', '-static'],
} as const;

export type Original = keyof typeof LINKED | 'interpreter';

/** Programs to change, by how they were made. */
export function makeOriginals(folder: string): Record<Original, Buffer> {
  const source = join(folder, 'empty.c');
  const program = join(folder, 'empty');
  writeFileSync(source, EMPTY);
  const made = Object.entries(LINKED).map(([name, [compiler, ...options]]) => {
    execFileSync(compiler, [...options, '-o', program, source]);
    return [name, readFileSync(program)];
  });
  copyFileSync('/lib64/ld-linux-x86-64.so.2', program);
  return { ...Object.fromEntries(made), interpreter: readFileSync(program) };
}
