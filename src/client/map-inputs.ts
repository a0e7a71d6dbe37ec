import { ValidationError } from '../errors.js';
import { isIterable, isRepeatable, untilAborted } from '../util/until-aborted.js';
import type { ClientContext } from './context.js';
import { checkOverrides, encodeEvent, type InvocationOverrides, OVERRIDE_NAMES, recordOrigin } from './invocation.js';
import { CALL_NAMES, callOptions, checkCallInputs } from './invoke.js';
import type { MapCall, MappedCall } from './map/item.js';
import { newRunId } from './map/journal/head.js';
import { checkRunOptions, type MapRunOptions, RUN_OPTION_NAMES } from './map/options.js';
import { countSteps, notRepeatable, planMap } from './map/plan.js';
import { MapRun } from './map/run.js';
import { runSitting, type SittingStep } from './map/sitting.js';
import { CallSubject } from './map/subject.js';
import { Tally } from './map/tally.js';
import * as check from './validate.js';

/** What the calls have in common. */
export interface MapInputsOptions extends MapRunOptions, InvocationOverrides {}

/** A call: what `invoke` would get; or its `args`, or their only one. */
export type MapInput = MapCall | string | readonly string[];

/** Read no further ahead than needed. */
export type MapInputs = Iterable<MapInput> | AsyncIterable<MapInput>;

/** `ScarClient.map`. */
export function mapInputs(
  context: ClientContext,
  name: string,
  inputs: MapInputs,
  options: MapInputsOptions = {},
): MapRun<MappedCall> {
  check.functionName(name);
  checkInputs(inputs);
  check.knownOptions(options, [...OVERRIDE_NAMES, ...RUN_OPTION_NAMES], 'map');
  checkOverrides(options);
  checkRunOptions(options);
  const counted = async function* (signal: AbortSignal) {
    for await (const _ of steps(context, inputs, signal)) yield { inputs: [{}] };
  };
  const runId = newRunId();
  const tally = new Tally(runId);
  tally.isOf({ functionName: name, bucket: '', prefix: '' });
  return new MapRun(
    context,
    tally,
    { ...options, runId },
    async (run) => {
      if (isRepeatable(inputs)) run.countedBy((signal) => countSteps({ steps: counted }, signal));
      await runSitting(context, run, {
        functionName: name,
        options,
        steps: () => steps(context, inputs, run.admitting),
      });
    },
    async (plan) => {
      if (!isRepeatable(inputs)) throw notRepeatable('inputs');
      return planMap(context, { functionName: name, bucket: '', steps: counted }, options.signal, plan);
    },
  );
}

async function* steps(
  context: ClientContext,
  inputs: MapInputs,
  signal: AbortSignal,
): AsyncGenerator<SittingStep<MappedCall>> {
  const origin = recordOrigin(await context.region());
  let index = 0;
  for await (const input of untilAborted(inputs, signal)) {
    const where = `inputs[${index}]`;
    const call = readInput(where, input);
    const subject = await naming(where, async () => {
      checkOverrides(call);
      checkCallInputs(call);
      const subject = new CallSubject({ index, call }, await callOptions(call));
      // Here it is known whose it is.
      encodeEvent({ Records: subject.records(origin), scar: subject.scar });
      return subject;
    });
    index++;
    yield { subjects: [subject] };
  }
}

function readInput(where: string, input: MapInput): MapCall {
  const call: MapCall =
    typeof input === 'string' ? { args: [input] } : Array.isArray(input) ? { args: [...input] } : (input as MapCall);
  check.knownOptions(call, [...OVERRIDE_NAMES, ...CALL_NAMES], where);
  return call;
}

/** Has errors about an option say whose it is. */
async function naming<Value>(where: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    const { option, rule, received, hint } = error.context as {
      option: string;
      rule: string;
      received: unknown;
      hint?: string;
    };
    throw new ValidationError(`${where}.${option}`, rule, received, hint);
  }
}

function checkInputs(inputs: unknown): void {
  if (isIterable(inputs)) return;
  throw new ValidationError('inputs', 'be an array, or another iterable, of what invoke takes', inputs);
}
