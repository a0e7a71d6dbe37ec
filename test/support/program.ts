import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { repository } from './built-package.js';

/** A user's program of `test/support/programs`, running on the built package. */
export interface Program {
  readonly process: ChildProcess;
  /** Waits until it has printed a text. */
  said(text: string): Promise<void>;
  /** How it ended, once it has: by itself, or by a signal. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>;
}

/**
 * Starts a program.
 *
 * @param temporary - its TMPDIR
 * @param args - behind the package's entry
 */
export function startProgram(name: string, temporary: string, args: readonly string[]): Program {
  const file = join(import.meta.dirname, 'programs', name);
  // The SDK's notice of the Node versions that it will support would be on stderr.
  const env = { ...process.env, TMPDIR: temporary, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' };
  const child = spawn(process.execPath, [file, join(repository, 'dist/index.js'), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...output }));
  return {
    process: child,
    ended,
    async said(text) {
      while (!output.stdout.includes(text)) {
        const next = once(child.stdout, 'data').then(() => undefined);
        const end = await Promise.race([next, ended]);
        if (end) throw new Error(`the program ended: ${JSON.stringify(end)}`);
      }
    },
  };
}
