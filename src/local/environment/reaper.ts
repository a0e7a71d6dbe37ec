import {
  folderAtWork,
  killQuietly,
  type ProcessRow,
  processesOf,
  readProcess,
  readProcessTable,
} from './process-table.js';

/** Passes over the process table: what forks while it is being killed is found by the next one. */
const MAX_PASSES = 5;

interface Ending {
  readonly leader: number;
  readonly name: string;
  /** When the runtime started, in clock ticks; what is older is not of this environment. */
  readonly since: number;
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
    const since = readProcess(leader)?.started ?? 0;
    killQuietly(-leader);
    return new Promise((resolve) => {
      if (this.#endings.length === 0) setImmediate(() => this.#sweep());
      this.#endings.push({ leader, name, since, done: resolve });
    });
  }

  #sweep(): void {
    const endings = this.#endings;
    this.#endings = [];
    // Daemons are rare, and looking for them is dear: again only where there was one.
    let daemons = true;
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      const table = readProcessTable().filter((row) => !row.zombie);
      const members = new Set(endings.flatMap(({ leader }) => processesOf(table, leader).map((row) => row.pid)));
      const strays: number[] = daemons ? this.#daemons(table, members, endings) : [];
      for (const pid of [...members, ...strays]) killQuietly(pid);
      if (members.size + strays.length === 0) break;
      daemons = strays.length > 0;
    }
    for (const ending of endings) ending.done();
  }

  #daemons(table: readonly ProcessRow[], members: ReadonlySet<number>, endings: readonly Ending[]): number[] {
    const names = new Set(endings.map((ending) => ending.name));
    const since = Math.min(...endings.map((ending) => ending.since));
    return table
      .filter((row) => row.started >= since && !members.has(row.pid))
      .filter((row) => names.has(folderAtWork(row, this.#runFolder) ?? ''))
      .map((row) => row.pid);
  }
}
