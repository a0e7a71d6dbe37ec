import { ServiceError } from '../protocol/service.js';

/** Why a request is not believed. */
export type AuthenticationFailure =
  | 'missing'
  | 'malformed'
  | 'malformed-query'
  | 'unknown-key'
  | 'wrong-token'
  | 'wrong-signature'
  | 'wrong-scope'
  | 'skewed'
  | 'expired'
  | 'unsigned-header'
  | 'missing-payload-hash';

/** A request that is refused before any service sees it; each protocol has names of its own for that. */
export class AuthenticationError extends Error {
  override readonly name = 'AuthenticationError';

  constructor(
    readonly failure: AuthenticationFailure,
    message: string,
    readonly fields: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }

  /** The answer of the given service. The names and statuses are those of S3's error list and of AWS's common errors. */
  toServiceError(service: 's3' | 'lambda' | 'logs'): ServiceError {
    if (service === 's3') {
      const [name, status] = S3_ANSWERS[this.failure];
      return new ServiceError(name, status, this.message, { fields: this.fields });
    }
    // JSON 1.1 services answer every client error with 400.
    return new ServiceError(COMMON_ANSWERS[this.failure], service === 'logs' ? 400 : 403, this.message);
  }
}

const S3_ANSWERS: Record<AuthenticationFailure, readonly [string, number]> = {
  missing: ['AccessDenied', 403],
  malformed: ['AuthorizationHeaderMalformed', 400],
  'malformed-query': ['AuthorizationQueryParametersError', 400],
  'unknown-key': ['InvalidAccessKeyId', 403],
  'wrong-token': ['InvalidToken', 400],
  'wrong-signature': ['SignatureDoesNotMatch', 403],
  'wrong-scope': ['AuthorizationHeaderMalformed', 400],
  skewed: ['RequestTimeTooSkewed', 403],
  expired: ['AccessDenied', 403],
  'unsigned-header': ['AccessDenied', 403],
  'missing-payload-hash': ['InvalidRequest', 400],
};

const COMMON_ANSWERS: Record<AuthenticationFailure, string> = {
  missing: 'MissingAuthenticationTokenException',
  malformed: 'IncompleteSignatureException',
  'malformed-query': 'IncompleteSignatureException',
  'unknown-key': 'UnrecognizedClientException',
  'wrong-token': 'UnrecognizedClientException',
  'wrong-signature': 'InvalidSignatureException',
  'wrong-scope': 'InvalidSignatureException',
  skewed: 'InvalidSignatureException',
  expired: 'InvalidSignatureException',
  'unsigned-header': 'InvalidSignatureException',
  'missing-payload-hash': 'IncompleteSignatureException',
};
