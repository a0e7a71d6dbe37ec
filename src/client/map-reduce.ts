import type { ObjectReference, OutputObject } from '../contract/index.js';
import { ScarError, ValidationError } from '../errors.js';
import type { ClientContext } from './context.js';
import type { OutputOptions } from './function-options.js';
import { checkOutput } from './function-options.js';
import type { MapItem } from './map/item.js';
import { checkMapOptions, type MapOptions } from './map/options.js';
import type { MapRun } from './map/run.js';
import type { MapSummary } from './map/tally.js';
import { mapInputs } from './map-inputs.js';
import { mapOverBucket } from './map-over-bucket.js';
import * as check from './validate.js';

/** How the outputs of a map become one. */
export interface ReduceOptions {
  /**
   * The function whose containers reduce: each gets some outputs as files of its input folder (`TMP_INPUT_DIR`), in the order of the objects that they are
   * of, and leaves what they come to in its output folder. What it leaves is reduced again with others, so that it has to be of the same form.
   */
  function: string;
  /** Where the last one's outputs go. What lies between is below `<prefix>.parts/` for as long as the call takes. */
  output: OutputOptions;
  /** Outputs that one container gets, 2 to 5,000. Default 100. */
  fanIn?: number;
}

export interface MapReduceResult {
  /** What the last container left; the map's own output if that is all there is. */
  outputs: OutputObject[];
  map: MapSummary;
  /** Containers that reduced. */
  reductions: number;
}

/** `ScarClient.mapReduce`. */
export async function mapReduce(
  context: ClientContext,
  name: string,
  options: MapOptions,
  reduce: ReduceOptions,
): Promise<MapReduceResult> {
  checkMapOptions(name, options);
  checkReduce(reduce);
  // Without its own word on it, a result that lacks a part is none.
  const run = mapOverBucket(context, name, { completion: { toleratedFailureCount: 0 }, ...options });
  const items = await outputsOf(run);
  const reduction = new Reduction(context, run.runId, reduce, options);
  const outputs = await reduction.all(inOrder(items));
  return { outputs, map: run.summary, reductions: reduction.containers };
}

async function outputsOf(run: MapRun): Promise<Mapped[]> {
  const items: Mapped[] = [];
  let first: ScarError | undefined;
  try {
    for await (const item of run) {
      if (item.status === 'succeeded') items.push(mapped(item));
      else first ??= item.error;
    }
    return items;
  } catch (error) {
    // Nobody else sees the items.
    if (!first || !(error instanceof ScarError) || error.code !== 'map-failed') throw error;
    const { code, message, context } = error;
    throw new ScarError(code, `${message}. The first: ${first.message}`, { context, cause: first });
  }
}

type Mapped = Pick<MapItem, 'key' | 'outputs'> & { part: number };

function mapped({ key, outputs, input }: MapItem): Mapped {
  return { key, outputs, part: input?.chunk?.index ?? 0 };
}

/** As a listing has them, whatever came first. */
function inOrder(items: Mapped[]): OutputObject[] {
  items.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)) || a.part - b.part);
  return items.flatMap(({ outputs }) => outputs);
}

/** Reduces in levels, each to a part of the one before. */
class Reduction {
  containers = 0;
  readonly #context: ClientContext;
  readonly #runId: string;
  readonly #reduce: ReduceOptions;
  readonly #options: Pick<MapOptions, 'concurrency' | 'retry' | 'signal'>;

  constructor(
    context: ClientContext,
    runId: string,
    reduce: ReduceOptions,
    { concurrency, retry, signal }: MapOptions,
  ) {
    this.#context = context;
    this.#runId = runId;
    this.#reduce = reduce;
    this.#options = {
      ...(concurrency !== undefined && { concurrency }),
      ...(retry && { retry }),
      ...(signal && { signal }),
    };
  }

  async all(first: OutputObject[]): Promise<OutputObject[]> {
    const { fanIn = 100, output } = this.#reduce;
    if (first.length === 0) throw nothingToReduce();
    let inputs = first;
    try {
      for (let level = 1; ; level++) {
        const groups = grouped(inputs, fanIn);
        if (groups.length === 1) return await this.#level(groups, () => output);
        inputs = await this.#level(groups, (index) => this.#part(level, index));
      }
    } finally {
      if (first.length > fanIn) await this.#removeParts();
    }
  }

  /** Also those of a level that failed. */
  async #removeParts(): Promise<void> {
    const { bucket } = this.#reduce.output;
    for await (const page of this.#context.objects.list(bucket, { prefix: this.#parts })) {
      await this.#context.objects.deleteAll(
        bucket,
        page.map(({ key }) => key),
      );
    }
  }

  async #level(groups: ObjectReference[][], target: (index: number) => OutputOptions): Promise<OutputObject[]> {
    const calls = groups.map((inputs, index) => ({ inputs, output: [target(index)] }));
    const outputs: OutputObject[][] = [];
    for await (const item of mapInputs(this.#context, this.#reduce.function, calls, this.#options)) {
      if (item.status === 'failed') throw item.error;
      outputs[item.index] = item.outputs;
    }
    this.containers += groups.length;
    const all = outputs.flat();
    if (all.length > groups.length) throw tooMuch(this.#reduce.function, groups.length, all.length);
    if (all.length === 0) throw nothingToReduce(this.#reduce.function);
    return all;
  }

  #part(level: number, index: number): OutputOptions {
    const { bucket } = this.#reduce.output;
    return { bucket, prefix: `${this.#parts}${level}-${String(index).padStart(6, '0')}/` };
  }

  get #parts(): string {
    const { prefix = 'output/' } = this.#reduce.output;
    return `${prefix}.parts/${this.#runId}/`;
  }
}

function grouped(outputs: readonly OutputObject[], size: number): ObjectReference[][] {
  const groups: ObjectReference[][] = [];
  for (let at = 0; at < outputs.length; at += size) groups.push(outputs.slice(at, at + size));
  return groups;
}

function nothingToReduce(reducer?: string): ScarError {
  const who = reducer === undefined ? "The map's containers" : `The containers of ${reducer}`;
  return new ScarError(
    'invocation-failed',
    `${who} must leave files in their output folder to reduce; they left none`,
    { context: { reducer } },
  );
}

/** It would never come to one. */
function tooMuch(reducer: string, containers: number, outputs: number): ScarError {
  return new ScarError(
    'invocation-failed',
    `A container of ${reducer} must leave one file; ${containers} left ${outputs}`,
    { context: { reducer, containers, outputs } },
  );
}

function checkReduce(reduce: ReduceOptions): void {
  check.knownOptions(reduce, ['function', 'output', 'fanIn'], 'reduce');
  check.functionName(reduce.function, 'reduce.function');
  if (reduce.output === undefined) {
    throw new ValidationError('reduce.output', 'be { bucket, prefix }', reduce.output);
  }
  checkOutput([reduce.output]);
  check.integer('reduce.fanIn', reduce.fanIn, { min: 2, max: 5_000 });
}
