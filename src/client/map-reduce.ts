import type { ObjectReference, OutputObject } from '../contract/index.js';
import { ScarError, ValidationError } from '../errors.js';
import { type ClientContext, underClient } from './context.js';
import type { OutputOptions } from './function-options.js';
import { checkOutput } from './function-options.js';
import type { MapCompletion } from './map/completion.js';
import type { CallItem, MapItem } from './map/item.js';
import { checkMapOptions, type MapOptions } from './map/options.js';
import type { MapRun } from './map/run.js';
import type { MapSummary } from './map/tally.js';
import { mapInputs } from './map-inputs.js';
import { mapOverBucket } from './map-over-bucket.js';
import { Rollback } from './rollback.js';
import * as check from './validate.js';

/** How the outputs of a map become one. */
export interface ReduceOptions {
  /**
   * The function whose containers reduce: each gets some outputs as files of its input folder (`TMP_INPUT_DIR`), in the order of the objects that they are
   * of, and leaves what they come to in its output folder. What it leaves is reduced again with others, so that it has to be of the same form. A file that went
   * to several places is reduced once, from the first of them.
   */
  function: string;
  /**
   * Where the last one's outputs go. What lies between is below `<prefix>.parts/` for as long as the call takes. When that ends early, reducers under way have the
   * map's `drainMs` to come to their end: one that is dropped may still leave its part there.
   */
  output: OutputOptions;
  /** Outputs that one container gets, 2 to 5,000. Default 100. */
  fanIn?: number;
}

export interface MapReduceResult {
  /** What the last reducer left: one file, also where there was only one to reduce. */
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
  // As one call, so that `close()` waits until what lies between is removed.
  return underClient(context, options.signal, async (signal) => {
    const run = mapOverBucket(context, name, { ...options, signal, completion: completionOf(options) });
    const parts = await partsOf(run);
    const reduction = new Reduction(context, run.runId, reduce, { ...options, signal });
    const outputs = await reduction.all(parts.inOrder());
    return { outputs, map: run.summary, reductions: reduction.containers };
  });
}

/** Without its own word on it, a result that lacks a part is none. */
function completionOf({ completion = {} }: MapOptions): MapCompletion {
  const isSaid = Object.values(completion).some((value) => value !== undefined);
  return isSaid ? completion : { toleratedFailureCount: 0 };
}

async function partsOf(run: MapRun): Promise<Parts> {
  const parts = new Parts();
  let first: ScarError | undefined;
  let lost: ScarError | undefined;
  try {
    for await (const item of run) {
      first ??= item.error;
      lost = parts.add(item, run);
      if (lost) break;
    }
  } catch (error) {
    // Nobody else sees the items.
    if (!first || !(error instanceof ScarError) || error.code !== 'map-failed') throw error;
    const { code, message, context } = error;
    throw new ScarError(code, `${message}. The first: ${first.message}`, { context, cause: first });
  }
  if (lost) throw lost;
  return parts;
}

/** What the map's containers left to reduce: each file once. */
class Parts {
  readonly #parts: { key: string; chunk: number; outputs: OutputObject[] }[] = [];
  /** By bucket and key of an output, the key of its input; the strings are the items' own. */
  readonly #inputs = new Map<string, Map<string, string>>();

  /** Returns an error if a part is lost by what the item has left, or has not told. */
  add({ key, status, outputs, outputsOmitted, input }: MapItem, run: MapRun): ScarError | undefined {
    if (status === 'succeeded' && outputsOmitted) return notListed(run, key, outputsOmitted);
    for (const output of outputs) {
      const other = this.#claim(output, key);
      if (other !== undefined) return replaced(run, output, [other, key]);
    }
    if (status === 'succeeded') {
      this.#parts.push({ key, chunk: input?.chunk?.index ?? 0, outputs: outputs.filter(({ copy }) => !copy) });
    }
    return undefined;
  }

  /** As a listing has them, whatever came first. */
  inOrder(): OutputObject[] {
    this.#parts.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)) || a.chunk - b.chunk);
    return this.#parts.flatMap(({ outputs }) => outputs);
  }

  /** Returns the input whose output has the name already. Those of tolerated failures count too: either may be what is there. */
  #claim({ bucket, key }: OutputObject, input: string): string | undefined {
    const inputs = this.#inputs.get(bucket) ?? new Map<string, string>();
    this.#inputs.set(bucket, inputs);
    const other = inputs.get(key);
    if (other === undefined) inputs.set(key, input);
    return other;
  }
}

function notListed({ summary }: MapRun, input: string, omitted: number): ScarError {
  return new ScarError(
    'map-failed',
    `A map's answers must list all outputs to be reduced; that of ${input} had no room for ${omitted} of them. ` +
      'Have a container leave fewer files, or fewer objects be in a batch',
    { context: { summary, input, omitted } },
  );
}

function replaced({ summary }: MapRun, { bucket, key }: OutputObject, inputs: [string, string]): ScarError {
  return new ScarError(
    'map-failed',
    `A map's outputs must have different keys to be reduced; s3://${bucket}/${key} is that of ${inputs.join(' and of ')}, so that ` +
      'one has replaced the other. Have containers name their files after the whole key of the input (STORAGE_OBJECT_KEY)',
    { context: { summary, bucket, key, inputs } },
  );
}

/** Reduces in levels, each to a part of the one before. */
class Reduction {
  containers = 0;
  readonly #context: ClientContext;
  readonly #runId: string;
  readonly #reduce: ReduceOptions;
  readonly #options: Pick<MapOptions, 'concurrency' | 'drainMs' | 'retry' | 'signal'>;

  constructor(
    context: ClientContext,
    runId: string,
    reduce: ReduceOptions,
    { concurrency, drainMs, retry, signal }: MapOptions,
  ) {
    this.#context = context;
    this.#runId = runId;
    this.#reduce = reduce;
    this.#options = {
      ...(concurrency !== undefined && { concurrency }),
      ...(drainMs !== undefined && { drainMs }),
      ...(retry && { retry }),
      ...(signal && { signal }),
    };
  }

  async all(first: OutputObject[]): Promise<OutputObject[]> {
    const { fanIn = 100, function: reducer, output } = this.#reduce;
    if (first.length === 0) throw nothingToReduce();
    const parts = new Rollback();
    if (first.length > fanIn) parts.made(`s3://${output.bucket}/${this.#parts}`, () => this.#removeParts());
    let inputs = first;
    try {
      for (let level = 1; ; level++) {
        const groups = grouped(inputs, fanIn);
        if (groups.length === 1) return await this.#level(groups, () => output);
        inputs = await this.#level(groups, (index) => this.#part(level, index));
      }
    } finally {
      await parts.run(reducer, this.#context.notify);
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
      if (item.outputs.length !== 1) throw notOne(this.#reduce.function, item);
      outputs[item.index] = item.outputs;
    }
    this.containers += groups.length;
    return outputs.flat();
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

function nothingToReduce(): ScarError {
  const message = "The map's containers must leave files in their output folder to reduce; they left none";
  return new ScarError('invocation-failed', message);
}

/** Of more it would never come to one, and of none the result would lack what the container was given. */
function notOne(reducer: string, { outputs, requestId, call }: CallItem): ScarError {
  const { length } = outputs;
  return new ScarError(
    'invocation-failed',
    `Each container of ${reducer} must leave one file in its output folder, be it empty; one of ${call.inputs?.length} inputs left ${length}`,
    { context: { reducer, outputs: length, requestId } },
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
