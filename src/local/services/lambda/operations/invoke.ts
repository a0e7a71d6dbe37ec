import type { InvocationRequest, InvocationResponse } from '@aws-sdk/client-lambda';
import type { OperationContext } from '../../../protocol/service.js';
import type { LambdaContext } from '../context.js';
import { errors } from '../errors.js';
import { LATEST } from '../function-record.js';
import { find } from './functions.js';

/** https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const MAX_SYNCHRONOUS_BYTES = 6_291_456;
const MAX_ASYNCHRONOUS_BYTES = 1_048_576;

/** https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html */
export async function invoke(
  lambda: LambdaContext,
  request: InvocationRequest,
  context: OperationContext,
): Promise<InvocationResponse> {
  const record = find(lambda, request.FunctionName ?? '', request.Qualifier);
  const type = request.InvocationType ?? 'RequestResponse';
  if (request.DurableExecutionName !== undefined) throw errors.unsupported('DurableExecutionName');
  if (request.TenantId !== undefined) throw errors.unsupported('TenantId');
  const payload = checkPayload(request.Payload, type === 'Event' ? MAX_ASYNCHRONOUS_BYTES : MAX_SYNCHRONOUS_BYTES);
  const version = lambda.functions.version(record.name);
  const clientContext = request.ClientContext && Buffer.from(request.ClientContext, 'base64').toString();
  const invocation = { requestId: context.requestId, payload, ...(clientContext ? { clientContext } : {}) };

  if (type === 'DryRun') {
    context.status = 204;
    return { StatusCode: 204, ExecutedVersion: LATEST };
  }
  if (type === 'Event') {
    lambda.queue.add({ functionName: record.name, ...invocation });
    context.status = 202;
    return { StatusCode: 202 };
  }
  const result = await lambda.invoker.invoke(version, invocation);
  return {
    StatusCode: 200,
    ExecutedVersion: LATEST,
    Payload: result.payload as InvocationResponse['Payload'] & Buffer,
    ...(result.functionError === undefined ? {} : { FunctionError: result.functionError }),
    ...(request.LogType === 'Tail' ? { LogResult: result.logTail } : {}),
  };
}

/** The event as it goes to the function; no payload at all is an empty object. */
function checkPayload(payload: Uint8Array | undefined, limit: number): Buffer {
  if (payload === undefined || payload.byteLength === 0) return Buffer.from('{}');
  if (payload.byteLength > limit) throw errors.requestTooLarge(limit, 'InvokeFunction');
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  try {
    JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw errors.notJson((error as Error).message);
  }
  return bytes;
}
