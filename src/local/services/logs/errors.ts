import { ServiceError } from '../../protocol/service.js';

/** CloudWatch Logs' errors, in its own words; JSON 1.1 answers all of them with 400. */
export const errors = {
  noGroup: () => new ServiceError('ResourceNotFoundException', 400, 'The specified log group does not exist.'),
  noStream: () => new ServiceError('ResourceNotFoundException', 400, 'The specified log stream does not exist.'),
  groupExists: () => new ServiceError('ResourceAlreadyExistsException', 400, 'The specified log group already exists'),
  streamExists: () =>
    new ServiceError('ResourceAlreadyExistsException', 400, 'The specified log stream already exists'),
  invalid: (message: string) => new ServiceError('InvalidParameterException', 400, message),
  /** A rule of the API model: range, length, pattern. */
  constraint: (value: unknown, member: string, constraint: string) =>
    new ServiceError(
      'InvalidParameterException',
      400,
      `1 validation error detected: Value '${value}' at '${member}' failed to satisfy constraint: ${constraint}`,
    ),
  invalidToken: () => new ServiceError('InvalidParameterException', 400, 'The specified nextToken is invalid.'),
  /** What CloudWatch has and the engine has not is refused by name. */
  unsupported: (what: string) =>
    new ServiceError('InvalidParameterException', 400, `${what} is not supported by the embedded engine`),
};
