import { ServiceError } from '../../protocol/service.js';

/** The errors of https://docs.aws.amazon.com/lambda/latest/api/, with Lambda's own words. */
export const errors = {
  functionNotFound: (arn: string) =>
    new ServiceError('ResourceNotFoundException', 404, `Function not found: ${arn}`, { fields: { Type: 'User' } }),

  noPolicy: () =>
    new ServiceError('ResourceNotFoundException', 404, 'The resource you requested does not exist.', {
      fields: { Type: 'User' },
    }),

  statementNotFound: (id: string) =>
    new ServiceError('ResourceNotFoundException', 404, `Statement ${id} is not found in resource policy.`, {
      fields: { Type: 'User' },
    }),

  functionExists: (name: string) => conflict(`Function already exist: ${name}`),

  updateInProgress: (arn: string) =>
    conflict(`The operation cannot be performed at this time. An update is in progress for resource: ${arn}`),

  notInvocable: (state: string) =>
    conflict(
      `The operation cannot be performed at this time. The function is currently in the following state: ${state}`,
    ),

  statementExists: (id: string) =>
    conflict(
      `The statement id (${id}) provided already exists. Please provide a new statement id, or remove the existing statement.`,
    ),

  /** A rule that Lambda's API model states by itself: range, length, pattern. */
  validation: (value: unknown, member: string, constraint: string) =>
    new ServiceError(
      'ValidationException',
      400,
      `1 validation error detected: Value '${value}' at '${member}' failed to satisfy constraint: ${constraint}`,
    ),

  invalidParameter: (message: string) =>
    new ServiceError('InvalidParameterValueException', 400, message, { fields: { Type: 'User' } }),

  /** What Lambda has and the engine has not is refused by name, never ignored. */
  unsupported: (member: string) =>
    new ServiceError('InvalidParameterValueException', 400, `${member} is not supported by the embedded engine`, {
      fields: { Type: 'User' },
    }),

  revisionMismatch: () =>
    new ServiceError(
      'PreconditionFailedException',
      412,
      'The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
      { fields: { Type: 'User' } },
    ),

  requestTooLarge: (limit: number, operation: string) =>
    new ServiceError(
      'RequestTooLargeException',
      413,
      `Request must be smaller than ${limit} bytes for the ${operation} operation`,
      { fields: { Type: 'User' } },
    ),

  notJson: (reason: string) =>
    new ServiceError('InvalidRequestContentException', 400, `Could not parse request body into json: ${reason}`, {
      fields: { Type: 'User' },
    }),

  throttled: (reason: ThrottleReason) =>
    new ServiceError('TooManyRequestsException', 429, 'Rate Exceeded.', {
      fields: { Type: 'User', Reason: reason },
      headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) },
    }),
};

/** Why an invocation got no environment. */
export type ThrottleReason = 'ReservedFunctionConcurrentInvocationLimitExceeded' | 'ConcurrentInvocationLimitExceeded';

/** The header has whole seconds, and 0 would mean at once. */
const RETRY_AFTER_SECONDS = 1;

const conflict = (message: string): ServiceError =>
  new ServiceError('ResourceConflictException', 409, message, { fields: { Type: 'User' } });
