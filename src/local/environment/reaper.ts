import { folderAtWork, killQuietly, processesOf, readProcessTable } from './process-table.js';

/** Passes over the process table: what forks while it is being killed is found by the next one. */
const MAX_PASSES = 5;

interface Ending {
  readonly leader: number;
  readonly name: string;
  done(): void;
}

/**
 * Kills all processes of an environment that ends: its group at once, then whoever left the group. Environments that
 * end together share one pass over the process table.
 */
export class Reaper {
  readonly #runFolder: string;
  #endings: Ending[] = [];

  /** @param runFolder - the folder whose sub-folders belong to one environment each */
  constructor(runFolder: string) {
    this.#runFolder = runFolder;
  }

  /**
   * @param leader - pid of the runtime's process
   * @param name - the environment's folder below the run folder
   */
  end(leader: number, name: string): Promise<void> {
    killQuietly(-leader);
    return new Promise((resolve) => {
      if (this.#endings.length === 0) setImmediate(() => this.#sweep());
      this.#endings.push({ leader, name, done: resolve });
    });
  }

  #sweep(): void {
    const endings = this.#endings;
    this.#endings = [];
    for (let pass = 0; pass < MAX_PASSES && this.#killRemaining(endings) > 0; pass++);
    for (const ending of endings) ending.done();
  }

  #killRemaining(endings: readonly Ending[]): number {
    const table = readProcessTable().filter((row) => !row.zombie);
    const doomed = new Set<number>();
    for (const { leader } of endings) for (const row of processesOf(table, leader)) doomed.add(row.pid);
    const names = new Set(endings.map((ending) => ending.name));
    for (const row of table) {
      if (!doomed.has(row.pid) && names.has(folderAtWork(row, this.#runFolder) ?? '')) doomed.add(row.pid);
    }
    for (const pid of doomed) killQuietly(pid);
    return doomed.size;
  }
}
