import { ValidationError } from '../../errors.js';

/** A pattern over whole keys. */
export interface Glob {
  /** What every key that matches begins with: as much of the pattern's beginning as is literal. */
  readonly literal: string;
  matches(key: string): boolean;
  /** Whether any key with this beginning can match. */
  canBegin(prefix: string): boolean;
}

/** More than any key has (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html). */
const MAX_LENGTH = 1_024;

/**
 * Reads a glob: `*` and `?` for any characters and any one but `/`, `**` for any characters, `**` with a slash behind it for any
 * folders or none, `[a-z]`, `[!a-z]`, `{a,b}`, and a backslash before what is meant literally. A dot is like any other character.
 *
 * It becomes an automaton whose states are all followed at once (Thompson, https://swtch.com/~rsc/regexp/regexp1.html): the
 * time for a key is at most its length times the pattern's, whatever the pattern.
 *
 * @throws ValidationError naming `option`
 */
export function parseGlob(option: string, text: string): Glob {
  if (text === '' || text.length > MAX_LENGTH) {
    throw new ValidationError(option, `be a pattern of 1 to ${MAX_LENGTH} characters`, text);
  }
  const parts = new Parser(option, text).parse();
  const end: State = { next: [], seen: 0 };
  const start = compile(parts, end);
  let step = 0;
  const follow = (key: string): State[] => {
    step++;
    let states: State[] = [];
    enter(start, states, step);
    for (const character of key) {
      step++;
      const reached: State[] = [];
      for (const { test, next } of states) if (test?.(character)) for (const state of next) enter(state, reached, step);
      states = reached;
      if (states.length === 0) break;
    }
    return states;
  };
  return {
    literal: literalBeginning(parts),
    matches: (key) => follow(key).includes(end),
    canBegin: (prefix) => follow(prefix).length > 0,
  };
}

type Test = (character: string) => boolean;

type Part = { kind: 'one'; test: Test; literal?: string } | { kind: 'many'; test: Test } | Choice;
type Choice = { kind: 'choice'; of: Part[][] };

/** Takes one character that passes the test; without a test it is a fork, or the end. */
interface State {
  test?: Test;
  next: State[];
  /** The last step that came here. */
  seen: number;
}

function compile(parts: Part[], after: State): State {
  return parts.reduceRight((next, part): State => {
    if (part.kind === 'choice') return { next: part.of.map((branch) => compile(branch, next)), seen: 0 };
    if (part.kind === 'one') return { test: part.test, next: [next], seen: 0 };
    const fork: State = { next: [], seen: 0 };
    fork.next.push({ test: part.test, next: [fork], seen: 0 }, next);
    return fork;
  }, after);
}

/** Adds a state, or what its fork leads to; each once in a step. */
function enter(state: State, states: State[], step: number): void {
  if (state.seen === step) return;
  state.seen = step;
  if (state.test || state.next.length === 0) states.push(state);
  else for (const next of state.next) enter(next, states, step);
}

function literalBeginning(parts: Part[]): string {
  let literal = '';
  for (const part of parts) {
    if (part.kind !== 'one' || part.literal === undefined) break;
    literal += part.literal;
  }
  return literal;
}

const anything: Test = () => true;
const notSlash: Test = (character) => character !== '/';

function literally(character: string): Part {
  return { kind: 'one', test: (other) => other === character, literal: character };
}

class Parser {
  readonly #option: string;
  readonly #text: string;
  readonly #characters: string[];
  #at = 0;

  constructor(option: string, text: string) {
    this.#option = option;
    this.#text = text;
    this.#characters = Array.from(text);
  }

  parse(): Part[] {
    return this.#sequence(true, '');
  }

  /** @param folderStart - whether what comes first begins the name of a folder or file */
  #sequence(folderStart: boolean, ends: string): Part[] {
    const parts: Part[] = [];
    for (let start = folderStart; this.#at < this.#characters.length; ) {
      const character = this.#peek() as string;
      if (ends.includes(character)) break;
      this.#at++;
      parts.push(this.#part(character, start));
      start = this.#characters[this.#at - 1] === '/';
    }
    return parts;
  }

  #part(character: string, folderStart: boolean): Part {
    if (character === '*') return this.#star(folderStart);
    if (character === '?') return { kind: 'one', test: notSlash };
    if (character === '[') return { kind: 'one', test: this.#class() };
    if (character === '{') return this.#choice(folderStart);
    return literally(character === '\\' ? this.#escaped() : character);
  }

  #star(folderStart: boolean): Part {
    let stars = 1;
    for (; this.#peek() === '*'; this.#at++) stars++;
    if (stars === 1) return { kind: 'many', test: notSlash };
    if (!folderStart || this.#peek() !== '/') return { kind: 'many', test: anything };
    this.#at++;
    return { kind: 'choice', of: [[], [{ kind: 'many', test: anything }, literally('/')]] };
  }

  #choice(folderStart: boolean): Choice {
    const of: Part[][] = [];
    do {
      of.push(this.#sequence(folderStart, ',}'));
    } while (this.#next('close each { with a }') === ',');
    if (of.length === 1) throw this.#refusal('have at least two alternatives in {a,b}', 'Write \\{ for a brace itself');
    return { kind: 'choice', of };
  }

  #class(): Test {
    const close = 'close each [ with a ]';
    const negated = this.#peek() === '!' || this.#peek() === '^';
    if (negated) this.#at++;
    const ranges: [number, number][] = [];
    // A bracket that comes first is one of the characters.
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      const from = this.#member(close);
      const isRange = this.#peek() === '-' && this.#characters[this.#at + 1] !== ']';
      if (isRange) this.#at++;
      const to = isRange ? this.#member(close) : from;
      if (from > to) throw this.#refusal('have ranges like [a-z] in rising order');
      ranges.push([from, to]);
    }
    this.#at++;
    return (character) => {
      const code = character.codePointAt(0) as number;
      return character !== '/' && ranges.some(([from, to]) => code >= from && code <= to) !== negated;
    };
  }

  #member(rule: string): number {
    const character = this.#next(rule);
    return (character === '\\' ? this.#escaped() : character).codePointAt(0) as number;
  }

  #escaped(): string {
    return this.#next('have a character after each backslash');
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #next(rule: string): string {
    const character = this.#peek();
    if (character === undefined) throw this.#refusal(rule, 'A backslash before a character makes it literal');
    this.#at++;
    return character;
  }

  #refusal(rule: string, hint?: string): ValidationError {
    return new ValidationError(this.#option, rule, this.#text, hint);
  }
}
