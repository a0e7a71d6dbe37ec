import { ScarError } from '../errors.js';

/** What was being done when AWS answered with an error: for the message, and to name the missing permission. */
export interface AttemptedCall {
  /** The call as a phrase: `read s3://bucket/key`. */
  doing: string;
  /** The IAM action that it needs: `s3:GetObject`. */
  permission: string;
  signal?: AbortSignal | undefined;
}

const ACCESS_DENIED = new Set(['AccessDenied', 'AccessDeniedException', 'AllAccessDisabled', 'Forbidden', '403']);

/** The credentials themselves are refused, so that no permission would help. */
const BAD_CREDENTIALS = new Set([
  'CredentialsProviderError',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidAccessKeyId',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'InvalidToken',
  'SignatureDoesNotMatch',
  'UnrecognizedClientException',
]);

const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EAI_AGAIN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'TimeoutError',
]);

/** Throttles, as the services name them, S3's under status 503. */
const THROTTLED = new Set([
  'TooManyRequestsException',
  'SlowDown',
  'RequestLimitExceeded',
  'Throttling',
  'ThrottlingException',
]);

/** Name of an error that a client of the SDK threw, as the service sent it: `NoSuchBucket`, `AccessDenied`. */
export function awsErrorName(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const code = (error as { Code?: unknown }).Code;
  // S3 answers HEAD without a body: the SDK then has nothing but the status to name the error after.
  return typeof code === 'string' ? code : error.name;
}

/** HTTP status of the service's answer; undefined if it never answered. */
export function awsStatus(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode;
}

/**
 * What to throw for an error of an SDK client that is not one of the operation's own: a missing permission, refused
 * credentials, an abort (the signal's own reason), or `service` with `retryable` set for throttles, 5xx and the network.
 */
export function fromAwsError(error: unknown, call: AttemptedCall): unknown {
  if (error instanceof ScarError) return error;
  if (call.signal?.aborted) return call.signal.reason;
  const name = awsErrorName(error);
  const status = awsStatus(error);
  const message = error instanceof Error ? error.message : String(error);
  const context = { error: name, status, permission: call.permission };
  if (BAD_CREDENTIALS.has(name)) {
    return new ScarError(
      'permission-denied',
      `Could not ${call.doing}: the credentials were refused (${name}: ${message}). Renew or correct them`,
      { context, cause: error },
    );
  }
  if (ACCESS_DENIED.has(name) || status === 403) {
    return new ScarError(
      'permission-denied',
      `Could not ${call.doing}: permission ${call.permission} is missing (${name}: ${message}). ` +
        'Add it to the policy of the role or user that makes this call',
      { context, cause: error },
    );
  }
  if (status === 429 || THROTTLED.has(name)) return throttled(error, call, context);
  if (message === 'Region is missing') {
    return new ScarError(
      'invalid-option',
      `Could not ${call.doing}: no Region is known. Give the option region, set AWS_REGION, or name one in ~/.aws/config`,
      { context: { option: 'region' }, cause: error },
    );
  }
  return new ScarError('service', `Could not ${call.doing}: ${name}: ${message}`, {
    context,
    retryable: isTransient(error, name, status),
    cause: error,
  });
}

/** A throttle, with what the service said of its cause (`reason`) and of when to come back (`retryAfterMs`). */
function throttled(error: unknown, call: AttemptedCall, context: Record<string, unknown>): ScarError {
  const { Reason, retryAfterSeconds } = error as { Reason?: unknown; retryAfterSeconds?: unknown };
  const seconds = Number(retryAfterSeconds);
  const message = error instanceof Error ? error.message : String(error);
  return new ScarError(
    'throttled',
    `Could not ${call.doing}: throttled (${typeof Reason === 'string' ? `${Reason}: ` : ''}${message}). ` +
      'Lower the concurrency, or ask AWS for a higher quota',
    {
      context: {
        ...context,
        reason: Reason,
        retryAfterMs: retryAfterSeconds !== undefined && Number.isFinite(seconds) ? seconds * 1000 : undefined,
      },
      retryable: true,
      cause: error,
    },
  );
}

function isTransient(error: unknown, name: string, status: number | undefined): boolean {
  if (status === 429 || (status !== undefined && status >= 500)) return true;
  const { $retryable, code } = error as { $retryable?: unknown; code?: unknown };
  return $retryable !== undefined || NETWORK.has(name) || (typeof code === 'string' && NETWORK.has(code));
}
