import type { InvocationOptions, ObjectReference, S3EventRecord } from '../contract/index.js';
import { ValidationError } from '../errors.js';
import { type ClientContext, underClient } from './context.js';
import {
  checkOverrides,
  encodeEvent,
  type InvocationOverrides,
  invocationOptions,
  OVERRIDE_NAMES,
  objectRecord,
  type RecordOrigin,
  recordOrigin,
  sendInvocation,
} from './invocation.js';
import { type InvocationResult, readInvocation } from './invocation-result.js';
import * as check from './validate.js';

export interface InvokeOptions extends InvocationOverrides {
  /** The object to work on: staged in, and named by `SCAR_INPUT_FILE`. Default: none. */
  input?: ObjectReference;
  /**
   * Several objects for one container: side by side in its input folder (`TMP_INPUT_DIR`) as `000000-<name>`, `000001-<name>`, in this order. Not with
   * `input`. Default: none.
   */
  inputs?: ObjectReference[];
  /** Stops the waiting. A function that has begun runs on: Lambda has no way to stop it. */
  signal?: AbortSignal;
}

/** `ScarClient.invoke`. */
export function invoke(context: ClientContext, name: string, options: InvokeOptions = {}): Promise<InvocationResult> {
  check.functionName(name);
  check.knownOptions(options, [...OVERRIDE_NAMES, ...CALL_NAMES, 'signal'], 'invoke');
  checkOverrides(options);
  checkCallInputs(options);
  check.abortSignal(options.signal);
  return underClient(context, options.signal, async (signal) => {
    const scar = await callOptions(options);
    const records = callRecords(options, recordOrigin(await context.region()));
    const payload = encodeEvent({ ...(records.length > 0 && { Records: records }), scar });
    const sent = await sendInvocation(context, name, payload, signal);
    if ('error' in sent) throw sent.error;
    return readInvocation(name, sent.raw, sent.attempts);
  });
}

/** The options that say what a call works on. */
export const CALL_NAMES = ['input', 'inputs'] as const;

type CallInputs = Pick<InvokeOptions, (typeof CALL_NAMES)[number]>;

/** What a call says of its container, as the supervisor reads it. */
export async function callOptions(call: InvocationOverrides & CallInputs): Promise<InvocationOptions> {
  const scar = await invocationOptions(call);
  return call.inputs ? { ...scar, gather: true } : scar;
}

export function callRecords({ input, inputs }: CallInputs, origin: RecordOrigin): S3EventRecord[] {
  return (inputs ?? (input ? [input] : [])).map((object) => objectRecord(object, origin));
}

/** @throws ValidationError */
export function checkCallInputs({ input, inputs }: CallInputs): void {
  if (input !== undefined) checkInput('input', input);
  if (inputs === undefined) return;
  if (input !== undefined) throw new ValidationError('inputs', 'not be given together with input', 'both');
  if (!Array.isArray(inputs) || inputs.length === 0) {
    throw new ValidationError('inputs', 'be an array of at least one { bucket, key }', inputs);
  }
  for (const [index, one] of inputs.entries()) checkInput(`inputs[${index}]`, one);
}

function checkInput(option: string, input: ObjectReference): void {
  check.knownOptions(input, ['bucket', 'key', 'bytes', 'versionId'], option);
  check.bucketName(`${option}.bucket`, input.bucket);
  check.text(`${option}.key`, input.key);
  check.integer(`${option}.bytes`, input.bytes, { min: 0, max: Number.MAX_SAFE_INTEGER });
  check.optionalString(`${option}.versionId`, input.versionId);
}
