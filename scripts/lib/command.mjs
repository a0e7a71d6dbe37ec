import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's folder. */
export const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A command of a script did not do what it was started for. Scripts print its message, without a stack. */
export class CommandError extends Error {
  name = 'CommandError';
}

/**
 * Runs a program to its end with our terminal; rejects with a {@link CommandError} unless it exits 0.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 */
export function run(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: repository, stdio: ['ignore', 'inherit', 'inherit'], ...options });
    child.once('error', (error) => reject(new CommandError(`${file} could not be started: ${error.message}`)));
    child.once('close', (code, signal) => {
      if (code === 0) resolve(undefined);
      else reject(new CommandError(`${[file, ...args].join(' ')} ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}

/**
 * Runs a program and gives back what it wrote, whatever its exit code; null if there is no such program.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<{ code: number | null, stdout: string, stderr: string } | null>}
 */
export function capture(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: repository, ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output.stderr += text;
    });
    child.once('error', (error) => {
      if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') resolve(null);
      else reject(error);
    });
    child.once('close', (code) => resolve({ code, ...output }));
  });
}

/** `1.2 s`, `340 ms`, `2 min 5 s`. @param {number} ms */
export function duration(ms) {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}

/**
 * Runs `main` when the module was started as a program, and turns what it throws into one line and exit code 1.
 *
 * @param {ImportMeta} meta
 * @param {() => Promise<void>} main
 */
export async function runAsProgram(meta, main) {
  if (process.argv[1] !== fileURLToPath(meta.url)) return;
  // Ended by `exit` and not by the signal itself: what is half made is removed on exit.
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  try {
    await main();
  } catch (error) {
    console.error(error instanceof CommandError ? `error: ${error.message}` : error);
    process.exitCode = 1;
  }
}
