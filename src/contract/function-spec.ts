/**
 * What a function is made of: `function.json` in its zip, written by the client and read by the supervisor.
 * Kept in the package, not in the environment, because Lambda allows only 4 KB of variables.
 */
export interface FunctionSpec {
  version: 1;
  /** What the user named, for messages: `docker.io/library/debian:12`, `oci:DIR:TAG`. */
  imageReference: string;
  /** Digest of the platform's manifest, pinned when the function was created: `sha256:...`. */
  imageDigest: string;
  imageLocation: ImageLocation;
  platform: Platform;
  /** Whether the zip holds a user's script (`SCRIPT_FILE`). */
  hasScript: boolean;
  /** Arguments for the image's ENTRYPOINT in place of its CMD; absent: CMD. */
  args?: string[];
  /** Whether containers see themselves as root, or as their image's USER; absent: true. */
  fakeRoot?: boolean;
  /** Where the files of the output folder go; absent: to the input's bucket, under `output/` (the paper, section 3). */
  output?: OutputTarget[];
  /** Absent: `in-process`. */
  runner?: RunnerName;
  /** Time kept back from the deadline for stage-out and the reply, in ms. */
  reserveMs: number;
}

/** {@link FunctionSpec.fakeRoot}, with its default. */
export const isFakeRoot = ({ fakeRoot = true }: Pick<FunctionSpec, 'fakeRoot'>): boolean => fakeRoot;

/** Where the environments bring the image from: its rootfs archive; its registry, if there is none or it cannot be had. One is there. */
export interface ImageLocation {
  archive?: ArchiveLocation;
  registry?: RegistryLocation;
}

/** A rootfs archive, which {@link ROOTFS_INDEX_FILE} describes: an object, or {@link ROOTFS_FILE} of the package. */
export type ArchiveLocation = { type: 's3'; bucket: string; key: string } | { type: 'package' };

/** By pinned reference, `registry/repository@sha256:...`; its mirrors are asked first. */
export interface RegistryLocation {
  reference: string;
  insecure?: boolean;
  mirrors?: string[];
}

export interface Platform {
  os: 'linux';
  architecture: 'amd64' | 'arm64';
}

/** Where outputs go, and which of them. */
export interface OutputTarget {
  bucket: string;
  /** Prepended to the path relative to the output folder, as is. Default `output/`. */
  prefix: string;
  /** Only files whose relative path ends with one of these. Default: all. */
  suffixes?: string[];
}

/** What starts the user's process in its rootfs: the in-process loader, or the kernel's own namespaces where they are allowed. */
export type RunnerName = 'in-process' | 'namespaces';
export const RUNNERS: readonly RunnerName[] = ['in-process', 'namespaces'];

/** Files of the function's zip. */
export const SPEC_FILE = 'function.json';
export const SCRIPT_FILE = 'script';
/** What the rootfs archive has, if there is one; and a small image's archive itself. */
export const ROOTFS_INDEX_FILE = 'rootfs.json';
export const ROOTFS_FILE = 'rootfs';
/** The native runner beside the supervisor, one per architecture: `inroot-amd64`. */
export const runnerFile = (architecture: Platform['architecture']): string => `inroot-${architecture}`;

/**
 * Prefix of the function's environment variables that belong to the container. A prefix, as SCAR has it, because the
 * supervisor shares that environment: an unprefixed `NODE_OPTIONS` or `PATH` of the user's would change the supervisor.
 */
export const CONTAINER_VARIABLE_PREFIX = 'CONT_VAR_';

/** Tags on every function that this package makes; `list` selects by the first. */
export const TAGS = {
  createdBy: ['createdby', 'scar'],
  owner: 'owner',
  image: 'scar:image',
  digest: 'scar:digest',
} as const;

/** Kept back from the deadline by default (the paper's successor: 10 s), see {@link FunctionSpec.reserveMs}. */
export const DEFAULT_RESERVE_MS = 10_000;
