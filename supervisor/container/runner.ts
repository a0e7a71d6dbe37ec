import type { RunnerName } from '../../src/contract/index.js';

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
