import { CONTAINER_VARIABLES } from '../../src/contract/index.js';
import type { ImageConfig } from '../../src/oci/image-source.js';
import { Failure } from '../failure.js';

/** Docker's PATH for images that set none (moby, oci/defaults). */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Linux refuses to start a program with one longer argument or variable (execve(2), MAX_ARG_STRLEN: 32 pages), name and
 * terminator included.
 */
const MAX_VARIABLE_BYTES = 128 * 1024 - 1;

/** Values of the contract's variables; those that are undefined are not set. */
export type ContractValues = { [name in keyof typeof CONTAINER_VARIABLES]: string | undefined };

/** Where a container's variables come from. */
export interface VariableSources {
  image: ImageConfig['config'];
  /** Home of the image's USER. */
  home: string;
  hostname: string;
  /** The function's credentials, Region and endpoint. */
  function: Readonly<Record<string, string>>;
  /** The user's for every container, and for this one. */
  user: Readonly<Record<string, string>>;
  event: Readonly<Record<string, string>> | undefined;
  contract: ContractValues;
}

/**
 * The container's whole environment; later sources win: what Docker gives every container, the image's ENV, the function's
 * credentials, the user's variables, the event's, the contract's. Nothing else of the supervisor's own gets in.
 *
 * @throws Failure `not-started` for a variable that no program can be started with
 */
export function containerEnvironment(sources: VariableSources): Record<string, string> {
  const own = { ...sources.user, ...sources.event };
  const environment = {
    PATH: DEFAULT_PATH,
    HOME: sources.home,
    HOSTNAME: sources.hostname,
    ...parseVariables(sources.image?.Env ?? []),
    ...withoutForeignToken(sources.function, own),
    ...own,
    ...contractVariables(sources.contract),
  };
  for (const [name, value] of Object.entries(environment)) {
    if (name === '' || /[=\0]/.test(name) || value.includes('\0')) {
      throw new Failure(
        'not-started',
        `The variable ${JSON.stringify(name)} must have a name without = and no NUL byte`,
      );
    }
    if (!fitsVariable(name, value)) {
      throw new Failure(
        'not-started',
        `The variable ${name} must have at most ${MAX_VARIABLE_BYTES} bytes, which is Linux's limit; ` +
          `received ${Buffer.byteLength(value)}. Pass it in a file instead`,
      );
    }
  }
  return environment;
}

/** Whether a program can be started with this variable. */
export function fitsVariable(name: string, value: string): boolean {
  return Buffer.byteLength(name) + Buffer.byteLength(value) + 1 <= MAX_VARIABLE_BYTES;
}

/** An image's ENV: `NAME=value`; a bare name stands for an empty value, as in Docker. */
function parseVariables(entries: readonly string[]): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const entry of entries) {
    const separator = entry.indexOf('=');
    if (separator === -1) variables[entry] = '';
    else if (separator > 0) variables[entry.slice(0, separator)] = entry.slice(separator + 1);
  }
  return variables;
}

/** Who brings credentials of their own must not get the function's session token with them: the three are one. */
function withoutForeignToken(
  functionVariables: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string>>,
): Record<string, string> {
  const credentials = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];
  const replaced = own.AWS_ACCESS_KEY_ID !== undefined;
  return Object.fromEntries(
    Object.entries(functionVariables).filter(([name]) => !(replaced && credentials.includes(name))),
  );
}

function contractVariables(values: ContractValues): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [key, names] of Object.entries(CONTAINER_VARIABLES)) {
    const value = values[key as keyof ContractValues];
    if (value === undefined) continue;
    for (const name of names) variables[name] = value;
  }
  return variables;
}
