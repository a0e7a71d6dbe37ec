/** An answer as JSON. */
export interface RememberedAnswer {
  json: string;
  /** Whether it is also where its reader looks for it. */
  kept: boolean;
}

/** More than the repetitions of a moment, in less memory than one response may have. */
const MAX_ANSWERS = 64;
const MAX_CHARACTERS = 4 * 1024 * 1024;

/** The last answers of this environment. The oldest go first; the last one stays whatever its size. */
export class RememberedAnswers {
  readonly #answers = new Map<string, RememberedAnswer>();
  #characters = 0;

  get(id: string): RememberedAnswer | undefined {
    return this.#answers.get(id);
  }

  add(id: string, json: string): RememberedAnswer {
    const answer = { json, kept: false };
    this.#forget(id);
    this.#answers.set(id, answer);
    this.#characters += json.length;
    for (const oldest of this.#answers.keys()) {
      if (oldest === id || (this.#answers.size <= MAX_ANSWERS && this.#characters <= MAX_CHARACTERS)) break;
      this.#forget(oldest);
    }
    return answer;
  }

  #forget(id: string): void {
    this.#characters -= this.#answers.get(id)?.json.length ?? 0;
    this.#answers.delete(id);
  }
}
