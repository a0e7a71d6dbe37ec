import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { LocalOptions, ScarClient } from '../../src/index.js';
import { builtPackage } from './built-package.js';
import { busyboxLayout } from './busybox.js';
import { inventory, processesBelow } from './leftovers.js';
import { temporaryFolder } from './temporary.js';

/** `ScarClient.local()` of the built package, in a world of its own whose emptiness can be checked. */
export interface LocalClient {
  readonly scar: ScarClient;
  /** For files of a test. */
  readonly folder: string;
  /** An image with a shell. */
  readonly image: string;
  /** What the engine said of itself: failures that are its own fault. */
  readonly engineErrors: unknown[];
  /** Runs something, and checks that all it made in the account is gone again. */
  leavesNothing<T>(action: () => Promise<T>): Promise<T>;
  /** Ends client and engine, and checks that no process and no temporary file of theirs is left. */
  close(): Promise<void>;
}

export async function startLocalClient(options: LocalOptions = {}): Promise<LocalClient> {
  const folder = await temporaryFolder('scar-bad-day-');
  const temporary = join(folder.path, 'tmp');
  mkdirSync(temporary);
  const { TMPDIR } = process.env;
  process.env.TMPDIR = temporary;
  const { ScarClient } = await builtPackage();
  const engineErrors: unknown[] = [];
  const scar = await ScarClient.local({ ...options, onError: (error) => engineErrors.push(error) });
  return {
    scar,
    folder: folder.path,
    image: await busyboxLayout(join(folder.path, 'image')),
    engineErrors,
    async leavesNothing(action) {
      const before = await inventory(scar);
      const result = await action();
      expect(await inventory(scar), 'what the account has').toEqual(before);
      return result;
    },
    async close() {
      await scar.close();
      process.env.TMPDIR = TMPDIR;
      if (TMPDIR === undefined) delete process.env.TMPDIR;
      expect(engineErrors, "the engine's own failures").toEqual([]);
      expect(readdirSync(temporary), 'temporary files').toEqual([]);
      expect(processesBelow(temporary), 'processes').toEqual([]);
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** The error that a promise is rejected with. */
export async function errorOf(promise: Promise<unknown>): Promise<Error & { code?: unknown; context?: unknown }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('there was no error');
}
