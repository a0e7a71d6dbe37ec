import { createHash } from 'node:crypto';
import { TAGS } from '../../contract/index.js';
import { ScarError } from '../../errors.js';
import type { ClientContext } from '../context.js';
import { RUNTIME } from '../create-function.js';
import { fetchFunctionCode } from '../function-code.js';
import { Rollback } from '../rollback.js';
import { untilRoleIsKnown, waitUntilReady } from '../wait.js';

/** Of its log, which is removed with it: for the case that it is not. */
const LOG_DAYS = 7;

/**
 * A copy of a run's function with more memory, for the objects whose containers run out of it. Made when the first one does, and removed when
 * the run ends: the function itself stays as it is, with its warm environments.
 */
export class LargerFunction {
  readonly memoryMiB: number;
  readonly #context: ClientContext;
  readonly #of: string;
  readonly #name: string;
  readonly #signal: AbortSignal;
  readonly #made = new Rollback();
  #ready: Promise<string> | undefined;

  constructor(context: ClientContext, of: string, memoryMiB: number, runId: string, signal: AbortSignal) {
    this.#context = context;
    this.#of = of;
    this.memoryMiB = memoryMiB;
    // The same in each sitting of a run: a process that was killed may have left it.
    this.#name = `${of.slice(0, 40)}-${memoryMiB}-${createHash('sha256').update(runId).digest('hex').slice(0, 12)}`;
    this.#signal = signal;
  }

  /** Its name, when it can be invoked. */
  ready(): Promise<string> {
    this.#ready ??= this.#make();
    return this.#ready;
  }

  /** Waits for its making, if that is under way. What cannot be removed is told in a warning. */
  async remove(): Promise<void> {
    await this.#ready?.catch(() => {});
    await this.#made.run(this.#name, this.#context.notify);
  }

  async #make(): Promise<string> {
    const { functions, logs, config } = this.#context;
    const signal = this.#signal;
    const details = await functions.get(this.#of, signal);
    const { zip } = await fetchFunctionCode(details, signal);
    const { facts } = details;
    const settings = {
      ...facts,
      name: this.#name,
      description: `SCAR: ${this.#of} with ${this.memoryMiB} MiB, for as long as a map needs it`,
      runtime: RUNTIME,
      memoryMiB: this.memoryMiB,
      zip,
      tags: { [TAGS.createdBy[0]]: TAGS.createdBy[1], [TAGS.owner]: details.tags[TAGS.owner] ?? config.owner },
    };
    const group = `/aws/lambda/${this.#name}`;
    this.#made.made(`log group ${group}`, () => logs.deleteGroup(group));
    this.#made.made('the function', () => unlessGone(functions.delete(this.#name)));
    await unlessThere(
      untilRoleIsKnown(this.#context, `create function ${this.#name}`, signal, () =>
        functions.create(settings, signal),
      ),
    );
    await logs.createGroup(group, signal);
    await logs.keepFor(group, LOG_DAYS, signal);
    await waitUntilReady(this.#context, this.#name, signal);
    return this.#name;
  }
}

async function unlessThere(made: Promise<unknown>): Promise<void> {
  try {
    await made;
  } catch (error) {
    if (!(error instanceof ScarError) || error.code !== 'function-exists') throw error;
  }
}

async function unlessGone(removed: Promise<unknown>): Promise<void> {
  try {
    await removed;
  } catch (error) {
    if (!(error instanceof ScarError) || error.code !== 'function-not-found') throw error;
  }
}
