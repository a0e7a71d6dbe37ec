import { join } from 'node:path';
import { writeFileAtomically } from '../../util/atomic-file.js';

/**
 * Tells an environment which of its processes ended for lack of memory, as a memory cgroup does: by a file in the format of
 * cgroup v2's `memory.events` (Linux, Documentation/admin-guide/cgroup-v2.rst).
 */
export class MemoryEvents {
  readonly file: string;
  #kills = 0;

  /** @param folder - the environment's; the file is made in it */
  constructor(folder: string) {
    this.file = join(folder, 'memory.events');
    this.#write();
  }

  /** Counts a process that is about to be killed: like the kernel (__oom_kill_process, mm/oom_kill.c), before its end. */
  countKill(): void {
    this.#kills++;
    try {
      this.#write();
    } catch {
      // A full disk must not keep the process alive.
    }
  }

  #write(): void {
    writeFileAtomically(this.file, `oom ${this.#kills}\noom_kill ${this.#kills}\n`);
  }
}
