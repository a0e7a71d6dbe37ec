import type { Reply } from './channel.js';

/** Where the callback style leaves its result. */
export interface CallbackResult {
  done(error: unknown, result?: unknown): void;
}

/**
 * The handler's second argument (https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html), made from the
 * headers of the event.
 */
export function createContext(event: Reply, environment: NodeJS.ProcessEnv, result: CallbackResult) {
  const { headers } = event;
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: environment.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: environment.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: environment.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: environment.AWS_LAMBDA_LOG_STREAM_NAME,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    clientContext: parseOptional(headers['lambda-runtime-client-context']),
    identity: parseOptional(headers['lambda-runtime-cognito-identity']),
    getRemainingTimeInMillis: () => deadline - Date.now(),
    done: (error: unknown, value?: unknown) => result.done(error, value),
    fail: (error: unknown) => result.done(error ?? 'handled'),
    succeed: (value: unknown) => result.done(null, value),
  };
}

export type Context = ReturnType<typeof createContext>;

const parseOptional = (json: string | undefined): unknown => (json === undefined ? undefined : JSON.parse(json));
