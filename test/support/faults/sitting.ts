import { createInterface } from 'node:readline';
import type { MapSummary } from '../../../src/index.js';
import { startProgram } from '../program.js';

/** When a client is killed: so long after it has said its run's ID, or after so many results that no other one was given. */
export type Kill = { afterMs: number } | { afterNew: number; andMs: number };

/** What a client's program said before its end. */
export interface Sitting {
  runId: string | undefined;
  /** Object and result, in the order in which they were given. */
  given: [key: string, result: string][];
  summary?: MapSummary;
  error?: { code: string; message: string };
  killed: boolean;
}

/**
 * Runs `map-with-journal.mjs` until it ends, or is killed with SIGKILL.
 *
 * @param known - objects of which a result was given before
 */
export async function sit(
  folder: string,
  settings: object,
  known: ReadonlyMap<string, string>,
  kill?: Kill,
): Promise<Sitting> {
  const program = startProgram('map-with-journal.mjs', folder, [JSON.stringify(settings)]);
  const sitting: Sitting = { runId: undefined, given: [], killed: false };
  let fresh = 0;
  let timer: NodeJS.Timeout | undefined;
  const killIn = (ms: number) => {
    timer ??= setTimeout(() => program.process.kill('SIGKILL'), ms);
  };
  const lines = createInterface({ input: program.process.stdout as NodeJS.ReadableStream });
  for await (const line of lines) {
    const said = JSON.parse(line) as Partial<Sitting> & { key?: string; result?: string };
    if (said.key !== undefined && said.result !== undefined) {
      sitting.given.push([said.key, said.result]);
      if (!known.has(said.key)) fresh++;
    } else {
      Object.assign(sitting, said);
      if (kill && 'afterMs' in kill) killIn(kill.afterMs);
    }
    if (kill && 'afterNew' in kill && fresh >= kill.afterNew) killIn(kill.andMs);
  }
  clearTimeout(timer);
  const { code, signal, stderr } = await program.ended;
  if (code !== 0 && signal !== 'SIGKILL') throw new Error(`the client ended with ${code ?? signal}: ${stderr}`);
  sitting.killed = signal === 'SIGKILL';
  return sitting;
}
