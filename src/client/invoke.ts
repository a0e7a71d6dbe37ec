import type { ObjectReference } from '../contract/index.js';
import { type ClientContext, underClient } from './context.js';
import {
  checkOverrides,
  encodeEvent,
  type InvocationOverrides,
  invocationOptions,
  OVERRIDE_NAMES,
  objectRecord,
  sendInvocation,
} from './invocation.js';
import { type InvocationResult, readInvocation } from './invocation-result.js';
import * as check from './validate.js';

export interface InvokeOptions extends InvocationOverrides {
  /** The object to work on: staged in, and named by `SCAR_INPUT_FILE`. Default: none. */
  input?: ObjectReference;
  /** Stops the waiting. A function that has begun runs on: Lambda has no way to stop it. */
  signal?: AbortSignal;
}

/** `ScarClient.invoke`. */
export function invoke(context: ClientContext, name: string, options: InvokeOptions = {}): Promise<InvocationResult> {
  check.functionName(name);
  check.knownOptions(options, [...OVERRIDE_NAMES, 'input', 'signal'], 'invoke');
  checkOverrides(options);
  checkInput(options.input);
  check.abortSignal(options.signal);
  return underClient(context, options.signal, async (signal) => {
    const scar = await invocationOptions(options);
    const record = options.input && objectRecord(options.input, await context.region());
    const payload = encodeEvent({ ...(record && { Records: [record] }), scar });
    const sent = await sendInvocation(context, name, payload, signal);
    if ('error' in sent) throw sent.error;
    return readInvocation(name, sent.raw, sent.attempts);
  });
}

export function checkInput(input: ObjectReference | undefined): void {
  if (input === undefined) return;
  check.knownOptions(input, ['bucket', 'key', 'bytes', 'versionId'], 'input');
  check.bucketName('input.bucket', input.bucket);
  check.text('input.key', input.key);
  check.integer('input.bytes', input.bytes, { min: 0, max: Number.MAX_SAFE_INTEGER });
  check.optionalString('input.versionId', input.versionId);
}
