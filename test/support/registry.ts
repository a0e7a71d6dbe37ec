import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { isInstalled } from './installed.js';
import { temporaryFolder } from './temporary.js';

/** Why registries cannot run here, in one line; undefined when they can. */
export const registryMissing: string | undefined = ['docker-registry', 'skopeo', 'umoci'].every(isInstalled)
  ? undefined
  : 'needs the Debian packages docker-registry, skopeo and umoci';

export interface RegistryOptions {
  /** More lines of its configuration (YAML), e.g. an `auth:` section. */
  configuration?: string;
}

/** A real registry (Debian's docker-registry) on a loopback port. */
export interface Registry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
}

/** Starts a registry whose storage goes away with it. */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const folder = await temporaryFolder('scar-registry-');
  const configFile = join(folder.path, 'config.yml');
  const storage = join(folder.path, 'storage');
  await writeFile(
    configFile,
    `version: 0.1
log: { level: info, formatter: json, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: ${storage} }, delete: { enabled: true } }
http: { addr: 127.0.0.1:0, secret: only-for-tests }
${options.configuration ?? ''}
`,
  );
  const child = spawn('docker-registry', ['serve', configFile], { stdio: ['ignore', 'ignore', 'pipe'] });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await once(child, 'exit');
    await folder[Symbol.asyncDispose]();
  };
  try {
    return { host: await listeningAt(child), [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The port is the kernel's choice; the registry names it in its log. */
async function listeningAt(child: ChildProcess): Promise<string> {
  const lines: string[] = [];
  if (child.stderr === null) throw new Error('docker-registry has no stderr');
  for await (const line of createInterface({ input: child.stderr })) {
    lines.push(line);
    const host = /listening on (127\.0\.0\.1:\d+)/.exec(line)?.[1];
    if (host === undefined) continue;
    child.stderr.resume();
    return host;
  }
  throw new Error(`docker-registry did not start:\n${lines.join('\n')}`);
}

/** Copies an image with skopeo, between any of its transports; the server it asks may be in this process. */
export async function skopeoCopy(from: string, to: string, ...options: string[]): Promise<void> {
  const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false', '--insecure-policy'];
  await promisify(execFile)('skopeo', ['copy', '--quiet', ...insecure, ...options, from, to]);
}

/** Runs a program and gives its output; what it says on stderr becomes the error's message. */
export function run(program: string, args: string[], options: { cwd?: string; input?: string } = {}): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe', maxBuffer: 64 * 1024 * 1024, ...options });
}
