import { mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, posix } from 'node:path';
import { type FunctionSpec, type InvocationOptions, isFakeRoot } from '../../src/contract/index.js';
import type { ImageConfig } from '../../src/oci/image-source.js';
import { Failure } from '../failure.js';
import { type ContractValues, containerEnvironment, type VariableSources } from './environment.js';
import type { FileView } from './file-view.js';
import type { ContainerFolders } from './folders.js';
import type { CachedImage } from './image-cache.js';
import { chooseProgram, scriptCommand } from './program.js';
import type { ProcessSpec } from './runner.js';
import { imageUser } from './user.js';

/** Name of the script in the request's folder. */
const SCRIPT_NAME = 'script';

/** What a container's process is made of. */
export interface ProcessSources {
  image: Pick<CachedImage, 'rootfs' | 'codeCache' | 'config'>;
  folders: ContainerFolders;
  spec: Pick<FunctionSpec, 'args' | 'imageReference' | 'fakeRoot'>;
  functionScript: Buffer | undefined;
  options: Pick<InvocationOptions, 'script' | 'args'>;
  variables: Pick<VariableSources, 'function' | 'user' | 'event'>;
  contract: ContractValues;
}

/**
 * Makes the process that an image, a function and an event describe, and puts on the disk what it needs: its script, and
 * its working directory, which Docker makes too if the image has none.
 *
 * @throws Failure `not-started` if nothing can be run, or not by the user that the image names
 */
export function processSpec(sources: ProcessSources): ProcessSpec {
  const { image, folders, spec, options } = sources;
  const config = image.config.config ?? {};
  const cwd = posix.join('/', config.WorkingDir ?? '');
  makeWorkingDirectory(cwd, folders.view);
  const { home, ...user } = userOf(image.config, folders.view);
  const program = chooseProgram(options, spec, sources.functionScript, config);
  return {
    rootfs: image.rootfs,
    codeCache: image.codeCache,
    argv: 'argv' in program ? program.argv : installScript(program.script, folders),
    environment: containerEnvironment({
      image: config,
      home,
      hostname: hostname(),
      ...sources.variables,
      contract: sources.contract,
    }),
    cwd,
    binds: folders.binds,
    renewed: folders.renewed,
    undo: folders.host.undo,
    appearance: isFakeRoot(spec) ? { ...user, owners: folders.host.owners } : undefined,
  };
}

const users = new WeakMap<ImageConfig, ReturnType<typeof imageUser>>();

/** The image's user, looked up once: its files are the same for every container. */
function userOf(image: ImageConfig, view: FileView): ReturnType<typeof imageUser> {
  const user = users.get(image) ?? imageUser(image.config?.User, view);
  users.set(image, user);
  return user;
}

function installScript(script: Buffer, folders: ContainerFolders): [string, ...string[]] {
  writeFileSync(join(folders.host.request, SCRIPT_NAME), script, { mode: 0o755 });
  return scriptCommand(script, `${folders.request}/${SCRIPT_NAME}`);
}

function makeWorkingDirectory(cwd: string, view: FileView): void {
  const host = view.resolve(cwd);
  try {
    if (host === undefined) throw new Error('it is a circle of links');
    mkdirSync(host, { recursive: true });
  } catch (error) {
    throw new Failure(
      'not-started',
      `The image's working directory ${cwd} cannot be made: ${(error as Error).message}`,
      error,
    );
  }
}
