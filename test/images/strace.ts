import { createReadStream } from 'node:fs';

/** A system call as strace(1) shows it with `-f -y`. */
export interface TracedCall {
  pid: number;
  name: string;
  args: string[];
  /** What stands behind the `=`: `3</etc/passwd>`, `-1 ENOENT (...)`. Empty for one that never returned. */
  result: string;
}

/** Reads a log that still grows. */
export class TraceReader {
  readonly #file: string;
  #offset = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** The calls that were added, in the order in which they began. */
  async read(): Promise<TracedCall[]> {
    const lines: { pid: number; text: string }[] = [];
    const unfinished = new Map<number, { pid: number; text: string }>();
    for (const line of await this.#newLines()) {
      const [, id = '', text = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
      const pid = Number(id);
      const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(text);
      if (resumed) {
        // Without a beginning: the exec of a thread, which goes on under the number of its process.
        const begun = unfinished.get(pid);
        if (begun) begun.text += resumed[1];
        unfinished.delete(pid);
        continue;
      }
      const call = { pid, text: text.replace(/ <unfinished \.\.\.>$/, '') };
      if (call.text !== text) unfinished.set(pid, call);
      lines.push(call);
    }
    return lines.flatMap(({ pid, text }) => parseCall(pid, text) ?? []);
  }

  async #newLines(): Promise<string[]> {
    const bytes = Buffer.concat(await createReadStream(this.#file, { start: this.#offset }).toArray());
    const whole = bytes.subarray(0, bytes.lastIndexOf('\n') + 1);
    this.#offset += whole.length;
    return whole.toString().split('\n');
  }
}

function parseCall(pid: number, text: string): TracedCall | undefined {
  const name = /^\w+(?=\()/.exec(text)?.[0];
  if (name === undefined) return undefined; // a signal, or the end of a process
  const { args, end } = splitArguments(text, name.length + 1);
  return { pid, name, args, result: text.slice(end).replace(/^\)?\s*=?\s*/, '') };
}

/** Splits at commas that are in no string, structure, or decoded descriptor. */
function splitArguments(text: string, from: number): { args: string[]; end: number } {
  const args: string[] = [];
  let depth = 0;
  let start = from;
  let at = from;
  for (; at < text.length; at++) {
    const c = text[at];
    if (c === '"' || (c === '<' && text[at - 1] !== '<')) at = endOfQuoted(text, at, c === '"' ? '"' : '>');
    else if (c === '(' || c === '[' || c === '{') depth++;
    else if (depth === 0 && (c === ',' || c === ')')) {
      args.push(text.slice(start, at).trim());
      start = at + 1;
      if (c === ')') break;
    } else if (c === ')' || c === ']' || c === '}') depth--;
  }
  if (at >= text.length && start < at) args.push(text.slice(start).trim());
  return { args, end: at };
}

/** The index of the closing character; strace escapes it, and backslashes, within. */
function endOfQuoted(text: string, from: number, close: string): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === close) return at;
  }
  return text.length;
}

/** The string that an argument is; undefined if it is none. */
export function stringArgument(argument: string | undefined): string | undefined {
  const quoted = /^"((?:[^"\\]|\\.)*)"/.exec(argument ?? '')?.[1];
  return quoted === undefined ? undefined : decodeEscapes(quoted);
}

/** The strings that an array of them has. */
export function stringArguments(argument = ''): string[] {
  return [...argument.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, quoted = '']) => decodeEscapes(quoted));
}

/** Path of a descriptor, `3</etc>` or `AT_FDCWD</tmp>`; undefined for sockets, pipes and the like. */
export function descriptorPath(argument: string | undefined): string | undefined {
  const path = /^\w+<(\/(?:[^>\\]|\\.)*)>/.exec(argument ?? '')?.[1];
  return path === undefined ? undefined : decodeEscapes(path);
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', v: '\v', f: '\f' };

/** Bytes of a C string literal, as UTF-8. */
function decodeEscapes(text: string): string {
  if (!text.includes('\\')) return text;
  const bytes = text.replace(/\\([0-7]{1,3}|.)/g, (_, code: string) =>
    /^[0-7]/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : (ESCAPES[code] ?? code),
  );
  return Buffer.from(bytes, 'latin1').toString();
}
