import { FunctionError, ScarError, type ScarErrorOptions } from '../errors.js';
import { awsErrorName, fromAwsError } from './errors.js';

/** What was asked of Lambda, for the message of an error. */
export interface LambdaCall {
  action: string;
  /** The function's name, if the call is about one. */
  name?: string | undefined;
  /** Where the IAM action is not named after the call. */
  permission?: string;
  signal: AbortSignal | undefined;
}

/** A role that was just made, or a key grant for it, takes some seconds to be known everywhere. */
const ROLE_NOT_READY = /cannot be assumed by Lambda|KMS key is invalid for CreateGrant|execution role does not have/i;

/** The `ScarError` for what Lambda answered to a call; an abort's own reason if that is what ended it. */
export function functionError(error: unknown, call: LambdaCall): unknown {
  const { action, name = '', permission = `lambda:${action}`, signal } = call;
  if (signal?.aborted) return signal.reason;
  const message = error instanceof Error ? error.message : String(error);
  const context = { functionName: name, error: awsErrorName(error) };
  switch (awsErrorName(error)) {
    case 'ResourceNotFoundException':
      return new FunctionError(
        'function-not-found',
        `There is no function ${JSON.stringify(name)} in this Region and account. Create it, or correct its name`,
        { context, cause: error },
      );
    case 'ResourceConflictException':
      return conflict(action, name, message, { context, cause: error });
    case 'ResourceNotReadyException':
      return new FunctionError('function-not-ready', `Function ${name} is not ready: ${message}`, {
        context,
        retryable: true,
        cause: error,
      });
    case 'InvalidParameterValueException':
      if (!ROLE_NOT_READY.test(message)) break;
      return new FunctionError(
        'role-not-assumable',
        `Lambda cannot use the execution role of ${name}: ${message}. Its trust policy must allow lambda.amazonaws.com ` +
          'to assume it; a role that was just made needs some seconds',
        { context, retryable: true, cause: error },
      );
    case 'CodeStorageExceededException':
    case 'RequestEntityTooLargeException':
    case 'RequestTooLargeException':
      return new ScarError('package-too-large', `Lambda refuses what was sent for ${name}: ${message}`, {
        context,
        cause: error,
      });
  }
  const subject = name === '' ? '' : ` for function ${name}`;
  return fromAwsError(error, { doing: `call ${action}${subject}`, permission, signal });
}

function conflict(action: string, name: string, message: string, options: ScarErrorOptions): FunctionError {
  if (action === 'CreateFunction') {
    return new FunctionError(
      'function-exists',
      `A function named ${JSON.stringify(name)} exists already. Choose another name, update it, or delete it first`,
      options,
    );
  }
  return new FunctionError('function-not-ready', `Function ${name} cannot be changed or invoked now: ${message}`, {
    ...options,
    retryable: true,
  });
}
