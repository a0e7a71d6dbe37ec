import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isProcessAlive, processIdentity } from '../src/util/process-identity.js';
import { removeTree } from '../src/util/remove-tree.js';
import { clearFolders } from './container/folders.js';
import { ContainerProcesses } from './container/processes.js';
import { undoChanges } from './container/undo.js';

/** The runner's file name in the folder of a supervisor process. */
const RUNNER = 'inroot';
/** And the name under which it starts others. */
const LAUNCHER = 'launcher';

/**
 * The supervisor's part of `/tmp`:
 *
 * ```
 * <tmp>/scar/images/               the image cache
 * <tmp>/scar/run/<identity>/       what belongs to one supervisor process
 *                           inroot     the runner: its path marks the processes of this one's containers
 *                           launcher   the same file, as the process that starts containers
 *                           <n>/       the folders of a container, emptied for the next one
 * ```
 * A process that was killed leaves its folder, and perhaps containers, to the next one, which sweeps them away and takes back
 * what they changed in an image.
 */
export class Scratch {
  readonly folder: string;
  /** For the image cache. */
  readonly images: string;
  /** Path of the launcher. */
  readonly launcher: string;
  /** Processes of this supervisor's containers. */
  readonly processes: ContainerProcesses;
  readonly #run: string;
  readonly #own: string;
  #runner: string | undefined;
  /** The next one, when this one's folder cannot be cleared. */
  #container = 1;

  constructor(folder: string) {
    // Canonical, because /proc names executables by their real paths.
    mkdirSync(folder, { recursive: true });
    this.folder = realpathSync(folder);
    this.images = join(this.folder, 'images');
    this.#run = join(this.folder, 'run');
    this.#own = join(this.#run, processIdentity());
    this.launcher = join(this.#own, LAUNCHER);
    const runner = join(this.#own, RUNNER);
    this.processes = new ContainerProcesses((executable) => executable === runner);
  }

  /**
   * Copies the runner to where it can be executed: a zip may have lost its mode, and the package's folder is read-only on
   * Lambda. Cleans up, the first time, after supervisors that were killed: no image may be used before. Returns its path.
   */
  async installRunner(from: string): Promise<string> {
    if (this.#runner) return this.#runner;
    await this.#sweep();
    mkdirSync(this.#own, { recursive: true });
    const runner = join(this.#own, RUNNER);
    writeFileSync(runner, '', { mode: 0o755 });
    copyFileSync(from, runner);
    linkSync(runner, this.launcher);
    this.#runner = runner;
    return runner;
  }

  /** The folder for a container's folders. */
  containerFolder(): string {
    return join(this.#own, String(this.#container));
  }

  /**
   * Removes what a container left in its folder.
   *
   * @throws Error of the file system: the next container gets another folder
   */
  clearContainerFolder(requestId: string): void {
    try {
      clearFolders(this.containerFolder(), requestId);
    } catch (error) {
      this.#container++;
      throw error;
    }
  }

  /** What is left of the file system, in bytes. */
  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  async #sweep(): Promise<void> {
    const dead = entriesOf(this.#run).filter((identity) => !isProcessAlive(identity));
    if (dead.length === 0) return;
    const files = dead.flatMap((identity) => [RUNNER, LAUNCHER].map((name) => join(this.#run, identity, name)));
    await new ContainerProcesses((executable) => files.includes(executable)).killAll();
    for (const folder of dead.map((identity) => join(this.#run, identity))) {
      for (const container of entriesOf(folder)) await this.#takeBack(join(folder, container));
      await removeTree(folder);
    }
  }

  /** An image that cannot be had back is brought in anew, and with it, for simplicity, all. */
  async #takeBack(container: string): Promise<void> {
    try {
      undoChanges(container, this.images);
    } catch {
      await removeTree(this.images);
    }
  }
}

function entriesOf(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
