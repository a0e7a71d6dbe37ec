import { mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeTree } from '../../src/util/remove-tree.js';

/** A folder of a test's own, removed when the test's scope ends. */
export async function temporaryFolder(prefix = 'scar-test-'): Promise<{ path: string } & AsyncDisposable> {
  const path = await realpath(await mkdtemp(join(tmpdir(), prefix)));
  return { path, [Symbol.asyncDispose]: () => removeTree(path) };
}
