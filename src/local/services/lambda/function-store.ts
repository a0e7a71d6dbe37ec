import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FunctionRecord } from './function-record.js';

const SUFFIX = '.json';

/** All functions, in memory and as one file each: written beside and renamed, so that a kill leaves the old or the new. */
export class FunctionStore {
  readonly #folder: string;
  readonly #records = new Map<string, FunctionRecord>();

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(folder)) {
      if (!name.endsWith(SUFFIX)) continue;
      const record: FunctionRecord = JSON.parse(readFileSync(join(folder, name), 'utf8'));
      this.#records.set(record.name, record);
    }
  }

  find(name: string): FunctionRecord | undefined {
    return this.#records.get(name);
  }

  /** By name, as Lambda lists them. */
  all(): FunctionRecord[] {
    return [...this.#records.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  save(record: FunctionRecord): void {
    const path = this.#pathOf(record.name);
    // The variables may be secrets: for the owner only.
    writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${path}.new`, path);
    this.#records.set(record.name, record);
  }

  delete(name: string): void {
    rmSync(this.#pathOf(name), { force: true });
    this.#records.delete(name);
  }

  /** Names hold letters, digits, hyphens and underscores only, so they are file names as they are. */
  #pathOf(name: string): string {
    return join(this.#folder, `${name}${SUFFIX}`);
  }
}
