import type { RunnerName } from '../../src/contract/index.js';
import type { User } from './user.js';

/** One process to run inside a rootfs. Paths are the container's own unless said otherwise. */
export interface ProcessSpec {
  /** Host path of the rootfs. */
  rootfs: string;
  /** Host path of a folder for what the runner finds out about the rootfs's programs; made if missing. */
  codeCache: string;
  /** Program and its arguments; a bare name is looked up in the container's PATH. */
  argv: [string, ...string[]];
  /** The container's whole environment. */
  environment: Record<string, string>;
  /** Working directory. */
  cwd: string;
  /** Host paths that appear in the container. */
  binds: { host: string; container: string }[];
  /** Host paths of folders that an earlier process had: freed of attributes that it gave them. */
  renewed: readonly string[];
  /** Host path of a folder, on the file system of the rootfs, that is made to keep what the process changes in there. */
  undo: string;
  /** Who it appears to run as; undefined: the truth. */
  appearance: Appearance | undefined;
}

/** A user who is shown in place of the real one. */
export interface Appearance extends User {
  /** Host path of the file, missing or empty, that keeps which owners, modes and devices were given to files. */
  owners: string;
}

/** What to spawn on the host so that a {@link ProcessSpec} runs. */
export interface HostCommand {
  file: string;
  args: string[];
  environment: Record<string, string>;
}

/** A way to run a process in a rootfs without privilege. */
export interface Runner {
  readonly name: RunnerName;
  command(spec: ProcessSpec): HostCommand;
}
