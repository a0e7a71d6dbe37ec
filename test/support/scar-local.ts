import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';

const program = join(resolve(import.meta.dirname, '../..'), 'dist/scar-local.js');

/** Why the built program cannot be tested; undefined if it can. */
export const missingProgram = existsSync(program) ? undefined : 'dist/ is not built: npm run build';

/** The built `scar-local`, running. */
export interface ScarLocal {
  readonly process: ChildProcess;
  /** What it printed: one line. */
  readonly line: string;
  readonly endpoint: string;
  readonly client: S3Client;
  /** Sends a signal and waits for the end; gives back exit code, or the signal. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it to its end. */
export async function runScarLocal(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Ended> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

/** Starts it and waits until it is ready. */
export async function startScarLocal(
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<ScarLocal> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'], env });
  const ended = once(child, 'exit');
  const [line] = (await Promise.race([once(child.stdout, 'data'), ended])).map(String);
  const { endpoint, region, accessKeyId, secretAccessKey } = JSON.parse(line ?? '');
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 });
  return {
    process: child,
    line: line ?? '',
    endpoint,
    client,
    async stop(signal = 'SIGTERM') {
      client.destroy();
      child.kill(signal);
      const [code, by] = await ended;
      return code ?? by;
    },
  };
}
